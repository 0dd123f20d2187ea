"""Messages about orders and parcels: what they can say, and that they advertise nothing."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from postcart.content import sample
from postcart.content.context import build_context
from postcart.content.identity import Recipient, ShopIdentity
from postcart.content.languages import Languages
from postcart.content.lint import lint_templates
from postcart.content.preview import preview_renderer, render_preview
from postcart.content.templates import TemplateSet
from postcart.domain.messages import ORDERS, PARCELS, default_message
from postcart.events.jobs import Job, OrderFacts, ParcelFacts
from postcart.events.milestones import Expected

ROOT = Path(__file__).parents[2]
TEMPLATES = TemplateSet(ROOT / "templates")
LANGUAGES = Languages(ROOT / "locales")
NOTICES = sorted({default_message(occasion).template for occasion in (*ORDERS, *PARCELS)})
MIDNIGHT = datetime(2022, 10, 7, tzinfo=UTC)


def job(template: str = "shipped") -> Job:
    return sample.usual_job(template, TEMPLATES.about(template))


def expected(earliest: datetime, latest: datetime) -> Expected:
    return Expected(at=latest, earliest=earliest, latest=latest, source="carrier")


def shown(told: Expected, zone: str) -> tuple[str, str, bool]:
    """First and last day of what is expected, and whether they are one."""
    facts = structs.replace(job().parcel, expected=told)
    recipient = Recipient("a@shop.example", time_zone=zone)
    context = build_context(
        structs.replace(job(), parcel=facts), recipient, sample.SHOP, date_ms=sample.DATE_MS, unsubscribe_url=None
    )
    found = context["parcel"]["expected"]
    return str(found["from"].date()), str(found["until"].date()), found["one_day"]


def test_every_occasion_has_a_template_for_every_channel() -> None:
    """The names by which JOURNEY asks for them."""
    assert set(NOTICES) <= set(TEMPLATES.names)
    for name in NOTICES:
        assert f"{name}/sms.txt.j2" in TEMPLATES.sources
        assert f"{name}/push.link.txt.j2" in TEMPLATES.sources
        assert TEMPLATES.about(name) & {"order", "parcel"}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_a_whole_day_is_the_same_wherever_people_live(zone: str) -> None:
    """It ends at midnight UTC, which is another day in most zones."""
    assert shown(expected(MIDNIGHT, MIDNIGHT + timedelta(1)), zone) == ("2022-10-07", "2022-10-07", True)
    assert shown(expected(MIDNIGHT, MIDNIGHT + timedelta(3)), zone) == ("2022-10-07", "2022-10-09", False)


def test_a_window_is_told_in_the_recipients_zone() -> None:
    """Until 22:00 UTC is until the evening of that day in New York, and the next day in Auckland."""
    window = expected(MIDNIGHT + timedelta(hours=18), MIDNIGHT + timedelta(hours=22))
    assert shown(window, "America/New_York") == ("2022-10-07", "2022-10-07", True)
    assert shown(window, "Pacific/Auckland") == ("2022-10-08", "2022-10-08", True)


def test_links_lead_to_the_order_and_the_parcel() -> None:
    """By the shop's own patterns, with ids that can't break out of them; else to its home page."""
    facts = ParcelFacts(parcel_id="p", order_id="a/b?c", carrier="dhl", tracking_number="JD 1/4")
    wanted = structs.replace(job(), parcel=facts)
    for shop, link in (
        (sample.SHOP, "https://lumen-leaf.example/track/dhl/JD%201%2F4"),
        (ShopIdentity(**PLAIN, orders_url="https://shop.example/o/{order}"), "https://shop.example/o/a%2Fb%3Fc"),
        (ShopIdentity(**PLAIN), "https://shop.example/"),
    ):
        context = build_context(wanted, sample.RECIPIENT, shop, date_ms=sample.DATE_MS, unsubscribe_url=None)
        assert context["parcel"]["url"] == link
        assert context["cart"] is None


PLAIN = {
    "name": "Shop",
    "from_address": "a@shop.example",
    "postal_address": ("Town",),
    "base_url": "https://shop.example/",
    "cart_url": "https://shop.example/cart",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTICES)
def test_previews(name: str) -> None:
    """Each can be looked at; none offers a way to opt out of it."""
    mail = render_preview(name, "de-DE", templates=ROOT / "templates", locales=ROOT / "locales")
    assert "List-Unsubscribe" not in mail.headers
    assert "100482" in mail.text
    assert mail.headers["Feedback-ID"].split(":")[2] == "transactional"


def test_the_delay_of_an_order_without_a_parcel() -> None:
    """Nobody packed it: the same template, about the order."""
    order = structs.replace(job(), parcel=None, order=OrderFacts(order_id="o-77"), template="delayed")
    renderer = preview_renderer(TEMPLATES, LANGUAGES)
    content = renderer.content(order, sample.RECIPIENT, date_ms=sample.DATE_MS)
    assert content.subject == "Your order o-77 is delayed"
    assert "has not left us yet" in content.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["{{ incentive.code }}", "{{ unsubscribe_url }}", "{% include 'partials/lines.mjml.j2' %}"]
)
def test_promotions_have_no_place(tmp_path: Path, line: str) -> None:
    """Also where an included part brings them in: the whole message would become an advertisement."""
    templates = Path(shutil.copytree(ROOT / "templates", tmp_path / "templates"))
    for other in templates.iterdir():
        if other.name not in {"layouts", "partials", "delivered"} and other.is_dir():
            shutil.rmtree(other)
    mail = templates / "delivered" / "email.mjml.j2"
    mail.write_text(mail.read_text() + "{% block after_action %}<mj-text>" + line + "</mj-text>{% endblock %}\n")
    found = [str(problem) for problem in lint_templates(templates, ROOT / "locales")]
    assert any("has no place in a message about an order or a parcel" in one for one in found), found


def test_what_a_carrier_or_a_shop_wrote_stays_harmless() -> None:
    """Line breaks and markup in names of places, numbers and goods."""
    evil = "x\r\nBcc: a@b.example\u202e<script>"
    facts = structs.replace(job().parcel, tracking_number=evil, order_id=evil, carrier="a-b_c")
    renderer = preview_renderer(TEMPLATES, LANGUAGES)
    mail = renderer.render(structs.replace(job("shipped"), parcel=facts), sample.RECIPIENT, date_ms=sample.DATE_MS)
    content = renderer.content(structs.replace(job(), parcel=facts), sample.RECIPIENT, date_ms=sample.DATE_MS)
    assert b"\nBcc" not in mail.data
    assert "<script>" not in content.html
    assert "A B C" in content.text
