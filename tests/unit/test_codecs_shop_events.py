"""Three framings say the same, and so do a shop's own schemas."""

import json
import struct
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcart.codecs.avro_schemas import AvroSchema, avro_schema, released_schemas
from postcart.codecs.framing import single_object, wire_format
from postcart.codecs.rees46 import read_rees46
from postcart.codecs.sanity import SENTINEL_KEYS, is_sentinel
from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.codecs.shop_subjects import SUBJECT_OF, SUBJECTS, key_of, to_avro
from postcart.errors import RegistryUnavailable
from postcart.events.event import moment_ms
from postcart.events.shipments import ParcelLine, ParcelRegistered, Place, normalised
from postcart.events.shop import CartLine, Consent, Product, ProfileUpdated, PushSubscription, VariantUpdated, time_ms
from shop_records import DECODERS, JSON, KEY, SESSIONS, STARTED, message, reason

REAL = Path(__file__).parents[1] / "fixtures" / "rees46" / "data_2022_oct.csv"


def in_ms(event: Any) -> Any:
    """Framings differ in how they write the time: text or number, but the same moment."""
    times = {
        name: moment_ms(getattr(event, name))
        for name in ("ordered_at", "ready_at", "promised_at", "estimated_at", "until")
        if getattr(event, name, None) is not None
    }
    if isinstance(event, ProfileUpdated):
        times["push"] = tuple(
            one if one.since is None else msgspec.structs.replace(one, since=moment_ms(one.since)) for one in event.push
        )
    return msgspec.structs.replace(event, time=time_ms(event), **times)


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
optional = st.none() | st.text(st.characters(codec="utf-8"), max_size=20)
amounts = st.decimals(min_value=0, max_value=10**6, places=2)
currencies = st.none() | st.sampled_from(["USD", "EUR"])
products = st.none() | st.builds(
    Product, title=optional, category=optional, picture_url=optional, page_url=optional, options=optional
)
lines = st.builds(
    CartLine,
    variant_id=names,
    quantity=st.integers(0, 1_000_000),
    unit_price=amounts,
    currency=currencies,
    product=products,
)
FIRST = datetime(1971, 1, 1)  # noqa: DTZ001 -- hypothesis asks for a naive bound
moments = st.integers(0, 7_258_118_399_999) | st.datetimes(timezones=st.timezones(), min_value=FIRST).filter(
    lambda moment: 1970 < moment.year < 2199
)
places = st.none() | st.builds(Place, country=st.sampled_from([None, "BR", "US"]), region=optional, site=optional)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": names,
    "time": moments,
    "sequence": st.integers(-(2**63), 2**63 - 1),
    "visitor_id": names.filter(lambda name: name.strip().lower() not in SENTINEL_KEYS),
    "person_id": names.filter(lambda name: name.strip().lower() not in SENTINEL_KEYS),
    "session_id": optional,
    "device": optional,
    "variant_id": names.filter(lambda name: name.strip().lower() not in SENTINEL_KEYS),
    "order_id": names,
    "category": optional,
    "unit_price": st.none() | amounts,
    "total": st.none() | amounts,
    "amount": st.none() | amounts,
    "currency": currencies,
    "stock": st.none() | st.integers(0, 1_000_000),
    "product": products,
    "line": lines,
    "lines": st.lists(lines, max_size=3).map(tuple),
    "code": names,
    "step": optional,
    "carrier": st.sampled_from(["ups", "dhl-express", "correios"]),
    "tracking_number": st.from_regex(r"[0-9A-Za-z][0-9A-Za-z -]{4,20}", fullmatch=True).filter(
        lambda number: not is_sentinel(normalised(number))
    ),
    "vocabulary": st.none() | st.sampled_from(["easypost", "aftership"]),
    "number": st.none() | st.integers(0, 9),
    "count": st.none() | st.integers(0, 9),
    "origin": places,
    "destination": places,
    "place": places,
    "ordered_at": st.none() | moments,
    "ready_at": st.none() | moments,
    "promised_at": st.none() | moments,
    "estimated_at": moments,
    "until": st.none() | moments,
    "freight": st.none() | amounts,
    "source": st.sampled_from([None, "pushed", "polled"]),
    "country": st.none() | st.sampled_from(["DE", "US"]),
    "tags": st.lists(names, max_size=3).map(tuple),
    "channels": st.lists(st.sampled_from(["email", "sms", "push"]), max_size=3).map(tuple),
    "push": st.lists(
        st.builds(
            PushSubscription,
            kind=st.sampled_from(["web", "fcm", "apns"]),
            token=names,
            p256dh=optional,
            auth=optional,
            app=optional,
            since=st.none() | moments,
        ),
        max_size=3,
    ).map(tuple),
    "consents": st.lists(
        st.builds(
            Consent,
            channel=st.sampled_from(["email", "sms", "push", "inapp", "webhook"]),
            purpose=st.sampled_from(["marketing", "transactional"]),
            given=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
}


def strategy(kind: type) -> st.SearchStrategy[Any]:
    fields = {
        field.name: st.sampled_from(get_args(field.type))
        if field.name == "reason"
        else FIELDS.get(field.name, optional)
        for field in msgspec.structs.fields(kind)
    }
    if kind is ParcelRegistered:
        fields["lines"] = st.lists(st.builds(ParcelLine, variant_id=names, title=optional), max_size=3).map(tuple)
    if kind is VariantUpdated:
        fields["unit_price"] = amounts  # of a view it may be absent
    return st.builds(kind, **fields)


any_event = st.one_of([strategy(kind) for kind in SUBJECT_OF])


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(any_event)
def test_framings_are_equal(event: Any) -> None:
    """Whatever an event holds, JSON, wire format and single-object encoding give back the same event and key."""
    subject = SUBJECT_OF[type(event)]
    for framing in ("json", "single_object", "wire"):
        to, key, value = ShopEventEncoder(framing, schema_id=77).encode(event)
        assert (to, key) == (subject, key_of(event).encode())
        (read,), letters = DECODERS[subject].decode_batch([message(key, value)])
        assert not letters
        assert in_ms(read) == in_ms(event)
        assert in_ms(DECODERS[subject].decode(key, value)) == in_ms(event)


def test_real_data_in_every_framing() -> None:
    """A thousand real rows, mixed framings in one batch, come out in order."""
    events = list(read_rees46([REAL], tenant=UUID(int=1), identity_key=b"k"))
    encoders = [ShopEventEncoder("json"), ShopEventEncoder("single_object"), ShopEventEncoder("wire")]
    for subject in SUBJECTS:
        mine = [event for event in events if SUBJECT_OF[type(event)] == subject]
        records = [encoders[n % 3].encode(event) for n, event in enumerate(mine)]
        read, letters = DECODERS[subject].decode_batch([message(key, value) for _, key, value in records])
        assert not letters
        assert [in_ms(event) for event in read] == [in_ms(event) for event in mine]


def test_blanks_before_json() -> None:
    """Some producers indent their JSON."""
    assert SESSIONS.decode(KEY, b"\n  " + JSON) == STARTED


class Registry:
    """A registry with these schemas; id 13 finds it out of order."""

    def __init__(self, schemas: dict[int, AvroSchema]) -> None:
        self.schemas = schemas

    def schema(self, schema_id: int) -> AvroSchema | None:
        """As the port says."""
        if schema_id == 13:
            raise RegistryUnavailable("not now")
        return self.schemas.get(schema_id)


def record(*fields: dict[str, Any], name: str = "Anything") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


TIME = {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}}
MICROS = {"name": "time", "type": {"type": "long", "logicalType": "timestamp-micros"}}
ID = {"name": "id", "type": "string"}
VISITOR = {"name": "visitor_id", "type": "string"}
PRICE = {"name": "unit_price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}
LINE = {
    "name": "line",
    "type": record({"name": "variant_id", "type": "string"}, {"name": "quantity", "type": "int"}, PRICE, name="L"),
}


@pytest.mark.parametrize(
    ("definition", "change"),
    [
        (record(ID, TIME, VISITOR, LINE, {"name": "type", "type": "string"}), lambda value: value),
        (record(ID, MICROS, VISITOR, LINE, {"name": "type", "type": "string"}), lambda value: value),
        (
            [record(ID, TIME, VISITOR, LINE, name="Added"), record(ID, name="Removed")],
            lambda value: ("Added", value),
        ),
    ],
)
def test_schemas_of_a_registry(definition: Any, change: Callable[[Any], Any]) -> None:
    """A shop's own schema is read by its fields' names: logical decimals, microseconds, kind as field or record."""
    schema = avro_schema(definition)
    decoder = ShopEventDecoder("shop.carts", stage="detect", registry=Registry({4: schema}))
    line = {"variant_id": "p", "quantity": 2, "unit_price": Decimal("2.62")}
    moment = 1_664_582_400_000 * (1000 if definition is not list and "micros" in json.dumps(definition) else 1)
    value = change({"id": "1", "time": moment, "visitor_id": "visitor", "line": line, "type": "added"})
    (event,), letters = decoder.decode_batch([message(b"visitor", wire_format(schema, 4, value))])
    assert not letters
    assert event.line.unit_price == Decimal("2.62")
    assert time_ms(event) == 1_664_582_400_000
    assert reason(decoder, b"visitor", wire_format(schema, 5, value)) == "schema_unknown"
    with pytest.raises(RegistryUnavailable):
        decoder.decode_batch([message(b"visitor", wire_format(schema, 13, value))])


def test_single_object_needs_no_registry() -> None:
    """Its fingerprint names a released schema; the header is that of the Avro specification."""
    schema = released_schemas("shop.sessions")[0]
    value = single_object(schema, to_avro(STARTED))
    assert value[:2] == b"\xc3\x01"
    assert avro_schema("int").rabin == struct.pack("<Q", 0x7275D51A3F395C8F)
    decoder = ShopEventDecoder("shop.sessions", stage="detect", registry=Registry({}))
    assert decoder.decode(KEY, value) == STARTED


def test_encoder_refuses_unknown_framings() -> None:
    """A misspelt framing is a mistake of the caller."""
    with pytest.raises(ValueError, match="xml"):
        ShopEventEncoder("xml")
