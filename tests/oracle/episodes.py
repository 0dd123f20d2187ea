"""What a person's journey is made of: episodes and their steps."""

from dataclasses import dataclass, field

from oracle.campaign import FORGET_AFTER


@dataclass
class Step:
    """A step that is planned and neither due nor cancelled yet. ``at`` is when it is looked at next."""

    number: int
    planned: int
    not_after: int
    at: int


@dataclass
class Episode:
    """An open episode. ``armed`` is None while it is not armed."""

    id: str
    opened: int
    offsets: list[int]
    armed: int | None = None
    sent: set[int] = field(default_factory=set)
    pending: list[Step] = field(default_factory=list)

    @property
    def expires(self) -> int:
        """When it expires."""
        return self.opened + FORGET_AFTER
