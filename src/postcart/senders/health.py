"""Facts for the live and ready endpoints.

Owns: what is known about a sender's health. Must not: serve HTTP.
"""

from dataclasses import dataclass, field

from postcart.senders.elapsed import elapsed_s

_WITHIN_S = 10.0


@dataclass(slots=True)
class SenderHealth:
    """Updated on the event loop twice a second; may be read on any thread. Times are on the elapsed-time clock."""

    ticked_s: float = field(default_factory=elapsed_s)
    """When the event loop last came round."""
    polled_s: float = field(default_factory=elapsed_s)
    """When the polling thread last came round. It stands still while partitions are given up."""
    ready_now: bool = False
    """Joined the group, and everything owned is restored."""
    failed: bool = False

    def live(self) -> bool:
        """Whether the loop turns and nothing has failed. A broker outage changes nothing."""
        return not self.failed and elapsed_s() - self.ticked_s < _WITHIN_S

    def ready(self) -> bool:
        """Whether the sender works on all that it owns."""
        return self.ready_now and self.live()
