"""Stock and price of a reminder's lines, looked at once more before it goes out."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.events.jobs import Job
from postcart.events.signals import LineState
from postcart.senders.goods import Goods, Variant, look_again


def line(variant: str, price: str = "10.00", quantity: int = 1, currency: str | None = "EUR") -> LineState:
    return LineState(variant_id=variant, quantity=quantity, changed_ms=0, unit_price=Decimal(price), currency=currency)


def job(*lines: LineState, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "job_id": "j",
        "person_id": "p",
        "episode_id": "e",
        "step": 1,
        "channel": "email",
        "purpose": "marketing",
        "campaign": "c",
        "campaign_version": "1",
        "journey": "s",
        "template": "t",
        "armed_ms": 0,
        "planned_ms": 0,
        "due_ms": 0,
        "not_after_ms": 0,
        "lines": lines,
        "value": Decimal(99),
        "currency": "EUR",
    }
    return Job(**(fields | changes))


def variant(price: str = "10.00", currency: str | None = "EUR", stock: int | None = None) -> Variant:
    return Variant(Decimal(price), currency, stock)


def again(of: Job, **variants: Variant) -> Goods:
    return look_again(of, variants, currency="EUR")


def test_nothing_is_known_or_nothing_changed() -> None:
    """The job is the very same, its value as JOURNEY reckoned it."""
    plain = job(line("a"), line("b"))
    assert again(plain).job is plain
    found = again(plain, a=variant("10"), b=variant(stock=3))
    assert found.job is plain
    assert (found.stock.verdict, found.price.verdict) == ("pass", "pass")


def test_a_changed_price() -> None:
    """The line, the value and the decision show the price of now."""
    found = again(job(line("a", quantity=3), line("b")), a=variant("8.50"))
    assert [item.unit_price for item in found.job.lines] == [Decimal("8.50"), Decimal("10.00")]
    assert (found.job.value, found.job.currency) == (Decimal("35.50"), "EUR")
    assert (found.price.verdict, found.price.inputs) == ("change", {"a": "10.00 -> 8.50"})


@pytest.mark.parametrize(
    ("of_line", "of_variant", "follows"),
    [("EUR", "EUR", True), (None, "EUR", True), ("EUR", None, True), ("USD", None, False), ("EUR", "USD", False)],
)
def test_only_a_price_in_the_same_currency(of_line: str | None, of_variant: str | None, *, follows: bool) -> None:
    """Whoever names none means the shop's; another currency says nothing about this cart's price."""
    found = again(job(line("a", currency=of_line)), a=variant("8.50", of_variant))
    assert (found.job.lines[0].unit_price == Decimal("8.50")) is follows


@pytest.mark.parametrize("price", ["0", "-1.00"])
def test_no_price_is_no_price(price: str) -> None:
    """A feed that has lost its prices must not give the goods away."""
    assert again(job(line("a")), a=variant(price)).job.lines[0].unit_price == Decimal("10.00")


def test_sold_out_lines_are_dropped() -> None:
    """What is left is added up anew; a stock that nobody knows counts as available."""
    found = again(job(line("a"), line("b"), line("c")), a=variant(stock=0), b=variant(stock=None))
    assert [item.variant_id for item in found.job.lines] == ["b", "c"]
    assert found.job.value == Decimal("20.00")
    assert (found.stock.verdict, found.stock.inputs) == ("change", {"sold_out": "a", "lines_left": "2"})


def test_everything_is_sold_out() -> None:
    """Nothing to remind of."""
    found = again(job(line("a"), line("b")), a=variant(stock=0), b=variant(stock=0))
    assert found.job.lines == ()
    assert found.job.value is None
    assert found.stock.verdict == "stop"


catalogues = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        Variant,
        st.decimals(-1, 50, places=2),
        st.sampled_from(["EUR", "USD", None]),
        st.none() | st.integers(0, 3),
    ),
)


@given(catalogues)
def test_looking_twice_changes_nothing_more(known: dict[str, Variant]) -> None:
    """Law: idempotent; what is left is in stock; the value is the sum of what is shown."""
    once = look_again(job(line("a"), line("b", quantity=2), line("c")), known, currency="EUR").job
    assert look_again(once, known, currency="EUR").job is once
    for item in once.lines:
        assert item.variant_id not in known or known[item.variant_id].stock != 0
    if once.lines and once.value != Decimal(99):
        assert once.value == sum(item.quantity * item.unit_price for item in once.lines)
