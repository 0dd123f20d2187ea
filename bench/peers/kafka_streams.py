"""Builds and names the Kafka Streams apps of bench/peers/kafka-streams.

Owns: the Maven build, kept in the user's cache, and the JVM's options. Must not: run an app.
"""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from postcart.adapters.local_kafka import default_cache

PROJECT = Path(__file__).parent / "kafka-streams"
JVM = ("-Xms1g", "-Xmx2g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
"""Of serial, parallel and G1 the parallel collector took least CPU on two cores; a fixed heap spares its growth."""
SETTINGS = {
    "processing.guarantee": "exactly_once_v2",
    "commit.interval.ms": 1000,
    "num.stream.threads": 1,
    "statestore.cache.max.bytes": "256 MiB",
    "max.poll.records": 5000,
    "compression": "lz4",
    "jvm": " ".join(JVM),
}
"""As Detect.java and Bids.java set them."""


@functools.cache
def classpath() -> str:
    """Compile, once per state of the sources, and return the class path."""
    digest = hashlib.sha256()
    for source in sorted([PROJECT / "pom.xml", *PROJECT.rglob("*.java")]):
        digest.update(source.read_bytes())
    folder = default_cache(os.environ) / f"bench-streams-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        maven = shutil.which("mvn")
        if maven is None:
            raise SystemExit("no Maven on the PATH to build the Kafka Streams apps with: apt-get install maven")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["-q", "-B", "-f", str(PROJECT / "pom.xml"), f"-DbuildDirectory={unfinished}"]
        goals = ["compile", "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}/jars"]
        subprocess.run([maven, *options, *goals], check=True, stdin=subprocess.DEVNULL)
        unfinished.rename(folder)
    return f"{folder}/classes:{folder}/jars/*"


def command(app: str, *arguments: str) -> list[str]:
    """How an app is started."""
    return ["java", *JVM, "-cp", classpath(), f"postcart.bench.{app}", *arguments]
