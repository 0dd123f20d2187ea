"""What the polling thread tells the stage.

Owns: that contract. Must not: decide anything.
"""

from dataclasses import dataclass
from typing import Any, Protocol

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Membership:
    """The group's metadata, and what this member owned at that very moment."""

    metadata: Any
    owned: frozenset[TopicPartition]


class Listener(Protocol):
    """Receives changes of ownership, on the event loop."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These are owned from now on; they stay paused until ``Poller.start_at`` is called for them."""
        ...

    async def revoking(self, partitions: frozenset[TopicPartition]) -> None:
        """These are still owned, and given up when this returns: commit what is open, then let go of them.

        The polling thread waits for it and serves its other callers meanwhile.
        """
        ...

    async def lost(self, partitions: frozenset[TopicPartition]) -> None:
        """These are owned by another member already: nothing of theirs can be committed any more."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take note that the polling thread has ended by an error; may be called on any thread."""
        ...
