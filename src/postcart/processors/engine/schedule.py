"""When a transaction is due.

Owns: that policy. Must not: read a clock, or commit.
"""

from postcart.processors.engine.settings import EngineSettings

_TIMES = 3
"""Tasks have three quarters of the time, whatever a transaction takes."""


class CommitSchedule:
    """Outputs wait a short time, rows and positions a longer one; times are monotonic seconds.

    Tasks stand still while a transaction is written. So that they have most of the time, outputs also wait for three
    times as long as one takes, but no longer than rows: the delay grows with the load instead of the backlog. Of the
    last two the shorter counts: what held up a single one need not hold up what comes after it as well.

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
        self._begun_at = self._committed_at = self._not_before = now_s
        self._took_s = 0.0
        self.behind = False
        """Whether the worker is far behind its inputs."""

    def outputs_wait(self, now_s: float) -> None:
        """Take note that a task has outputs; only the first since the last commit counts."""
        if self._outputs_since is None:
            self._outputs_since = now_s

    def begin(self, now_s: float) -> None:
        """Take note that everything was drained."""
        self._outputs_since = None
        self._begun_at = now_s

    def done(self, now_s: float) -> None:
        """Take note that everything drained is committed."""
        self._committed_at = now_s
        took_s, self._took_s = self._took_s, now_s - self._begun_at
        self._not_before = now_s + min(_TIMES * min(took_s, self._took_s), self._rows_s)

    def due(self, now_s: float) -> bool:
        """Whether to commit now."""
        since = self._outputs_since
        urgent = since is not None and now_s - since >= self._outputs_s and now_s >= self._not_before
        if urgent and not self.behind:
            return True
        return now_s - self._committed_at >= self._rows_s
