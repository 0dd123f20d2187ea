"""What a channel is to its sender: prepare a message, hand it to one of its providers.

Owns: that contract. Must not: know any channel. Another channel is another adapter of this shape and its payload.
"""

from typing import Generic, Protocol, TypeVar

from postcart.adapters.providers import Accepted
from postcart.events.gate import GatePerson
from postcart.events.jobs import Channel, Job

__all__ = ["Accepted", "ChannelAdapter"]

M = TypeVar("M")


class ChannelAdapter(Protocol, Generic[M]):
    """Renders and sends on one channel. ``M`` is its prepared message."""

    @property
    def channel(self) -> Channel:
        """Which channel."""
        ...

    @property
    def provider(self) -> str:
        """Name for receipts of jobs that no provider was asked about; of the only one, if there is only one."""
        ...

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> M:
        """Open the contact point and render. Runs on a worker thread; touches no network.

        Raises:
            RenderError: The template failed on this job.
            RecipientRejected: The contact point is not valid.
        """
        ...

    async def send(self, message: M, provider: str) -> Accepted:
        """Hand the message to the provider of that name.

        Raises:
            DeliveryError: It was not taken; the class says what follows (see ``postcart.errors``).
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
