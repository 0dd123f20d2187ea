"""Workers as processes of their own, and the CPU time that they take.

Owns: starting one from this source tree, and when it has joined. Must not: know what it works on.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import AdminClient

from bench.common.measure import ROOT

_LOOK_S = 0.2
_PATIENCE_S = 120
"""Only ends a run that would hang."""


def start_worker(stage: str, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """``postcart worker STAGE``, in words as on the command line, with these settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "postcart", "worker", *stage.split()],
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,  # where templates and what is told are
    )


def joined(bootstrap: str, group: str, count: int) -> None:
    """Wait until the group has so many members, each with partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        told = admin.describe_consumer_groups([group])[group].result(_PATIENCE_S)
        if len(told.members) == count and all(member.assignment.topic_partitions for member in told.members):
            return
        time.sleep(_LOOK_S)
    raise SystemExit(f"{group} did not come to {count} members in {_PATIENCE_S} s")


def cpu_s(process: int) -> float:
    """CPU seconds of a process so far, over all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
