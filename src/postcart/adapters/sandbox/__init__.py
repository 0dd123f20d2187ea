"""Providers for trials and tests: they speak the real ones' protocols, check what they are sent, and deliver nothing.

Owns: what each of them keeps and how it complains. Must not: be used where anything is to arrive anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request.

    Attributes:
        faults: What is wrong with it, in words; none if all that was looked at holds.
        shown: What to print of it, by name.
    """

    server: str
    accepted: bool
    faults: tuple[str, ...] = ()
    shown: dict[str, str] = field(default_factory=dict)


Tell = Callable[[Arrival], None]


def unheard(_: Arrival) -> None:
    """Print nothing."""
