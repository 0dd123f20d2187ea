"""DETECT from its start until all its rows are restored; prints one JSON line and ends.

Configured by the environment (POSTCART_*); argument: how many partitions have to be restored.
"""

import json
import os
import sys
import time
from pathlib import Path

from postcart.adapters.clock import WallClock
from postcart.processors.engine.app import build_app
from postcart.processors.engine.metrics import NoMetrics
from postcart.processors.engine.worker import run_worker
from postcart.processors.stage_metrics import NoStageMetrics
from postcart.settings import load_settings
from postcart.wiring.stages import detect_spec
from postcart.wiring.workers import engine_settings


class Watch(NoMetrics):
    """From the first word of a restore to the last partition's."""

    def __init__(self, partitions: int) -> None:
        self._left = partitions
        self._rows = 0
        self._begun: tuple[float, float] | None = None

    def restoring(self, partition: int, done: int, total: int) -> None:
        """A position of the changelog was reached."""
        del partition, done, total
        self._begun = self._begun or (time.process_time(), time.monotonic())

    def restored(self, partition: int, rows: int, seconds: float) -> None:
        """A task runs."""
        del partition, seconds
        self._rows += rows
        self._left -= 1
        if self._left or self._begun is None:
            return
        cpu, wall = time.process_time() - self._begun[0], time.monotonic() - self._begun[1]
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        resident = int(status["VmRSS"].split()[0]) * 1024
        print(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": resident}), flush=True)
        os._exit(0)


def main() -> int:
    """Run."""
    settings = load_settings(os.environ, None)
    spec = detect_spec(settings, signal_partitions=settings.partitions, metrics=NoStageMetrics())
    watch = Watch(int(sys.argv[1]))
    return run_worker(build_app(spec, engine_settings(settings), clock=WallClock(), metrics=watch))


if __name__ == "__main__":
    sys.exit(main())
