"""Items of the in-app feed: what the shipped templates say, in each language, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from postcart.content import sample
from postcart.content.inapp import InAppRenderer
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.errors import RenderError
from postcart.events.feed import FeedContent

ROOT = Path(__file__).parents[2]


def said(template: str, locale: str = "en", *, templates: Path = ROOT / "templates") -> FeedContent:
    made = TemplateSet(templates)
    renderer = InAppRenderer(made, sample.SHOP, languages=Languages(ROOT / "locales"))
    job = structs.replace(sample.usual_job(template, made.about(template)), channel="inapp")
    return renderer.render(job, replace(sample.RECIPIENT, locale=locale), date_ms=sample.DATE_MS)


@pytest.mark.parametrize(
    ("locale", "language", "label"),
    [("en-GB", "en", "Back to your cart"), ("de-AT", "de", "Zurück zum Warenkorb"), ("ar", "ar", "السلة")],
)
def test_in_the_language_of_the_person(locale: str, language: str, label: str) -> None:
    """Title, body and button; the first picture of the cart, and where the button leads."""
    item = said("cart-reminder", locale)
    assert item.language.partition("-")[0] == language
    assert item.title
    assert item.body
    assert label in (item.label or ""), item.label
    assert item.url == sample.SHOP.cart_url
    assert item.image_url is None or item.image_url.startswith("https://")


@pytest.mark.slow
@pytest.mark.parametrize("template", TemplateSet(ROOT / "templates").of_channel("inapp"))
def test_every_message_fits(template: str) -> None:
    """About carts, orders and parcels: with a button that leads somewhere."""
    item = said(template)
    assert item.label
    assert (item.url or "").startswith("https://")


def test_what_is_a_message_is_an_item() -> None:
    """Every template of an email has its item."""
    templates = TemplateSet(ROOT / "templates")
    assert templates.of_channel("inapp") == templates.of_channel("email")


def write(folder: Path, **parts: str) -> Path:
    (folder / "plain").mkdir(exist_ok=True)
    for name, text in ({"title": "T", "body": "B"} | parts).items():
        (folder / "plain" / f"inapp.{name}.txt.j2").write_text(text)
    return folder


def test_title_and_body_are_enough(tmp_path: Path) -> None:
    """Without a button; white space is folded, and what looks like markup is text like any other."""
    item = said("plain", templates=write(tmp_path, body="{{ '<b>' }} &\n\n  {{ shop.name }}"))
    assert (item.title, item.body, item.label, item.url) == ("T", f"<b> & {sample.SHOP.name}", None, None)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"title": "{{ '' }}"}, "inapp.title.txt.j2: the text is empty"),
        ({"body": " "}, "inapp.body.txt.j2: the text is empty"),
        ({"title": "x" * 121}, "121 characters, at most 120"),
        ({"link": "javascript:alert(1)"}, "is no web address"),
    ],
)
def test_what_is_no_item(tmp_path: Path, parts: dict[str, str], problem: str) -> None:
    """The template's fault, with its file."""
    with pytest.raises(RenderError, match="plain/inapp") as error:
        said("plain", templates=write(tmp_path, **parts))
    assert problem in str(error.value)
