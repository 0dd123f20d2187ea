"""A job becomes a mail: headers, parts, determinism, and what is refused."""

import email
import re
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.content import sample
from postcart.content.email import EmailRenderer, OutgoingEmail, Recipient
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, OptOut, UnsubscribeLinks
from postcart.errors import RecipientRejected, RenderError
from postcart.events.jobs import Job
from postcart.events.shop import Product

ROOT = Path(__file__).parents[2]
SECRET = b"sixteen bytes or more"
TEMPLATES = TemplateSet(ROOT / "templates")
LINKS = UnsubscribeLinks("https://shop.example/u", "out@shop.example", SECRET)
ENVELOPE = EnvelopeSenders("bounce.shop.example", SECRET)


def renderer() -> EmailRenderer:
    return EmailRenderer(
        TEMPLATES,
        sample.SHOP,
        None,
        LINKS,
        languages=Languages(ROOT / "locales"),
        envelope=ENVELOPE,
    )


def render(job: Job | None = None, recipient: Recipient = sample.RECIPIENT) -> OutgoingEmail:
    return renderer().render(job or sample.sample_job("cart-reminder"), recipient, date_ms=sample.DATE_MS)


def parsed(mail: OutgoingEmail) -> EmailMessage:
    message = email.message_from_bytes(mail.data, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def body(mail: OutgoingEmail, kind: str) -> str:
    part = parsed(mail).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_headers_are_as_providers_want_them() -> None:
    """One-click opt-out with one HTTPS URI, a fixed id, one date, one recipient."""
    mail = render()
    message = parsed(mail)
    assert message["Message-ID"] == mail.message_id == "<0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01@lumen-leaf.example>"
    assert message.get_all("Date") == ["Sat, 01 Oct 2022 15:30:00 +0000"]
    assert [str(address) for address in message["To"].addresses] == ["Ana <ana.muster@example.com>"]
    assert message["From"].addresses[0].display_name == "Lumen & Leaf"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Feedback-ID"].count(":") == 3
    assert re.fullmatch(r"<https://[^>]+>, <mailto:[^>]+>", message["List-Unsubscribe"])
    assert b"\r\nList-Unsubscribe: <https://shop.example/u/" in mail.data
    assert mail.data.count(b"=?utf-8?") == 0


def test_opt_out_link_is_in_header_and_both_parts() -> None:
    """The visible link and the header's carry the same signed token."""
    mail = render()
    url = LINKS.url(OptOut(sample.sample_job("x").person_id, "email", "marketing"))
    assert f"<{url}>" in parsed(mail)["List-Unsubscribe"]
    assert url in body(mail, "html")
    assert url in body(mail, "plain")


def test_transactional_mail_has_no_opt_out() -> None:
    """What can't be opted out of shows no link for it."""
    mail = render(sample.sample_job("cart-reminder", purpose="transactional"))
    assert parsed(mail)["List-Unsubscribe"] is None
    assert "nsubscribe" not in body(mail, "html")


def test_same_input_same_bytes() -> None:
    """Two renderers agree on every byte; another job has another boundary."""
    assert render().data == render().data
    other = render(sample.sample_job("cart-reminder", job_id="0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a02"))
    assert parsed(render()).get_boundary() != parsed(other).get_boundary()


def test_lines_are_seven_bit_and_short() -> None:
    """No server on the way has a reason to recode, which would break the signature."""
    for line in render(recipient=Recipient("a@example.com", "Zoë 🌿", "de-DE")).data.split(b"\r\n"):
        assert len(line) <= 998
        assert line.isascii()
        assert b"\n" not in line


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a, b@example.com",
        "a@example.com, b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@b@c",
        "ü@example.com",
        "Ana <a@example.com>",
    ],
)
def test_only_one_valid_address_is_a_recipient(address: str) -> None:
    """Anything else is rejected, and the error does not show it."""
    with pytest.raises(RecipientRejected) as caught:
        render(recipient=Recipient(address))
    assert caught.value.status == "5.1.3"
    assert "example.com" not in str(caught.value)


@pytest.mark.parametrize(
    "evil", ["Ana\r\nBcc: x@example.com", "Ana\nSubject: other", "A\x00na", 'A" <x@example.com>, "B']
)
def test_a_name_injects_no_header(evil: str) -> None:
    """Line breaks and quotes of a name stay inside the To header's display name."""
    message = parsed(render(recipient=Recipient("a@example.com", evil)))
    assert message.get_all("Bcc") is None
    assert len(message.get_all("Subject", [])) == 1
    assert [address.addr_spec for address in message["To"].addresses] == ["a@example.com"]


def test_texts_of_the_shop_are_escaped() -> None:
    """Markup in a product's title is text in the mail; its line breaks never reach a header."""
    line = sample.LINES[0]
    evil = Product(
        title="<script>alert(1)</script>\r\nBcc: x",
        page_url="javascript:alert(1)",
        picture_url="data:image/png;base64,AA",
    )
    mail = render(
        sample.sample_job("cart-reminder", lines=(type(line)(variant_id="1", quantity=1, changed_ms=1, product=evil),))
    )
    html = body(mail, "html")
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "javascript:" not in html
    assert "data:image" not in html


