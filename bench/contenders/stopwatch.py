"""The stopwatch of Postcart's contenders.

Owns: what is counted. Must not: know what the stage does.
"""

import json
import os
import signal
import sys
import time

from bench.common.memory import peak_bytes
from postcart.processors.engine.metrics import NoMetrics


class Stopwatch(NoMetrics):
    """Watches the engine from the first batch to the commit of the last.

    Args:
        records: How many there are.
        until_quiet: Stop at the last commit that has rows instead, as all that the last record's time makes due is not
            decided at once. For stages that go on telling their clock: a commit without rows shows that it is over.
    """

    def __init__(self, records: int, *, until_quiet: bool = False) -> None:
        self._left = records
        self._until_quiet = until_quiet
        self._begun: tuple[float, float] | None = None
        self._took: tuple[float, float] | None = None

    def consumed(self, topic: str, records: int) -> None:
        """A batch was folded."""
        del topic
        if self._begun is None:
            self._begun = time.process_time(), time.monotonic()
        self._left -= records

    def committed(self, seconds: float, outputs: int, rows: int) -> None:
        """A transaction was committed."""
        del seconds, outputs
        if self._left > 0 or self._begun is None:
            return
        if rows or self._took is None:
            self._took = time.process_time() - self._begun[0], time.monotonic() - self._begun[1]
        if not rows or not self._until_quiet:
            self._tell(*self._took)

    def _tell(self, cpu: float, wall: float) -> None:
        sys.stdout.write(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": peak_bytes()}) + "\n")
        sys.stdout.flush()
        self._begun = None
        os.kill(os.getpid(), signal.SIGTERM)
