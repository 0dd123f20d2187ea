"""Whether the channel works: a circuit with one probe at a time, and a ramp after recovery.

Owns: that state and its times. Must not: know what a probe is, read a clock, or do I/O. Several providers of a channel,
once there are, have one each.
"""

from typing import Literal

from postcart.senders.backoff import probe_backoff_s

State = Literal["open", "paused", "probing", "ramping"]


class ChannelHealth:
    """Counts failures of the whole channel in a row.

    ``open`` while it works; ``paused`` after ``threshold`` failures in a row or refused credentials; ``probing`` while
    one message tries whether it works again; ``ramping`` once that was answered: 2 in flight, then 4, 8 and so on, each
    time after as many answers, until the full number is reached. A failure meanwhile pauses it again.

    Args:
        threshold: Failures in a row that pause the channel. Refused credentials pause it at once.
        first_probe_s: Pause before the first probe; it doubles with each that fails.
        most_probe_s: Longest pause between probes.
        in_flight: Most messages in flight at once: where the ramp ends.
    """

    def __init__(
        self, *, threshold: int = 5, first_probe_s: float = 60.0, most_probe_s: float = 60.0, in_flight: int = 32
    ) -> None:
        self._threshold = threshold
        self._first_s = first_probe_s
        self._most_s = most_probe_s
        self._in_flight = in_flight
        self._failures = 0
        self._probes = 0
        self._probe_at = 0.0
        self._window = 0
        self._answers = 0
        self.state: State = "open"

    def allowance(self, now: float, *, in_flight: int = 0) -> int | None:
        """How many more jobs may be claimed now: ``None`` without bound, 1 for a probe that is due.

        Args:
            now: Any clock that only goes forward, in seconds; the same for all calls.
            in_flight: Claimed and not finished.
        """
        if self.state == "open":
            return None
        if self.state == "ramping":
            return max(0, self._window - in_flight)
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
        """The provider gave an answer about a job, whichever. True if that ended a pause.

        Answers to what was under way when the pause began change nothing: the probe decides.
        """
        if self.state == "open":
            self._failures = 0
        elif self.state == "probing":
            self.state, self._window, self._answers, self._failures = "ramping", 2, 0, 0
            self._end_ramp()
            return True
        elif self.state == "ramping":
            self._answers += 1
            if self._answers >= self._window:
                self._window, self._answers = 2 * self._window, 0
                self._end_ramp()
        return False

    def failed(self, now: float, *, at_once: bool = False) -> bool:
        """The channel did not work. True if that began a pause.

        Failures of sends that were under way when the pause began change nothing.
        """
        if self.state == "paused":
            return False
        self._failures += 1
        if self.state == "open" and self._failures < self._threshold and not at_once:
            return False
        began = self.state != "probing"
        self.state = "paused"
        self._probes += 1
        self._probe_at = now + probe_backoff_s(self._probes, first_s=self._first_s, most_s=self._most_s)
        return began

    def wake_at(self) -> float | None:
        """When a probe is due, while paused."""
        return self._probe_at if self.state == "paused" else None

    def _end_ramp(self) -> None:
        if self._window >= self._in_flight:
            self.state, self._probes = "open", 0