def test_a_job_without_lines_is_not_rendered() -> None:
    """An empty message is never sent."""
    with pytest.raises(RenderError, match="no line"):
        render(sample.sample_job("cart-reminder", lines=()))


def test_unknown_template_is_told() -> None:
    """The error lists the templates that there are."""
    with pytest.raises(RenderError, match=r"there are .*cart-reminder, "):
        render(sample.sample_job("cart-remainder"))


def test_only_the_campaigns_incentive_is_promised() -> None:
    """Without an offer in the campaign the last reminder makes none."""
    mail = render(sample.sample_job("cart-reminder-incentive", incentive=None))
    assert mail.subject == "Last reminder: your cart at Lumen & Leaf"
    offered = render(sample.sample_job("cart-reminder-incentive", incentive=sample.INCENTIVES["default"]))
    assert offered.subject == "10% off your cart"
    assert "LEAF-10-7Q4K" in body(offered, "html")


def test_tokens_are_not_forgeable() -> None:
    """A changed token, and one signed for something else, are none."""
    opt_out = OptOut("person", "email", "marketing")
    token = LINKS.token(opt_out)
    assert LINKS.read(token) == opt_out
    assert LINKS.read(token[:-2] + "AA") is None
    assert LINKS.read("") is None
    assert LINKS.read("ü") is None
    turned = UnsubscribeLinks("https://x.example", "o@x.example", b"another secret 16", former=(SECRET,))
    assert turned.read(token) == opt_out


JOBS = st.uuids().map(str)


@given(JOBS, st.one_of(JOBS, st.text(max_size=20)), st.sampled_from([str.upper, str.title, str]))
def test_envelope_senders_name_job_and_person(job_id: str, person_id: str, case: Callable[[str], str]) -> None:
    """In any case of letters, within the 64 that a local part may have; a person that is no UUID stays unnamed."""
    address = ENVELOPE.of(job_id, person_id)
    assert address == address.lower()
    assert len(address.partition("@")[0]) <= 64
    sent = ENVELOPE.read(case(address))
    assert sent is not None
    assert sent.job_id == job_id
    assert sent.person_id == (person_id if is_uuid(person_id) else None)
    assert ENVELOPE.mentioned(f"To: <{address}>".encode()) == sent


@given(JOBS, st.one_of(JOBS, st.just("p-1")), st.integers(0, 62), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567-"))
def test_envelope_senders_are_not_forgeable(job_id: str, person_id: str, at: int, letter: str) -> None:
    """One letter changed, another domain, another secret: none of ours."""
    address = ENVELOPE.of(job_id, person_id)
    changed = address[:at] + letter + address[at + 1 :]
    assert changed == address or ENVELOPE.read(changed) is None
    local = address.partition("@")[0]
    assert ENVELOPE.read(f"{local}@elsewhere.example") is None
    assert EnvelopeSenders("bounce.shop.example", b"another secret 16").read(address) is None
    turned = EnvelopeSenders("bounce.shop.example", b"another secret 16", former=(SECRET,))
    assert turned.read(address) == ENVELOPE.read(address)
    assert ENVELOPE.mentioned(f"x{address} {address}.uk {changed}x".encode()) is None


def test_addresses_that_are_no_envelope_senders() -> None:
    """Whatever comes to the domain."""
    for local in ("", "b", "b-", "b--", "someone", "b" * 64, "bé", "b-aa-bb"):
        assert ENVELOPE.read(f"{local}@bounce.shop.example") is None


def is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def test_endless_texts_are_cut() -> None:
    """A mail stays below what providers clip, whatever a shop's fields hold."""
    product = Product(title="word" * 500, options="o" * 2000)
    line = type(sample.LINES[0])(variant_id="1", quantity=1, changed_ms=1, product=product)
    mail = render(sample.sample_job("cart-reminder", lines=(line,) * 500), Recipient("a@example.com", "n" * 2000))
    assert len(body(mail, "html")) < 60_000
    assert "492 more items" in body(mail, "html")
    assert len(parsed(mail)["To"]) < 200


def test_what_another_language_can_hold_is_encoded() -> None:
    """Names and campaigns beyond ASCII."""
    mail = render(sample.sample_job("cart-reminder", campaign="Frühling: 10 %"), Recipient("a@müller.de", "Zoë"))
    assert mail.recipient == "a@xn--mller-kva.de"
    assert parsed(mail)["Feedback-ID"].startswith("Fr-hling-10-:cart-reminder.")
    assert parsed(mail)["To"].addresses[0].display_name == "Zoë"


def test_nothing_personal_is_in_a_repr() -> None:
    """What a log line may show of a mail."""
    shown = repr(render()) + repr(sample.RECIPIENT)
    assert "ana" not in shown.lower()
    assert "example.com" not in shown
