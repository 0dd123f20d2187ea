"""Apache Kafka's program files, fetched once per machine.

Owns: asking whether Java can run them, and the folder of jars under the cache, filled by Maven. Must not: start a
broker, or write into the source tree.
"""

import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from postcart.errors import BrokerUnavailable

KAFKA_VERSION = "4.3.0"
JAVA_MINIMUM = 17
"""Kafka 4's brokers need Java 17 (Apache Kafka documentation, "Java Version")."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>postcart</groupId>
  <artifactId>local-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
# slf4j-simple: without a binding a broker that fails to start says nothing at all.


def default_cache(environ: Mapping[str, str]) -> Path:
    """Return the user's cache folder for Postcart, after the XDG base directory specification."""
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "postcart"


def java_program() -> str:
    """Return the path of a Java that can run a broker.

    Raises:
        BrokerUnavailable: There is none, or it is too old; the message says what to install.
    """
    install = "apt-get install default-jre-headless"
    java = shutil.which("java")
    if java is None:
        raise BrokerUnavailable(f"no Java on the PATH: {install}")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 -- a path from which()
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found[1]) < JAVA_MINIMUM:
        version = found[1] if found else "of unknown version"
        raise BrokerUnavailable(f"{java} is Java {version}, Kafka {KAFKA_VERSION} needs {JAVA_MINIMUM}: {install}")
    return java


def kafka_jars(cache: Path) -> Path:
    """Return the folder of Kafka's jars, fetching it if it isn't there. Idempotent; safe in several processes at once.

    Raises:
        BrokerUnavailable: Maven is missing, or could not fetch them.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"kafka-{KAFKA_VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():  # another process may have fetched it while this one waited
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    """Fetch into a folder beside the wanted one and rename it: half a download is never taken for a whole one."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailable("no Maven on the PATH to fetch Apache Kafka with: apt-get install maven")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
        done = subprocess.run(  # noqa: S603 -- a path from which(), no shell
            command, cwd=scratch, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        jars = Path(scratch) / "jars"
        if done.returncode or not (jars / f"kafka_2.13-{KAFKA_VERSION}.jar").is_file():
            output = "\n".join((done.stdout + done.stderr).splitlines()[:20])
            raise BrokerUnavailable(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}:\n{output}")
        jars.rename(folder)
