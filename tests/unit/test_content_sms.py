"""Segments, numbers, and what a text message says."""

from dataclasses import replace
from pathlib import Path

import gsm0338  # noqa: F401 -- registers the codec
import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from postcart.content import sample
from postcart.content.languages import Languages
from postcart.content.phones import normal_phone, parse_phone, redact_phones, zones_of_phone
from postcart.content.sms import SmsRenderer
from postcart.content.sms_segments import coding_of, plain, segments
from postcart.content.templates import TemplateSet
from postcart.errors import RecipientRejected, RenderError

ROOT = Path(__file__).parents[2]
GSM = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCÄÖÑÜ§¿abcäöñüà"
EXTENDED = "^{}\\[~]|€"
anything = st.text(st.sampled_from(GSM + EXTENDED + "ç\u201c\u2019\u2014😀中é"), max_size=400) | st.text(max_size=300)


@given(text=anything)
def test_segments_are_those_of_the_oracle(text: str) -> None:
    """Smsutil splits as networks do; its codec knows the alphabet independently."""
    text = text.replace("\x1b", "")  # an escape alone is no character
    found = segments(text)
    try:
        units, coding = len(text.encode("gsm03.38")), "gsm7"
    except UnicodeEncodeError:
        units, coding = len(text.encode("utf-16-be", "surrogatepass")) // 2, "ucs2"
    assert (found.coding, found.units) == (coding, units)
    if text and not any("\ud800" <= one <= "\udfff" for one in text):
        parts = smsutil.split(text, preserve_newlines=True) if _has_option() else smsutil.split(text)
        assert found.messages == len(parts.parts)


def _has_option() -> bool:
    return "preserve_newlines" in smsutil.split.__code__.co_varnames


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", 0), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 151, 2), ("a" * 152 + "€" + "a" * 152, 3), ("ç" * 70, 1), ("ç" * 71, 2),
        ("ç" * 134, 2), ("ç" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2), ("ç" * 66 + "😀" + "ç" * 66, 3),
    ],
)  # fmt: skip
def test_the_bounds(text: str, messages: int) -> None:
    """160 and 153, 70 and 67; what takes two units goes over whole."""
    assert segments(text).messages == messages


def test_lower_case_c_with_cedilla_is_not_in_the_alphabet() -> None:
    """The upper-case one is."""
    assert (coding_of("Ça va"), coding_of("ça va")) == ("gsm7", "ucs2")


def test_typography_is_made_plain_only_where_that_helps() -> None:
    """A text that stays UCS-2 keeps its quotes."""
    assert plain("\u201cIt\u2019s 12,90\u00a0€ \u2013 now\u2026\u201d") == '"It\'s 12,90 € - now..."'
    assert plain("“سلة”") == "“سلة”"


@pytest.mark.parametrize(
    ("told", "country", "number"),
    [
        ("0151 2345 6789", "DE", "+4915123456789"),
        ("+49 (151) 23456789", "US", "+4915123456789"),
        ("0049 151 23456789", "DE", "+4915123456789"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("call me", "DE", "call me"),
        ("12", None, "12"),
    ],
)
def test_a_number_has_one_form(told: str, country: str | None, number: str) -> None:
    """However a shop writes it, suppressions and STOPs find it."""
    assert normal_phone(told, country) == number
    assert normal_phone(number, None) == number


def test_numbers_that_there_are_not() -> None:
    """Rejected without being shown."""
    for text in ("+49", "+4915", "0151 23456789", "+999123456789", ""):
        with pytest.raises(RecipientRejected) as found:
            parse_phone(text)
        assert (str(found.value), found.value.status) == ("the recipient's number is not valid", "5.1.3")


def test_all_zones_of_a_number() -> None:
    """A mobile number of a country with several zones may be in any of them."""
    assert zones_of_phone("+4915123456789") == ("Europe/Berlin",)
    assert zones_of_phone("+14155552671") == ("America/Los_Angeles",)
    assert {"America/New_York", "Pacific/Honolulu"} <= set(zones_of_phone("+18005551212"))
    assert zones_of_phone("nonsense") == ()


def test_numbers_in_texts_are_not_shown() -> None:
    """Neither the one that is known nor others."""
    assert redact_phones("to +4915112345678 from 4915112345678 or 030 1234-567", "+4915112345678") == (
        "to <number> from <number> or <number>"
    )


@pytest.fixture(scope="module")
def renderer() -> SmsRenderer:
    return SmsRenderer(TemplateSet(ROOT / "templates"), sample.SHOP, languages=Languages(ROOT / "locales"))


def test_a_text_message_says_what_the_template_says(renderer: SmsRenderer) -> None:
    """In the recipient's language, in one line, with the way out; delivered for as long as it is worth it."""
    job = structs.replace(sample.sample_job("cart-reminder"), channel="sms")
    recipient = replace(sample.RECIPIENT, address="+12025550123", locale="de-AT")
    found = renderer.render(job, recipient, date_ms=job.not_after_ms - 600_000)
    assert found.body == (
        "Lumen & Leaf: 6 Artikel liegen noch in deinem Warenkorb: https://lumen-leaf.example/cart "
        "Abmelden: STOP antworten"
    )
    assert (found.segments.messages, found.valid_s, found.job_id) == (1, 600, job.job_id)
    one = renderer.render(structs.replace(job, lines=job.lines[1:2], purpose="transactional"), recipient, date_ms=0)
    assert one.body == ("Lumen & Leaf: Ein Artikel liegt noch in deinem Warenkorb: https://lumen-leaf.example/cart")


def test_a_text_that_is_too_long_is_an_error_of_its_template(tmp_path: Path) -> None:
    """It says how long it is; nothing is cut off."""
    folder = tmp_path / "long"
    folder.mkdir()
    (folder / "sms.txt.j2").write_text("{{ 'ab ' * 200 }}")
    made = SmsRenderer(TemplateSet(tmp_path), sample.SHOP, languages=Languages(ROOT / "locales"), most_segments=3)
    recipient = replace(sample.RECIPIENT, address="+12025550123")
    with pytest.raises(RenderError, match=r"long/sms\.txt\.j2: 4 segments \(599 units of gsm7\), at most 3"):
        made.render(sample.sample_job("long"), recipient, date_ms=0)
    with pytest.raises(RenderError, match="no template 'cart-reminder' for sms"):
        made.render(sample.sample_job("cart-reminder"), recipient, date_ms=0)
