"""Returned mails: what the corpus says, judged by a reader that shares no code, and what fields and words mean."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bounced_mails import CORPUS, FOLDER, HEAD, REPORT, one
from postcart.cli.app import app
from postcart.codecs.bounces import parse_mail, read_bounce
from postcart.codecs.bounces.told import Status, refined, statuses

READ = {name: read_bounce(data) for name, data in CORPUS.items()}


def judged(data: bytes) -> str | None:
    """What an independent reader finds: the first Status field, or the feedback type. Knows nothing of MIME."""
    text = data.decode("latin-1")
    if found := re.search(r"^Feedback-Type:[ \t]*([a-z-]+)", text, re.IGNORECASE | re.MULTILINE):
        return "other" if found[1].lower() in {"not-spam", "auth-failure", "other"} else "complaint"
    status = re.search(r"^Status:[ \t]*([245])\.(\d+)\.(\d+)", text, re.IGNORECASE | re.MULTILINE)
    if status is None:
        return None
    if status[1] == "5":
        return "policy" if status[2] == "7" else "hard"
    return {"4": "soft", "2": "other"}[status[1]]


def dsn(fields: str) -> bytes:
    return REPORT + fields.encode() + b"\n\n--b--\n"


def test_every_file_of_the_corpus_yields_a_line() -> None:
    """297 of them."""
    assert len(READ) == 297
    assert all(READ.values())


def test_files_with_a_status_are_read_as_it_says() -> None:
    """At least 95 in a hundred. The others have a general status and 5.7.x in the server's text: the text is right."""
    wanted = {name: kind for name, data in CORPUS.items() if (kind := judged(data))}
    wrong = {name: (kind, READ[name]) for name, kind in wanted.items() if READ[name][0].kind != kind}
    assert len(wanted) > 150
    assert len(wrong) <= 0.05 * len(wanted), wrong
    assert all(told[0].kind == "policy" and b"5.7." in CORPUS[name] for name, (_, told) in wrong.items())


def test_most_of_the_others_are_understood() -> None:
    """At most a fifth of them is `other`; answering machines and letters are."""
    rest = [name for name, data in CORPUS.items() if judged(data) is None]
    other = [name for name in rest if READ[name][0].kind == "other"]
    assert len(other) <= 0.2 * len(rest), other
    assert {name for name in rest if name.startswith(("rfc3834", "is-not-bounce"))} <= set(other)


def test_no_unknown_recipient_is_soft_and_no_policy_is_hard() -> None:
    """The two mistakes that cost: mailing the dead for ever, and punishing people for our reputation."""
    for name, told in READ.items():
        for item in told:
            status = item.status or ""
            assert not (status.startswith("5.1.") and item.kind == "soft"), name
            assert not (status.startswith("5.7.") and item.kind == "hard"), name
            assert not (status.startswith("4.") and item.kind == "hard"), name


def test_recipients_are_told_one_by_one() -> None:
    """Also where a notice has only words, or one has failed and another is delayed."""
    assert [(told.recipient, told.status) for told in READ["lhost-zoho-02.eml"]] == [
        ("mikeneko@example.co.jp", "5.2.1"),
        ("sabineko@example.co.jp", "5.2.2"),
    ]
    assert [told.kind for told in READ["rfc3464-35.eml"]] == ["hard", "soft", "hard"]
    assert len(READ["arf-16.eml"]) == 7


@pytest.mark.parametrize(
    ("fields", "kind", "status"),
    [
        ("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1", "hard", "5.1.1"),
        ("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 4.4.7", "soft", "4.4.7"),
        ("Final-Recipient: rfc822; a@b.example\nAction: delayed\nStatus: 4.0.0", "soft", "4.0.0"),
        ("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 4.2.2", "soft", "4.2.2"),
        ("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.7.1", "policy", "5.7.1"),
        ("Final-Recipient: rfc822; a@b.example\nAction: delivered\nStatus: 2.0.0", "delivered", "2.0.0"),
        ("Final-Recipient: rfc822; a@b.example\nAction: relayed\nStatus: 2.1.9", "other", "2.1.9"),
        ("Final-Recipient: rfc822; a@b.example\nAction: expanded", "other", None),
        (
            (
                "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0 (failed)\n"
                "Diagnostic-Code: smtp; 550 5.7.26 unauthenticated"
            ),
            "policy",
            "5.7.26",
        ),
        (
            (
                "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"
                "Diagnostic-Code: smtp; 450 4.2.2 given up"
            ),
            "hard",
            "5.0.0",
        ),
        (
            (
                "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 4.0.0\n"
                "Diagnostic-Code: smtp; 550 5.1.1 unknown"
            ),
            "hard",
            "5.1.1",
        ),
        ("Final-Recipient: rfc822; a@b.example\nAction: failed\nDiagnostic-Code: smtp; 550 no", "hard", "550"),
    ],
)
def test_a_recipients_fields(fields: str, kind: str, status: str | None) -> None:
    """Status decides; a general one is refined by the server's text; without one the text and the action decide."""
    told = one(dsn(fields))
    assert (told.kind, told.recipient, told.status, told.source) == (kind, "a@b.example", status, "dsn")


def test_recipients_without_blank_lines_between_and_with_original_ones_before() -> None:
    """As gateways write them."""
    first = (
        "Original-Recipient: rfc822; x@b.example\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1"
    )
    second = "Final-Recipient: rfc822; c@b.example\nAction: failed\nStatus: 4.4.1"
    for between in ("\n", "\n\n", "\n \t\n"):
        told = read_bounce(dsn(first + between + second))
        assert [(item.recipient, item.kind) for item in told] == [("a@b.example", "hard"), ("c@b.example", "soft")]


