"""Laws of a message's bytes, for any content: nothing injected, nothing lost, the same twice."""

import email
from email.message import EmailMessage
from email.policy import SMTP

import dkim
from hypothesis import given
from hypothesis import strategies as st

from postcart.content.context import one_line
from postcart.content.forms import Form, Page
from postcart.content.mime import Heads, build_message
from postcart.content.slots import Slotted
from postcart.content.templates import Content
from postcart.errors import RenderError

TEXT = st.text(max_size=200)
SPACED = st.text(st.sampled_from("ab.= \t\n\u00e4"), max_size=120)
RELAXED = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
NAMES = (
    "Date Message-ID From To Reply-To Subject List-Unsubscribe List-Unsubscribe-Post Auto-Submitted Feedback-ID"
    " Content-Language MIME-Version Content-Type"
)


def _heads(from_name: str, to_name: str) -> Heads:
    return Heads(
        message_id="<0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01@shop.example>",
        date_ms=1_664_634_600_000,
        from_name=from_name,
        from_address="a@shop.example",
        to_name=to_name,
        to_address="b@example.com",
        reply_to="c@shop.example",
        language="en",
        feedback_id="a:b:c:d",
        unsubscribe=("https://shop.example/u/" + "x" * 300, "mailto:u@shop.example?subject=" + "y" * 300),
    )


def _message(subject: str, html: str, text: str, heads: Heads) -> bytes:
    return build_message(Content(subject, "", Page.whole(html), text), heads).data


@given(text=SPACED, parts=st.lists(SPACED, min_size=1, max_size=4), value=SPACED)
def test_the_canonical_form_is_that_of_the_body(text: str, parts: list[str], value: str) -> None:
    """By another implementation of DKIM, also of a page put together from a form and values."""
    html = Slotted(tuple(parts), (0,) * (len(parts) - 1))
    message = build_message(Content("s", "", Page(Form(html), [value]), text), _heads("Shop", "Ana"))
    body = message.data.partition(b"\r\n\r\n")[2]
    assert message.relaxed_body == RELAXED.canonicalize_body(body)
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    part = _parsed(message.data).get_body(("html",))
    assert part is not None
    whole = html.filled([value]).replace("\r\n", "\n").replace("\r", "\n").encode()
    assert part.get_payload(decode=True).replace(b"\r\n", b"\n") == whole


def _parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


@given(subject=TEXT, from_name=TEXT, to_name=TEXT, text=TEXT, html=TEXT)
def test_any_content_arrives_and_injects_nothing(
    subject: str, from_name: str, to_name: str, text: str, html: str
) -> None:
    """The headers are those that are written, once each, in their order; the parts come back as they were."""
    subject, from_name, to_name = one_line(subject), one_line(from_name), one_line(to_name)
    data = _message(subject, html, text, _heads(from_name, to_name))
    assert data == _message(subject, html, text, _heads(from_name, to_name))
    assert data.isascii()
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in data.split(b"\r\n"))
    message = _parsed(data)
    assert list(message.keys()) == NAMES.split()
    assert " ".join(str(message["Subject"]).split()) == " ".join(subject.split())
    assert [address.addr_spec for address in message["To"].addresses] == ["b@example.com"]
    assert [address.addr_spec for address in message["From"].addresses] == ["a@shop.example"]
    for kind, sent in (("plain", text), ("html", html)):
        part = message.get_body((kind,))
        assert part is not None
        assert not part.defects
        whole = sent.replace("\r\n", "\n").replace("\r", "\n").encode()
        assert part.get_payload(decode=True).replace(b"\r\n", b"\n") == whole


@given(evil=st.text(alphabet="a:\r\n\x00\u2028 <>@,", min_size=1, max_size=30))
def test_raw_line_breaks_are_refused_or_harmless(evil: str) -> None:
    """Also where nobody made one line of it before."""
    try:
        data = _message(evil, "x", "x", _heads("Shop", evil))
    except RenderError:
        return
    assert list(_parsed(data).keys()) == NAMES.split()
