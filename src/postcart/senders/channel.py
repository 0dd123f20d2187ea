"""Whether the channel works: open, or paused with one probe at a time.

Owns: that state and its times. Must not: know what a probe is, read a clock, or do I/O. Circuit steps that the
delivery rules add later (ramp after recovery, several providers) belong here.
"""

from typing import Literal

from postcart.senders.backoff import probe_backoff_s

State = Literal["open", "paused", "probing"]


class ChannelHealth:
    """Counts failures of the whole channel in a row.

    Args:
        threshold: Failures in a row that pause the channel. Refused credentials pause it at once.
        first_probe_s: Pause before the first probe; it doubles with each that fails.
        most_probe_s: Longest pause between probes.
    """

    def __init__(self, *, threshold: int = 5, first_probe_s: float = 1.0, most_probe_s: float = 60.0) -> None:
        self._threshold = threshold
        self._first_s = first_probe_s
        self._most_s = most_probe_s
        self._failures = 0
        self._probes = 0
        self._probe_at = 0.0
        self.state: State = "open"

    def allowance(self, now: float) -> int | None:
        """How many jobs may be claimed now: ``None`` without bound, 1 for a probe that is due, else 0.

        Args:
            now: Any clock that only goes forward, in seconds; the same for all calls.
        """
        if self.state == "open":
            return None
        return 1 if self.state == "paused" and now >= self._probe_at else 0

    def probing(self) -> None:
        """The probe was claimed."""
        if self.state == "paused":
            self.state = "probing"

    def given_up(self) -> None:
        """The probe came to no answer (its partition went elsewhere, it was not sent): another may be sent at once."""
        if self.state == "probing":
            self.state = "paused"

    def works(self) -> bool:
        """The provider gave an answer about a job, whichever. True if that ended a pause."""
        ended = self.state != "open"
        self.state, self._failures, self._probes = "open", 0, 0
        return ended

    def failed(self, now: float, *, at_once: bool = False) -> bool:
        """The channel did not work. True if that began a pause.

        Failures of sends that were under way when the pause began change nothing.
        """
        if self.state == "paused":
            return False
        self._failures += 1
        if self.state == "open" and self._failures < self._threshold and not at_once:
            return False
        began = self.state == "open"
        self.state = "paused"
        self._probes += 1
        self._probe_at = now + probe_backoff_s(self._probes, first_s=self._first_s, most_s=self._most_s)
        return began

    def wake_at(self) -> float | None:
        """When a probe is due, while paused."""
        return self._probe_at if self.state == "paused" else None
