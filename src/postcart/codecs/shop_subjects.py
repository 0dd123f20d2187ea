"""What each topic of the shop holds: its events, its key, and how these look as Avro values.

Owns: the table of the shop's subjects, and the way between an event and its Avro value. Must not: know bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from postcart.events.event import moment_ms
from postcart.events.shipments import ShipmentEvents
from postcart.events.shop import (
    CartEvents,
    OrderEvents,
    ProfileUpdated,
    PushSubscription,
    SessionEvents,
    ShopEvent,
    VariantUpdated,
    time_ms,
)

Subject = Literal["shop.sessions", "shop.carts", "shop.orders", "shop.profiles", "shop.catalog", "shop.shipments"]


@dataclass(frozen=True, slots=True)
class SubjectSpec:
    """One topic's contract.

    Attributes:
        events: Union of the structs, as msgspec takes it.
        key_field: The field, or property, whose text is the record's key.
        compacted: Whether a record without value is a tombstone, and no mistake.
    """

    events: Any
    key_field: Literal["visitor_id", "person_id", "variant_id", "parcel_key"]
    compacted: bool = False


SUBJECTS: Final[Mapping[Subject, SubjectSpec]] = {
    "shop.sessions": SubjectSpec(SessionEvents, "visitor_id"),
    "shop.carts": SubjectSpec(CartEvents, "visitor_id"),
    "shop.orders": SubjectSpec(OrderEvents, "person_id"),
    "shop.profiles": SubjectSpec(ProfileUpdated, "person_id", compacted=True),
    "shop.catalog": SubjectSpec(VariantUpdated, "variant_id", compacted=True),
    "shop.shipments": SubjectSpec(ShipmentEvents, "parcel_key"),
}


def _structs(spec: SubjectSpec) -> tuple[type[msgspec.Struct], ...]:
    return getattr(spec.events, "__args__", (spec.events,))


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


SUBJECT_OF: Final[Mapping[type, Subject]] = {
    struct: subject for subject, spec in SUBJECTS.items() for struct in _structs(spec)
}
"""Event class → the subject on which it travels."""

# Avro names a kind by its record, CheckoutStep for the tag checkout_step; a writer's schema may spell either.
_STRUCTS: Final = {
    subject: {
        spelling: struct for struct in _structs(spec) for spelling in (_tag(struct), _tag(struct).replace("_", ""))
    }
    for subject, spec in SUBJECTS.items()
}
_ONLY: Final = {subject: next(iter(structs.values())) for subject, structs in _STRUCTS.items() if len(structs) == 1}
"""Of subjects with one kind of event a record's name need not say it."""
_RECORDS: Final = {
    _tag(struct): "".join(part.capitalize() for part in _tag(struct).split("_")) for struct in SUBJECT_OF
}
_NAMESPACE: Final = "postcart.shop"
_COMMON: Final = frozenset(
    {"id", "time", "sequence", "visitor_id", "session_id", "device", "person_id", "order_id", "type"}
)
_COMMON_OF_PARCELS: Final = frozenset({"id", "time", "sequence", "carrier", "tracking_number", "type"})
_MOMENTS: Final = ("ordered_at", "ready_at", "promised_at", "estimated_at", "until")


def key_of(event: ShopEvent) -> str:
    """The text of the key under which this event travels."""
    return str(getattr(event, SUBJECTS[SUBJECT_OF[type(event)]].key_field))


def avro_events(subject: Subject) -> Callable[[Any, str | None], ShopEvent]:
    """What makes an event of a value as fastavro reads it, whichever way its writer's schema names the kind.

    Kinds are read from ``kind``, a union of records beside the common fields (the released schemas), from a union of
    records at the top, from a field ``type``, or from the second argument, the name of the record as a whole. What
    is returned raises ``ValueError`` for a value that is no event of this subject.
    """
    structs, only = _STRUCTS[subject], _ONLY.get(subject)
    named: dict[str | None, Any] = {}  # the names in writers' schemas, whole
    convert: Callable[[Any, Any], Any] = msgspec.convert

    def event_of(value: Any, name: str | None) -> ShopEvent:
        if type(value) is tuple:
            name, value = value
        if type(value) is not dict:
            raise ValueError("the value is no record")
        fields: dict[str, Any] = value
        kind = fields.pop("kind", None)
        if type(kind) is tuple:
            name, detail = kind
            fields.update(detail)
        tag = fields.pop("type", None)
        struct = structs.get(tag) if tag else named.get(name)
        if struct is None:
            struct = structs.get(tag or _record(name)) or only
            if struct is None:
                raise ValueError(f"{name or 'a record without a kind'} is no event of {subject}")
            if not tag:
                named[name] = struct
        # Of one struct msgspec remembers the fields; a union it would take apart again for every record.
        event: ShopEvent = convert(fields, struct)
        return event

    return event_of


def to_avro(event: ShopEvent) -> dict[str, Any]:
    """The event as a value of its subject's released schema; parts of a millisecond are cut off."""
    value: dict[str, Any] = msgspec.to_builtins(event)
    value["time"] = time_ms(event)
    tag = value.pop("type")
    if isinstance(event, ProfileUpdated):
        value["push"] = [_subscription(one) for one in event.push]
    if SUBJECT_OF[type(event)] in _ONLY:
        return value
    value.update({key: moment_ms(getattr(event, key)) for key in _MOMENTS if value.get(key) is not None})
    if isinstance(event, ShipmentEvents):
        common = {key: value.pop(key) for key in value.keys() & _COMMON_OF_PARCELS}
    else:
        common = {
            key: value.pop(key) for key in value.keys() & _COMMON if not (key == "person_id" and tag == "identified")
        }
    common["kind"] = (f"{_NAMESPACE}.{_RECORDS[tag]}", value)
    return common


def _subscription(one: PushSubscription) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(one)
    return value if one.since is None else {**value, "since": moment_ms(one.since)}


def _record(name: str | None) -> str:
    return name.rsplit(".", 1)[-1].replace("_", "").lower() if name else ""
