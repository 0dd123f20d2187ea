"""What a channel is to its sender: prepare a message, hand it to a provider.

Owns: that contract. Must not: know any channel. Another channel is another adapter of this shape and its payload.
"""

from typing import Generic, NamedTuple, Protocol, TypeVar

from postcart.events.jobs import Channel, GatePerson, Job

M = TypeVar("M")


class Accepted(NamedTuple):
    """A provider took the message."""

    status: str
    """The provider's code, for example ``250``."""
    detail: str = ""
    """Its text, without addresses."""


class ChannelAdapter(Protocol, Generic[M]):
    """Renders and sends on one channel. ``M`` is its prepared message."""

    @property
    def channel(self) -> Channel:
        """Which channel."""
        ...

    @property
    def provider(self) -> str:
        """Name of the provider, for receipts and metrics; from a closed set."""
        ...

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> M:
        """Open the contact point and render. Runs on a worker thread; touches no network.

        Raises:
            RenderError: The template failed on this job.
            RecipientRejected: The contact point is not valid.
        """
        ...

    async def send(self, message: M) -> Accepted:
        """Hand the message to the provider.

        Raises:
            DeliveryError: It was not taken; the class says what follows (see ``postcart.errors``).
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
