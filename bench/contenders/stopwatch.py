"""The stopwatch of Postcart's contenders.

Owns: what is counted. Must not: know what the stage does.
"""

import json
import os
import resource
import signal
import sys
import time

from postcart.processors.engine.metrics import NoMetrics


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
