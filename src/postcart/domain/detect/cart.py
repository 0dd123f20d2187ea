"""The visitor's cart: the resulting quantity per variant, the latest change wins.

Owns: how cart events change lines, in order or late. Must not: know sessions or persons.
"""

from collections.abc import Callable, Iterable
from typing import Any

from postcart.domain.detect.visitor import Visitor
from postcart.domain.detect.waiting import CartCleared, CartSnapshot, LineRemoved, LineSet, Waiting
from postcart.events.shop import CartLine
from postcart.events.signals import LineState


def apply(visitor: Visitor, event: Waiting, at_ms: int, *, behind: bool) -> None:
    """Change the lines as ``event`` says; events that are no cart events change nothing.

    Events ``behind`` others already folded count by their time: they lose against newer changes of the variant and
    against the cart's floor.
    Every change is added to ``visitor.unsent`` if the person is known. Idempotent.
    """
    change = _CHANGES.get(type(event))
    if change is not None:
        change(visitor, event, at_ms, behind)


def empty(visitor: Visitor, at_ms: int, sequence: int) -> None:
    """Forget the cart without a trace: what came up to now is nobody's (logout, other login)."""
    visitor.lines = {}
    visitor.unsent = []
    _raise_floor(visitor, at_ms, sequence)


def filled(visitor: Visitor) -> tuple[LineState, ...]:
    """The lines that are in the cart, by variant id."""
    lines = visitor.lines
    return tuple([lines[variant] for variant in sorted(lines) if lines[variant].quantity])


def _raise_floor(visitor: Visitor, at_ms: int, sequence: int) -> None:
    visitor.floor_ms, visitor.floor_seq = max((visitor.floor_ms, visitor.floor_seq), (at_ms, sequence))


def _outdated(visitor: Visitor, variant: str, at_ms: int, sequence: int) -> bool:
    """Whether a late change of ``variant`` comes behind a newer one or behind the floor."""
    if (at_ms, sequence) <= (visitor.floor_ms, visitor.floor_seq):
        return True
    known = visitor.lines.get(variant)
    return known is not None and (at_ms, sequence) <= (known.changed_ms, known.sequence)


def _set(visitor: Visitor, line: CartLine | LineSet, *, at_ms: int, sequence: int, late: bool) -> None:
    variant = line.variant_id
    if late and _outdated(visitor, variant, at_ms, sequence):
        return
    known = visitor.lines.get(variant)
    _changed(
        visitor,
        LineState(
            variant_id=variant,
            quantity=line.quantity,
            changed_ms=at_ms,
            sequence=sequence,
            unit_price=line.unit_price,
            currency=line.currency,
            product=line.product or (known.product if known and known.quantity else None),
        ),
    )


def _changed(visitor: Visitor, line: LineState) -> None:
    visitor.lines[line.variant_id] = line
    if visitor.person_id is not None:
        visitor.unsent.append(line)


def _remove(visitor: Visitor, variants: Iterable[str], *, at_ms: int, sequence: int, late: bool) -> None:
    for variant in variants:
        if late and _outdated(visitor, variant, at_ms, sequence):
            continue
        _changed(visitor, LineState(variant_id=variant, quantity=0, changed_ms=at_ms, sequence=sequence))


def _named(visitor: Visitor, event: LineSet, at_ms: int, late: bool) -> None:  # noqa: FBT001 -- as _CHANGES calls
    _set(visitor, event, at_ms=at_ms, sequence=event.sequence, late=late)


def _removed(visitor: Visitor, event: LineRemoved, at_ms: int, late: bool) -> None:  # noqa: FBT001
    _remove(visitor, (event.variant_id,), at_ms=at_ms, sequence=event.sequence, late=late)


def _snapshot(visitor: Visitor, event: CartSnapshot, at_ms: int, late: bool) -> None:  # noqa: FBT001
    named = {line.variant_id for line in event.lines if line.quantity}
    gone = [variant for variant, line in visitor.lines.items() if line.quantity and variant not in named]
    _remove(visitor, gone, at_ms=at_ms, sequence=event.sequence, late=late)
    for line in event.lines:
        _set(visitor, line, at_ms=at_ms, sequence=event.sequence, late=late)
    _raise_floor(visitor, at_ms, event.sequence)


def _cleared(visitor: Visitor, event: CartCleared, at_ms: int, late: bool) -> None:  # noqa: FBT001
    gone = [variant for variant, line in visitor.lines.items() if line.quantity]
    _remove(visitor, gone, at_ms=at_ms, sequence=event.sequence, late=late)
    _raise_floor(visitor, at_ms, event.sequence)


_CHANGES: dict[type[Waiting], Callable[[Visitor, Any, int, bool], None]] = {
    LineSet: _named,
    LineRemoved: _removed,
    CartSnapshot: _snapshot,
    CartCleared: _cleared,
}
