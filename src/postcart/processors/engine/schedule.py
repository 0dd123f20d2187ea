"""When a transaction is due.

Owns: that policy. Must not: read a clock, or commit.
"""

from postcart.processors.engine.settings import EngineSettings


class CommitSchedule:
    """Outputs wait a short time, rows and positions a longer one; times are monotonic seconds.

    A worker that is far behind its inputs commits no more often for outputs: they are late anyway, and each
    transaction encodes anew every row that was touched since the last, so that catching up would take the longer.

    Args:
        settings: Has both intervals.
        now_s: From when the longer one counts.
    """

    def __init__(self, settings: EngineSettings, now_s: float) -> None:
        self._outputs_s = settings.commit_outputs_ms / 1000
        self._rows_s = settings.commit_rows_ms / 1000
        self._outputs_since: float | None = None
        self._committed_at = now_s
        self.behind = False
        """Whether the worker is far behind its inputs."""

    def outputs_wait(self, now_s: float) -> None:
        """Take note that a task has outputs; only the first since the last commit counts."""
        if self._outputs_since is None:
            self._outputs_since = now_s

    def begin(self) -> None:
        """Take note that everything was drained."""
        self._outputs_since = None

    def done(self, now_s: float) -> None:
        """Take note that everything drained is committed."""
        self._committed_at = now_s

    def due(self, now_s: float) -> bool:
        """Whether to commit now."""
        if not self.behind and self._outputs_since is not None and now_s - self._outputs_since >= self._outputs_s:
            return True
        return now_s - self._committed_at >= self._rows_s
