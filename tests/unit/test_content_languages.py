"""Languages: which one a message is in, and how it writes amounts, days, counts and direction."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale, core, localedata
from hypothesis import given
from hypothesis import strategies as st

from postcart.content import formats, sample
from postcart.content.languages import Languages
from postcart.content.preview import render_preview

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "locales"


@pytest.mark.parametrize(
    ("tag", "language", "formats_of"),
    [
        ("de-AT", "de", "de_AT"),
        ("de_DE.UTF-8", "de", "de_DE"),
        ("de-Latn-CH", "de", "de_CH"),
        ("de-XX", "de", "de"),
        ("ar-EG", "ar", "ar_EG"),
        ("en-GB", "en", "en_GB"),
        ("fr-FR", "de", "de"),
        ("", "de", "de"),
        (None, "de", "de"),
        ("no such", "de", "de"),
    ],
)
def test_fallback_chain(tag: str | None, language: str, formats_of: str) -> None:
    """de-AT, de, the shop's default, with formats of the language that is spoken."""
    found = Languages(LOCALES, "de").resolve(tag)
    assert found.tag == language
    assert str(found.formats).replace("Latn_", "") == formats_of


@given(st.text(max_size=30))
def test_any_tag_gives_a_language(tag: str) -> None:
    """A profile may hold anything."""
    assert LANGUAGES.resolve(tag).tag in LANGUAGES.tags


LANGUAGES = Languages(LOCALES)


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "expected"),
    [
        ("1234.5", "USD", "en_US", "$1,234.50"),
        ("1234.5", "EUR", "de_DE", "1.234,50\xa0€"),
        ("1234.5", "EUR", "de_AT", "€\xa01.234,50"),
        ("1234.5", "JPY", "en_US", "¥1,234"),
        ("0.005", "EUR", "en_US", "€0.00"),
        ("1.2345", "KWD", "en_US", "KWD1.234"),
        ("9.15", "EUR", "ar", "\u200f9.15\xa0€"),
    ],
)
def test_money(amount: str, currency: str, locale: str, expected: str) -> None:
    """The currency's decimals, the recipient's notation."""
    assert formats.money(Decimal(amount), currency, Locale.parse(locale)) == expected


def test_dates_are_the_recipients_days() -> None:
    """Half past two in the afternoon in London is the next day in Auckland."""
    assert formats.local(sample.ARMED_MS, "Pacific/Auckland").day == 2
    assert formats.local(sample.ARMED_MS, "Nowhere/Land", "Europe/Berlin").hour == 16
    assert formats.local(sample.ARMED_MS, None, "also wrong").tzinfo == UTC
    assert formats.date(datetime(2022, 10, 1, tzinfo=UTC), Locale("ar"), "full") == "السبت، 1 أكتوبر 2022"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "pieces", "expected"),
    [
        ("en", 1, "One item is still in your cart."),
        ("en", 5, "5 items are still in your cart."),
        ("de", 2, "2 Artikel liegen noch in deinem Warenkorb."),
        ("ar", 1, "ما زال في سلتك منتج واحد."),
        ("ar", 2, "ما زال في سلتك منتجان."),
        ("ar", 3, "ما زالت في سلتك \u20683\u2069 منتجات."),
        ("ar", 11, "ما زال في سلتك \u206811\u2069 منتجًا."),
        ("ar", 100, "ما زال في سلتك \u2068100\u2069 منتج."),
    ],
)
def test_plurals(locale: str, pieces: int, expected: str) -> None:
    """Each language's own forms."""
    line = sample.LINES[0]
    lines = (type(line)(variant_id="1", quantity=pieces, changed_ms=1, unit_price=Decimal(1)),)
    job = sample.sample_job("cart-reminder-incentive", incentive=None, lines=lines)
    shown = render_preview("cart-reminder-incentive", locale, templates=ROOT / "templates", locales=LOCALES, job=job)
    assert shown.preview == expected


@pytest.mark.parametrize(("locale", "direction", "align"), [("en", "ltr", "left"), ("ar", "rtl", "right")])
def test_direction(locale: str, direction: str, align: str) -> None:
    """Language and direction stand in the markup, and the text is aligned by them."""
    shown = render_preview("cart-reminder", locale, templates=ROOT / "templates", locales=LOCALES).html
    assert f'<html lang="{locale}" dir="{direction}"' in shown
    assert f"text-align:{align};" in shown
    assert f"direction:{direction}" in shown


def test_languages_are_read_when_a_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later there may be no descriptor left to open their files."""
    monkeypatch.setattr(localedata, "_cache", {})
    monkeypatch.setattr(core, "_global_data", None)
    languages = Languages(LOCALES, "de")

    def nothing_opens(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("builtins.open", nothing_opens)
    assert [languages.resolve(tag).direction for tag in languages.tags] == ["rtl", "ltr", "ltr"]
