"""Providers of channels: one module each, which takes a prepared message and says what became of it.

Owns: what all of them answer. Must not: know jobs, or decide what follows from an answer.

Each offers ``async send(payload) -> Accepted`` and ``async close()``, and raises the errors of ``postcart.errors``.
Where an answer is about the recipient, its ``status`` also names the enhanced code of RFC 3463 that means the same,
beside the provider's own: 5.1.1 no such recipient, 5.1.6 moved away, 5.2.1 takes nothing any more; 5.7.x is about us.
JOURNEY suppresses contact points by these.
"""

from typing import NamedTuple, Protocol, TypeVar


class Accepted(NamedTuple):
    """A provider took the message."""

    status: str
    """The provider's code, for example ``250``."""
    detail: str = ""
    """Its text, without addresses."""
    contact_id: str | None = None
    """Opaque id of the contact point that was reached, where a recipient has several."""
    gone: tuple[str, ...] = ()
    """Opaque ids of those that a provider knows no more."""


P_contra = TypeVar("P_contra", contravariant=True)


class Provider(Protocol[P_contra]):
    """Takes messages of one form."""

    async def send(self, message: P_contra) -> Accepted:
        """Hand over one message.

        Raises:
            DeliveryError: It was not taken, or that is not known; the class says which.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
