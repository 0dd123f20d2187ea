"""A mail that came back becomes a record: only with a token of ours, and the same however often it comes."""

from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.content.tokens import EnvelopeSenders, OptOut, UnsubscribeLinks
from postcart.events.consents import ConsentRecorded
from postcart.events.jobs import DeliveryReport
from postcart.events.times import DAY_MS, parse_iso
from postcart.gateway.feedback import RESULTS, FeedbackReader

SECRET = b"sixteen bytes or more"
DOMAIN = "bounces.shop.example"
ENVELOPE = EnvelopeSenders(DOMAIN, SECRET)
LINKS = UnsubscribeLinks("https://shop.example/u", "out@shop.example", SECRET)
READER = FeedbackReader(ENVELOPE, LINKS, unsubscribe="Out@shop.example", complaints="fbl@shop.example")
NOW_MS = parse_iso("2022-10-05T12:00:00Z")
PERSON, JOB = str(UUID(int=7)), str(UUID(int=11))
SENDER = ENVELOPE.of(JOB, PERSON)
FOLDER = Path(__file__).parents[1] / "fixtures/bounces"


def dsn(status: str = "5.1.1", *, to: str = "x@shop.example", date: str = "Tue, 04 Oct 2022 10:00:00 +0000") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nTo: {to}\nDate: {date}\nSubject: failure\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; ana@b.example\nAction: failed\nStatus: {status}\n"
        "Diagnostic-Code: smtp; 550 <ana@b.example> no such user ana\n\n--b--\n"
    ).encode()


def report_of(data: bytes, recipient: str | None = None) -> DeliveryReport:
    brought = READER.read(data, recipient=recipient, now_ms=NOW_MS)
    assert brought.result == "report"
    assert brought.report is not None
    return brought.report


def test_a_bounce_to_its_envelope_sender_is_a_report() -> None:
    """On the job and the person that the address names; without the recipient's address."""
    report = report_of(dsn(), SENDER.upper())
    assert (report.job_id, report.person_id, report.kind, report.status) == (JOB, PERSON, "hard", "5.1.1")
    assert (report.channel, report.source, report.at_ms) == ("email", "dsn", parse_iso("2022-10-04T10:00:00Z"))
    assert "ana" not in str(report)


def test_the_same_said_again_is_the_same_report() -> None:
    """Whenever and however it comes; another status is another report."""
    first = report_of(dsn(), SENDER)
    again = report_of(dsn(to=SENDER, date="Wed, 05 Oct 2022 11:00:00 +0000"))
    assert again.report_id == first.report_id
    assert report_of(dsn("4.4.7"), SENDER).report_id != first.report_id


@pytest.mark.parametrize("date", ["", "nonsense", "Mon, 01 Jan 2035 00:00:00 +0000", "Mon, 03 Jan 2000 00:00:00 +0000"])
def test_a_date_that_can_not_be_is_now(date: str) -> None:
    """Missing, damaged, in the future or long ago: people's clocks decide nothing."""
    assert report_of(dsn(date=date), SENDER).at_ms == NOW_MS
    assert report_of(dsn(date="Tue, 04 Oct 2022 10:00:00 -0000"), SENDER).at_ms <= NOW_MS


def test_without_an_authentic_token_nothing_is_suppressed() -> None:
    """Made up, of another secret, or none; and the form that does not name the person."""
    forged = EnvelopeSenders(DOMAIN, b"another secret 16").of(JOB, PERSON)
    for to in (forged, "someone@shop.example", ENVELOPE.of(JOB, "customer-7")):
        assert READER.read(dsn(to=to), now_ms=NOW_MS).result == "unmatched"
    assert not READER.accepts(forged)
    assert not READER.accepts("someone@shop.example")
    assert READER.accepts(SENDER.upper())
    assert READER.accepts("out@shop.example")
    assert READER.accepts("FBL@shop.example")


