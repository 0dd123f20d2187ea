"""Whole copies of catalogue and suppressions: what they say, what they pass over, and how fresh they are."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.errors import RegistryUnavailable
from postcart.events.shop import Product, VariantUpdated
from postcart.events.suppressions import Suppressed, SuppressionReason, suppression_key
from postcart.senders.goods import Variant
from postcart.senders.tables import Catalogue, Proof, Suppressions, Tables

DECODER = ShopEventDecoder("shop.catalog", stage="sender")


def variant(price: str, *, time: int = 1_000, **changes: Any) -> VariantUpdated:
    fields: dict[str, Any] = {"id": "e", "variant_id": "v", "unit_price": Decimal(price), "time": time}
    return VariantUpdated(**(fields | changes))


@pytest.mark.parametrize("framing", ["json", "single_object", "wire"])
def test_a_variant_in_every_framing(framing: str) -> None:
    """Price, currency and stock are kept; what is only shown is not."""
    catalogue = Catalogue(DECODER)
    event = variant("2.50", currency="EUR", stock=4, product=Product(title="Oil", picture_url="https://x/y.jpg"))
    _, key, value = ShopEventEncoder(framing).encode(event)
    catalogue.record(key, value)
    assert catalogue.variant("v") == Variant(Decimal("2.50"), "EUR", 4)
    assert catalogue.variant("w") is None
    assert len(catalogue) == 1


def test_the_last_record_counts_and_a_bad_one_does_not() -> None:
    """By its place in the topic, as after compaction; a tombstone removes; what can't be read changes nothing."""
    catalogue = Catalogue(DECODER)
    encode = ShopEventEncoder().encode
    for event in (variant("2.50", time=5_000), variant("2.00", time=1_000)):
        _, key, value = encode(event)
        catalogue.record(key, value)
    assert catalogue.variant("v") == Variant(Decimal("2.00"), None, None)
    for bad in (b"{", b"", b"\x00\x00\x00\x00\x09", encode(variant("1", variant_id="w"))[2]):
        catalogue.record(b"v", bad)
    catalogue.record(None, encode(variant("1"))[2])
    assert catalogue.malformed == 5
    assert catalogue.variant("v") == Variant(Decimal("2.00"), None, None)
    catalogue.record(b"v", None)
    assert catalogue.variant("v") is None


def test_a_replay_sees_the_price_of_its_moment() -> None:
    """By event time: what the catalogue said later does not count there."""
    catalogue = Catalogue(DECODER, history=True)
    for price, time in (("1.00", 1_000), ("2.00", 2_000), ("3.00", 3_000)):
        _, key, value = ShopEventEncoder().encode(variant(price, time=time))
        catalogue.record(key, value)
    found = {at: catalogue.variant("v", until_ms=at) for at in (999, 1_000, 2_500, 9_000)}
    assert {at: one and one.unit_price for at, one in found.items()} == {
        999: None,
        1_000: Decimal("1.00"),
        2_500: Decimal("2.00"),
        9_000: Decimal("3.00"),
    }


def test_a_registry_that_is_away_loses_nothing() -> None:
    """The reader tries the record again."""

    class Away:
        def schema(self, schema_id: int) -> Any:
            raise RegistryUnavailable(str(schema_id))

    catalogue = Catalogue(ShopEventDecoder("shop.catalog", stage="sender", registry=Away()))  # type: ignore[arg-type]
    with pytest.raises(RegistryUnavailable):
        catalogue.record(b"v", ShopEventEncoder("wire", schema_id=3).encode(variant("1"))[2])
    assert catalogue.malformed == 0


def suppressed(reason: SuppressionReason = "hard", at_ms: int = 1_000) -> Suppressed:
    return Suppressed(contact_id="c1", channel="email", reason=reason, at_ms=at_ms)


def test_suppressions() -> None:
    """By channel and contact point; a tombstone lifts; a reason of a later release counts too."""
    table = Suppressions()
    key = suppression_key("email", "c1")
    table.record(key, msgspec.json.encode(suppressed("complaint")))
    assert table.reason("email", "c1") == "complaint"
    assert table.reason("sms", "c1") is None
    table.record(key, msgspec.json.encode(suppressed()).replace(b'"hard"', b'"court_order"'))
    assert table.reason("email", "c1") == "court_order"
    for bad_key, bad in ((key, b"{"), (key, b"\xff"), (None, b"{}"), (b"email:c2", msgspec.json.encode(suppressed()))):
        table.record(bad_key, bad)
    assert table.malformed == 4
    assert table.reason("email", "c1") == "court_order"
    table.record(key, None)
    assert table.reason("email", "c1") is None
    assert len(table) == 0


def test_a_replay_sees_suppressions_of_its_moment() -> None:
    """As with stops."""
    table = Suppressions(history=True)
    table.record(suppression_key("email", "c1"), msgspec.json.encode(suppressed(at_ms=2_000)))
    assert table.reason("email", "c1", until_ms=1_999) is None
    assert table.reason("email", "c1", until_ms=2_000) == "hard"


def test_freshness_needs_all_partitions() -> None:
    """The age counts from when those watermarks were asked for that all partitions have reached."""
    tables = Tables(DECODER, history=False)
    a, b = ("catalog", 0), ("suppressions", 0)
    tables.proof.expect([a, b])
    assert tables.age_s(10.0) is None
    tables.proof.watermarks(10.0, {a: 5, b: 1})
    tables.proof.watermarks(12.0, {a: 9, b: 1})
    tables.proof.reached(a, 5)
    assert tables.age_s(13.0) is None
    tables.proof.reached(b, 1)
    assert tables.age_s(13.0) == 3.0
    assert tables.covers(9.9)
    assert not tables.covers(10.0)
    tables.proof.reached(a, 9)
    assert tables.age_s(13.0) == 1.0


def test_copies_that_stand_still() -> None:
    """Many answers of the broker say that there is more, and nothing is read."""
    proof = Proof()
    proof.expect([("catalog", 0)])
    for tick in range(240):
        assert not proof.stalled
        proof.watermarks(float(tick), {("catalog", 0): 5})
    assert proof.stalled
    proof.reached(("catalog", 0), 1)
    assert not proof.stalled


def test_an_empty_topic_is_read_at_once() -> None:
    """Nothing to read is proven by its watermark of 0."""
    proof = Proof()
    proof.expect([("catalog", 0)])
    proof.watermarks(3.0, {("catalog", 0): 0})
    assert proof.proven_s == 3.0
