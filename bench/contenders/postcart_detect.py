"""Contender: Postcart's DETECT as `postcart worker detect` runs it; ends when it has committed all records.

Prints one JSON line: CPU seconds (all threads) and wall seconds from the first batch to the last commit, peak memory.
"""

import os
import sys

from bench.contenders.stopwatch import Stopwatch
from postcart.adapters.clock import WallClock
from postcart.processors.engine.app import build_app
from postcart.processors.engine.worker import run_worker
from postcart.processors.stage_metrics import NoStageMetrics
from postcart.settings import load_settings
from postcart.wiring.stages import detect_spec
from postcart.wiring.workers import engine_settings


def main() -> int:
    """Run as the environment (POSTCART_*) says; argument: the number of records."""
    settings = load_settings(os.environ, None)
    spec = detect_spec(settings, signal_partitions=settings.partitions, metrics=NoStageMetrics())
    stopwatch = Stopwatch(int(sys.argv[1]), until_quiet=True)
    app = build_app(spec, engine_settings(settings), clock=WallClock(), metrics=stopwatch)
    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main())
