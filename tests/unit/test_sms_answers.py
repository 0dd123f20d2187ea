"""STOP, START and HELP, and what became of messages: recognised, and what they bring about."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.twilio_signature import is_signed
from postcart.domain.sms_words import said
from postcart.events.gate import GateConsent, GatePerson
from postcart.gateway.phone_book import Holder, PhoneBook
from postcart.gateway.sms import Known, read_incoming, read_status

JOB, PERSON = "7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c", "6c9c5d1e-2b1a-5d43-8a34-0f9d3a1b7c55"
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop.", " Stop! ", "STOPALL", "stop all", "quit", "END", "revoke", "opt out", "Opt-Out", "OPTOUT",
        "cancel", "unsubscribe", "arret", "Arrêt", "ARRÊTEZ", "Stopp", "abmelden", "kündigen", "baja", "parar", "إيقاف",
        "الغاء", "iptal", "Please stop", "stop it now", "Stop texting me", "don't text me again", "no more messages",
        "Remove me from your list", "leave me alone", "Keine SMS mehr!", "opt me out please", "\U0001f6d1 STOP",
    ],
)  # fmt: skip
def test_ways_to_say_stop(text: str) -> None:
    """The words of the rules, in other languages, and reasonable wording."""
    found = said(text)
    assert found is not None
    assert found.word == "stop"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("START", "start"), ("unstop", "start"), ("Yes", "start"), ("Ja", "start"), ("oui", "start"), ("SÍ", "start"),
        ("نعم", "start"), ("HELP", "help"), ("info", "help"), ("Hilfe!", "help"),
    ],
)  # fmt: skip
def test_other_words(text: str, word: str) -> None:
    """START and HELP only as the whole text."""
    found = said(text)
    assert found is not None
    assert found.word == word


@pytest.mark.parametrize(
    "text",
    ["", " ", "thanks", "when does the sale end?", "Don't stop!", "can I cancel my order and get a new one",
     "yes please send it to my office", "help yourself", "non-stop", "1", "\U0001f600"],
)  # fmt: skip
def test_what_is_no_word(text: str) -> None:
    """Questions and talk bring nothing about."""
    assert said(text) is None


@given(text=st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Whatever comes; and neither case nor punctuation change what it says."""
    assert said(text) == said(f" {text.upper()}!! ") or not text.isascii()


# -- what follows ------------------------------------------------------------------------------------------------------


def known(suppressed: str | None = None, *holders: Holder) -> Known:
    return Known("contact", suppressed, holders)


def form(body: str, **more: str) -> dict[str, str]:
    return {"From": "+4915112345678", "To": "+4930123456", "Body": body, "MessageSid": "SM1", **more}


def test_stop_suppresses_the_number_and_takes_consent_back() -> None:
    """Of everybody who has it; also where nobody is known; confirmed once."""
    seen: list[str] = []

    def look(number: str) -> Known:
        seen.append(number)
        return known(None, Holder("p1", "de", unconfirmed=True), Holder("p2", None, unconfirmed=False))

    found = read_incoming(form("STOP"), look, source="twilio", now_ms=NOW_MS)
    assert seen == ["+4915112345678"]
    assert found.suppressed is not None
    assert (found.suppressed.contact_id, found.suppressed.channel, found.suppressed.reason) == (
        "contact",
        "sms",
        "stop",
    )
    assert [(one.person_id, one.purpose, one.given) for one in found.consents] == [
        ("p1", "marketing", False),
        ("p2", "marketing", False),
    ]
    assert found.consents[0].evidence == "text message STOP to twilio SM1, received 2023-11-14T22:13:20Z"
    assert (found.reply, found.language) == ("stop", "de")
    again = read_incoming(form("stop"), lambda _: known("stop"), source="twilio", now_ms=NOW_MS)
    assert (again.suppressed is not None, again.reply) == (True, None)
    assert "4915" not in repr(found)


def test_start_lifts_what_stop_did_and_confirms_what_was_agreed_to() -> None:
    """The second half of the double opt-in; who never agreed in the shop only gets order messages again."""
    agreed = Holder("p1", None, unconfirmed=True)
    found = read_incoming(form("YES"), lambda _: known("stop", agreed), source="twilio", now_ms=NOW_MS)
    assert found.lifted == "contact"
    assert [(one.person_id, one.given, one.double_opt_in) for one in found.consents] == [("p1", True, True)]
    assert (found.reply, found.language) == ("confirmed", "en")
    never = read_incoming(
        form("START"), lambda _: known("stop", Holder("p2", None, unconfirmed=False)), source="t", now_ms=1
    )
    assert (never.lifted, never.consents, never.reply) == ("contact", (), "start")
    nothing = read_incoming(form("START"), lambda _: known(None), source="t", now_ms=1)
    assert (nothing.lifted, nothing.consents, nothing.reply) == (None, (), None)
    for kept in ("manual", "complaint"):
        assert read_incoming(form("START"), lambda _, kept=kept: known(kept), source="t", now_ms=1).lifted is None