def test_a_mailbox_is_read_without_an_envelope() -> None:
    """By the header of whoever delivered it, else by what is quoted."""
    assert report_of(b"Delivered-To: " + SENDER.encode() + b"\n" + dsn()).job_id == JOB
    quoted = dsn() + b"\nReturn-Path: <" + SENDER.encode() + b">\nSubject: Your cart\n"
    assert report_of(quoted).job_id == JOB


def test_a_complaint_is_matched_by_the_mail_that_it_is_about() -> None:
    """Feedback loops report to one address and quote the envelope sender."""
    arf = (
        "From: fbl@isp.example\nTo: fbl@shop.example\nContent-Type: multipart/report; report-type=feedback-report; "
        "boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        f"Original-Mail-From: <{SENDER}>\nOriginal-Rcpt-To: <ana@b.example>\n\n--b--\n"
    ).encode()
    report = report_of(arf, "fbl@shop.example")
    assert (report.kind, report.job_id, report.source, report.status) == ("complaint", JOB, "arf", None)
    assert READER.read(arf.replace(b"abuse", b"not-spam"), now_ms=NOW_MS).result == "nothing"


def test_an_answering_machine_says_nothing() -> None:
    """Out-of-office notes go to the envelope sender, too."""
    note = b"From: ana@b.example\nAuto-Submitted: auto-replied\nSubject: Away until May\n\nMailbox full of joy.\n"
    assert READER.read(note, recipient=SENDER, now_ms=NOW_MS).result == "nothing"


def test_the_worst_of_several_recipients_counts() -> None:
    """An alias of the recipient: the job had one."""
    both = dsn("4.4.7").replace(
        b"--b--", b"Final-Recipient: rfc822; c@d.example\nAction: failed\nStatus: 5.1.1\n\n--b--"
    )
    assert report_of(both, SENDER).kind == "hard"


@pytest.mark.parametrize("form", ["plain", "answered", "folded", "encoded"])
def test_an_opt_out_by_mail_takes_consent_back(form: str) -> None:
    """The token is the subject, as the mail program made of the link; idempotent, with evidence."""
    opt_out = OptOut(PERSON, "email", "marketing")
    subject = f"unsubscribe {LINKS.token(opt_out)}"
    message = EmailMessage()
    message["To"] = "out@shop.example"
    message["Subject"] = {"answered": f"Re: {subject}", "encoded": f"désabonner {subject}"}.get(form, subject)
    message.set_content("")
    data = message.as_bytes()
    if form == "folded":
        data = data.replace(b"unsubscribe ", b"unsubscribe\r\n ")
    for recipient in ("OUT@shop.example", None):
        brought = READER.read(data, recipient=recipient, now_ms=NOW_MS)
        consent = brought.consent
        assert brought.result == "opt_out"
        assert consent is not None
        assert consent == ConsentRecorded(
            person_id=PERSON,
            channel="email",
            purpose="marketing",
            given=False,
            at_ms=NOW_MS,
            evidence=consent.evidence,
        )
        assert "2022-10-05T12:00:00Z" in (consent.evidence or "")
    changed = data.replace(LINKS.token(opt_out)[:20].encode(), b"A" * 20)
    assert changed == data or READER.read(changed, recipient="out@shop.example", now_ms=NOW_MS).result == "unmatched"


@given(
    st.sampled_from(sorted(FOLDER.glob("*.eml"))),
    st.sampled_from([SENDER, "out@shop.example", "fbl@shop.example", None]),
)
def test_whatever_comes_there_is_a_result(file: Path, recipient: str | None) -> None:
    """Strangers' bounces: matched only by the address that they came to."""
    brought = READER.read(file.read_bytes(), recipient=recipient, now_ms=NOW_MS)
    assert brought.result in RESULTS
    assert (brought.report is not None) == (brought.result == "report")
    assert brought.report is None or (recipient == SENDER and NOW_MS - 31 * DAY_MS < brought.report.at_ms <= NOW_MS)
