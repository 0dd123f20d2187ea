"""The JVM's archive of Kafka's classes, with which a broker starts in about half of the processor time.

Owns: the archive's file, made once per machine and Java (application class-data sharing, JEP 350). Must not: start a
broker, or be needed: a JVM that can't use it goes on without.
"""

import fcntl
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path


def class_archive(jars: Path, java: str, train: Callable[[Path], None]) -> Path:
    """The archive for these jars and this Java, made if it isn't there; safe in several processes at once.

    Args:
        jars: Kafka's.
        java: The program.
        train: Runs a broker to its regular end, so that it leaves the archive in that file.

    Returns:
        The file. It is not there if Java could not make it.

    Raises:
        BrokerUnavailable: The broker did not come up.
    """
    program = Path(java).resolve()
    identity = sha256(f"{program}:{program.stat().st_mtime_ns}:{jars.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    archive = jars.with_name(f"{jars.name}-{identity}.jsa")
    if not archive.exists():
        with archive.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not archive.exists():  # another process may have made it while this one waited
                scratch = archive.with_suffix(".new")
                scratch.unlink(missing_ok=True)
                train(scratch)
                if scratch.exists():
                    scratch.rename(archive)
    return archive