@pytest.mark.parametrize(
    ("feedback", "kind"),
    [
        ("abuse", "complaint"),
        ("fraud", "complaint"),
        ("opt-out", "complaint"),
        ("Abuse", "complaint"),
        ("not-spam", "other"),
        ("auth-failure", "other"),
        ("other", "other"),
    ],
)
def test_feedback_reports(feedback: str, kind: str) -> None:
    """`not-spam` takes a complaint back, authentication reports are about our own records."""
    told = one(
        b"From: fbl@isp.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\nSomebody.\n--b\nContent-Type: message/feedback-report\n\n"
        b"Feedback-Type: " + feedback.encode() + b"\nUser-Agent: x\nOriginal-Rcpt-To: <a@b.example>\n\n--b--\n"
    )
    assert (told.kind, told.recipient, told.source) == (kind, "a@b.example", "arf")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<a@b.example>: user unknown", "hard"),
        ("<a@b.example>:\nRemote host said: 550 No such user here", "hard"),
        ("<a@b.example>: mailbox is full", "soft"),
        ("<a@b.example>: 452 4.2.2 over quota", "soft"),
        ("<a@b.example>: host said: 554 your IP is listed at Spamhaus", "policy"),
        ("<a@b.example>: host said: 550 rejected for policy reasons", "policy"),
        ("<a@b.example>: Host not found, try again", "soft"),
        ("<a@b.example>: unknown host", "hard"),
        ("<a@b.example>: 421 come back", "soft"),
        ("<a@b.example>: 450 4.7.1 greylisted", "soft"),
        ("Hello!", "other"),
    ],
)
def test_words(text: str, kind: str) -> None:
    """Codes first, then well-known words, then the bare reply code."""
    assert one(HEAD + b"\n" + text.encode() + b"\n").kind == kind


def test_people_and_answering_machines_are_no_mail_servers() -> None:
    """Whatever they write: an out-of-office note that says "mailbox full" must suppress nobody."""
    letter = (
        b"From: Ann <ann@b.example>\nReturn-Path: <ann@b.example>\nSubject: Re: Your cart\n\n550 5.1.1 user unknown\n"
    )
    machine = (
        b"From: postmaster@b.example\nSubject: Automatic reply: Your cart\n\nmailbox full, user unknown 550 5.1.1\n"
    )
    assert one(letter).kind == one(machine).kind == "other"


def test_a_returned_message_does_not_speak() -> None:
    """What our own mail said below is not what the server says."""
    told = one(
        HEAD + b"\n<a@b.example>: mailbox full\n\n--- Below this line is a copy of the message.\n\n550 5.1.1 no\n"
    )
    assert told.kind == "soft"


def test_numbers_that_are_no_status() -> None:
    """Addresses of hosts and versions of programs."""
    assert statuses("host 5.1.1.27 [4.4.7.1], Exim 4.72, v15.4.1.2, 5.1.1 really") == [Status(5, 1, 1)]
    assert refined(Status(5, 0, 0), "10.5.7.1") == Status(5, 0, 0)


def test_foreign_charsets_and_encodings() -> None:
    """Encoded texts are decoded; charsets that lie or don't exist are no hindrance."""
    body = b"PGFAYi5leGFtcGxlPjogdXNlciB1bmtub3duCg=="  # <a@b.example>: user unknown
    for charset in (b"utf-8", b"iso-2022-jp", b"unknown-8bit", b"punycode", b"utf-16"):
        data = (
            HEAD + b"Content-Type: text/plain; charset=" + charset + b"\nContent-Transfer-Encoding: base64\n\n" + body
        )
        assert one(data).kind == ("other" if charset == b"utf-16" else "hard")
    assert (
        one(HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n<a@b.example>: user=20unkno=\nwn\n").kind == "hard"
    )


def test_parts_are_those_of_the_mail_itself() -> None:
    """A returned message stays one part, whatever it holds."""
    inner = b"Content-Type: multipart/mixed; boundary=z\n\n--z\n\nhello\n--z--\n"
    mail = parse_mail(REPORT + b"Action: failed\n--b\nContent-Type: message/rfc822\n\n" + inner + b"--b--\n")
    assert [part.content_type for part in mail.parts] == ["text/plain", "message/delivery-status", "message/rfc822"]


def test_the_command_prints_a_line_per_recipient(tmp_path: Path) -> None:
    """JSON lines with stable fields, also for what is no bounce; an unreadable file ends with 1."""
    names = ["lhost-zoho-02.eml", "is-not-bounce-01.eml", "arf-11.eml"]
    shown = CliRunner().invoke(app, ["bounces", *(str(FOLDER / name) for name in names), str(tmp_path), "-o", "json"])
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [list(line) for line in lines] == [["file", "kind", "recipient", "status"]] * 4
    assert Counter(line["kind"] for line in lines) == {"hard": 2, "other": 1, "complaint": 1}
    assert lines[2] == {"file": str(FOLDER / names[1]), "kind": "other", "recipient": None, "status": None}
    assert shown.exit_code == 1
    assert f"error: {tmp_path}: is a folder, but no maildir" in shown.stderr
    assert CliRunner().invoke(app, ["bounces", str(tmp_path / "none")]).exit_code == 2
