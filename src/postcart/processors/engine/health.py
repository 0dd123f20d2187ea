"""Facts for the live and ready endpoints.

Owns: what is known about the worker's health. Must not: serve HTTP.
"""

import time
from dataclasses import dataclass, field

from postcart.adapters.rdkafka.poller import Poller


@dataclass(slots=True)
class Health:
    """Updated by the engine on the event loop; may be read on any thread. Times are monotonic seconds."""

    ticked_at: float = field(default_factory=time.monotonic)
    """When the event loop last came round."""
    polled_at: float = field(default_factory=time.monotonic)
    """When the polling thread last came round."""
    joined: bool = False
    """Whether this worker is a member of the group, with or without partitions."""
    running: int = 0
    restoring: int = 0
    """Tasks that wait for, or are in, their restore."""
    failure: BaseException | None = None

    def watch(self, poller: Poller | None) -> None:
        """Take over what the poller says of itself; before it runs nothing can be late."""
        self.polled_at = time.monotonic()
        if poller is not None and poller.alive:
            self.polled_at, self.joined = poller.polled_at, poller.joined

    def live(self, within_s: float = 10.0) -> bool:
        """Whether loop and polling thread came round lately and nothing has failed."""
        now = time.monotonic()
        return self.failure is None and now - self.ticked_at < within_s and now - self.polled_at < within_s

    def ready(self) -> bool:
        """Whether the worker has joined and restored everything that it owns."""
        return self.failure is None and self.joined and self.restoring == 0