def test_what_the_provider_has_answered_is_not_answered_again() -> None:
    """Advanced opt-out says so; what it brings about is the same."""
    found = read_incoming(form("STOP", OptOutType="STOP"), lambda _: known(), source="twilio", now_ms=1)
    assert (found.suppressed is not None, found.reply) == (True, None)
    assert read_incoming(form("HELP"), lambda _: known(), source="t", now_ms=1).reply == "help"
    assert read_incoming(form("HELP", OptOutType="HELP"), lambda _: known(), source="t", now_ms=1).reply is None


def test_talk_is_not_looked_up() -> None:
    """Nor kept."""

    def never(_: str) -> Known:
        raise AssertionError

    assert read_incoming(form("nice shoes"), never, source="twilio", now_ms=1).result == "nothing"


@pytest.mark.parametrize(
    ("status", "code", "kind", "said_as"),
    [
        ("delivered", "", "delivered", "2.1.5"),
        ("undelivered", "30003", "soft", "30003 4.2.1"),
        ("undelivered", "30005", "hard", "30005 5.1.1"),
        ("failed", "30006", "hard", "30006 5.1.1"),
        ("undelivered", "30007", "policy", "30007 5.7.1"),
        ("failed", "21610", "hard", "21610 5.2.1"),
        ("undelivered", "31999", "other", "31999"),
        ("undelivered", "", "other", None),
    ],
)
def test_what_became_of_a_message(status: str, code: str, kind: str, said_as: str | None) -> None:
    """By Twilio's error codes; the same told twice is one report."""
    told = {"MessageStatus": status, "ErrorCode": code, "MessageSid": "SM1"}
    query = {"job": JOB, "person": PERSON}
    report = read_status(told, query, source="twilio", now_ms=NOW_MS).report
    assert report is not None
    assert (report.kind, report.status, report.channel, report.source) == (kind, said_as, "sms", "twilio")
    assert (report.job_id, report.person_id) == (JOB, PERSON)
    later = read_status(told, query, source="twilio", now_ms=NOW_MS + 9).report
    assert later is not None
    assert later.report_id == report.report_id


def test_statuses_on_the_way_and_of_nobody_bring_nothing() -> None:
    """Queued and sent are no news; without our ids it is not about us."""
    for status in ("queued", "sending", "sent", "accepted", "", "scheduled"):
        assert (
            read_status({"MessageStatus": status}, {"job": JOB, "person": PERSON}, source="t", now_ms=1).report is None
        )
    for query in ({}, {"job": "x", "person": PERSON}, {"job": JOB}):
        assert read_status({"MessageStatus": "delivered"}, query, source="t", now_ms=1).report is None


# -- whose number ------------------------------------------------------------------------------------------------------


def record(person: str, number: str | None, *, unconfirmed: tuple[str, ...] = ()) -> bytes:
    gate = GatePerson(
        person_id=person,
        contacts={"email": "sealed"},
        contact_ids={"email": "e"} | ({"sms": number} if number else {}),
        consents=(GateConsent("sms", "marketing", given=False),),
        unconfirmed=unconfirmed,
    )
    return msgspec.json.encode(gate)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None, "gone"])), max_size=30),
)
def test_the_phone_book_says_what_the_last_records_say(changes: list[tuple[str, str | None]]) -> None:
    """Numbers move between people, are shared, and go."""
    book, model = PhoneBook(), {}
    for person, number in changes:
        if number == "gone":
            book.record(person.encode(), None)
            model.pop(person, None)
        else:
            book.record(person.encode(), record(person, number))
            model[person] = number
    for number in "xy":
        assert {one.person_id for one in book.holders(number)} == {who for who, has in model.items() if has == number}
    assert len(book) == sum(has is not None for has in model.values())


def test_the_phone_book_keeps_what_is_to_be_confirmed() -> None:
    """And passes over what it can't read."""
    book = PhoneBook()
    book.record(b"p", record("p", "x", unconfirmed=("sms/marketing",)))
    assert book.holders("x") == (Holder("p", None, unconfirmed=True),)
    book.record(b"q", b'{"sms" nonsense')
    assert (book.malformed, len(book)) == (1, 1)
    book.record(b"!progress:0", b'{"type":"progress","partition":0,"orders_read_ms":1}')
    assert len(book) == 1


# -- signatures --------------------------------------------------------------------------------------------------------

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"), ("To", "+18005551212"),
          ("Caller", "+14158675309")]  # fmt: skip


def test_signatures_are_twilios() -> None:
    """The values of Twilio's own tests of its library; with a second token beside."""
    assert is_signed(URL, PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", tokens=["12345"])
    assert is_signed(URL, PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", tokens=["other", "12345"])
    several = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert is_signed(URL, several, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", tokens=["12345"])


@pytest.mark.parametrize(
    ("url", "form_", "signature", "tokens"),
    [
        (URL + "&x=1", PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", ["12345"]),
        (URL, PARAMS[1:], "RSOYDt4T1cUTdK1PDd93/VVr8B8=", ["12345"]),
        (URL, PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", ["1234"]),
        (URL, PARAMS, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", []),
        (URL, PARAMS, "", ["12345"]),
        (URL, PARAMS, "é", ["12345"]),
    ],
)
def test_forgeries(url: str, form_: list[tuple[str, str]], signature: str, tokens: list[str]) -> None:
    """Another address, fields, token, or nothing at all."""
    assert not is_signed(url, form_, signature, tokens=tokens)
