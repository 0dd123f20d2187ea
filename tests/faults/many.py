"""Many runs, several at a time: each in a process of its own, on a shared broker where its row does no harm to it.

Owns: which runs go together, and their processes. Must not: know what a row does, or judge.

A run spends most of its time waiting, for sessions of the dead to end for example: two of them need hardly more time
than one. What measures how long something takes has the machine to itself.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from faults.matrix import BY_NAME
from postcart.adapters.local_kafka import LocalKafka

ROOT = Path(__file__).parents[2]
_LOOK_S = 0.2

Wanted = tuple[str, int]
"""A row and a seed."""


def run_many(
    wanted: Sequence[Wanted], *, at_a_time: int, options: Sequence[str], shared: str | None, cache: Path
) -> int:
    """Run all of these; how many were not good. Each prints its result as it ends.

    Args:
        wanted: In the order in which they begin, as far as they go together.
        at_a_time: So many processes.
        options: Of the command, for each of them.
        shared: Addresses of the shared broker; None starts one.
        cache: Where Kafka's programs are.
    """
    waiting, running, bad = list(wanted), dict[str, subprocess.Popen[bytes]](), 0
    with ExitStack() as stack:
        if shared is None:
            shared = stack.enter_context(LocalKafka(cache, measured=True, start_timeout_s=300.0)).bootstrap
        stack.callback(lambda: [process.terminate() for process in running.values()])
        while waiting or running:
            for name in [name for name, process in running.items() if process.poll() is not None]:
                bad += running.pop(name).returncode != 0
            while len(running) < at_a_time and (chosen := choose(waiting, set(running))) is not None:
                waiting.remove(chosen)
                running[chosen[0]] = _start(chosen, [*options, "--bootstrap", shared])
            time.sleep(_LOOK_S)
    return bad


def choose(waiting: Sequence[Wanted], running: set[str]) -> Wanted | None:
    """What may begin beside these rows: never the same row twice, and what must be alone alone."""
    if any(BY_NAME[name].alone for name in running):
        return None
    for name, seed in waiting:
        if name not in running and not (running and BY_NAME[name].alone):
            return name, seed
    return None


def _start(wanted: Wanted, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    name, seed = wanted
    command = [sys.executable, "-m", "tests.faults", name, "--seed", str(seed), "--no-table", *options]
    return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ))  # noqa: S603, TID251 -- this program again
