"""Contender: Postcart's DETECT as `postcart worker detect` runs it; ends when it has committed all records.

Prints one JSON line: CPU seconds (all threads) and wall seconds from the first batch to the last commit, peak memory.
"""

import json
import os
import resource
import signal
import sys
import time

from postcart.adapters.clock import WallClock
from postcart.processors.engine.app import build_app
from postcart.processors.engine.metrics import NoMetrics
from postcart.processors.engine.worker import run_worker
from postcart.processors.stage_metrics import NoStageMetrics
from postcart.settings import load_settings
from postcart.wiring.stages import detect_spec
from postcart.wiring.workers import engine_settings


class Stopwatch(NoMetrics):
    """Watches the engine from the first batch to the commit of the last."""

    def __init__(self, records: int) -> None:
        self._left = records
        self._begun: tuple[float, float] | None = None

    def consumed(self, topic: str, records: int) -> None:
        """A batch was folded."""
        del topic
        if self._begun is None:
            self._begun = time.process_time(), time.monotonic()
        self._left -= records

    def committed(self, seconds: float, outputs: int, rows: int) -> None:
        """A transaction was committed."""
        del seconds, outputs, rows
        if self._left <= 0 and self._begun is not None:
            cpu, wall = time.process_time() - self._begun[0], time.monotonic() - self._begun[1]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            sys.stdout.write(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": peak}) + "\n")
            sys.stdout.flush()
            self._begun = None
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Run as the environment (POSTCART_*) says; argument: the number of records."""
    settings = load_settings(os.environ, None)
    spec = detect_spec(settings, signal_partitions=settings.partitions, metrics=NoStageMetrics())
    app = build_app(spec, engine_settings(settings), clock=WallClock(), metrics=Stopwatch(int(sys.argv[1])))
    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main())
