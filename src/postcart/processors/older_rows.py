"""Rows as earlier versions wrote them, where today's structs can't read them.

Owns: those forms, and the way from each to today's. Must not: be needed for a row that this release wrote.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from postcart.domain.detect.visitor import Session, Visitor
from postcart.domain.detect.waiting import kept
from postcart.events.shop import CartEvents, SessionEvents


class _SessionV1(Session, gc=False, kw_only=True, array_like=False):
    """With the names of fields."""


class _VisitorV1(Visitor, gc=False, kw_only=True, array_like=False):
    """With the names of fields, and whole events waiting."""

    session: _SessionV1 | None = None
    pending: list[SessionEvents | CartEvents] = field(default_factory=list)  # type: ignore[assignment]  # changed since


_decode_v1 = msgspec.msgpack.Decoder(_VisitorV1).decode


def _visitor_of_v1(encoded: memoryview) -> Visitor:
    old = _decode_v1(encoded)
    session = None if old.session is None else Session(**_fields(old.session))
    return Visitor(**{**_fields(old), "session": session, "pending": [kept(event) for event in old.pending]})


def _fields(struct: Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


OLDER_VISITORS: Final[Mapping[int, Callable[[memoryview], Visitor]]] = {1: _visitor_of_v1}
"""DETECT's, by version."""
