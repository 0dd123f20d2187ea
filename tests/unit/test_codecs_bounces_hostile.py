"""Returned mails that are damaged, huge or meant to be slow: there is an answer, and soon."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounced_mails import CORPUS, HEAD, REPORT, one
from postcart.codecs.bounces import read_bounce


@given(st.sampled_from(sorted(CORPUS)), st.data())
@settings(max_examples=50)
def test_mutated_mails_never_raise(name: str, data: st.DataObject) -> None:
    """Cut, doubled, overwritten: there is an answer, and its kind is one of the closed set."""
    mail = bytearray(CORPUS[name][:20_000])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(mail)))
        piece = data.draw(
            st.one_of(st.binary(max_size=30), st.sampled_from([b"\n\n", b"--", b"\r\n", b"=?utf-8?b?", b": "]))
        )
        end = data.draw(st.integers(at, min(len(mail), at + 400)))
        mail[at:end] = piece
    told = read_bounce(bytes(mail))
    assert told
    assert {item.kind for item in told} <= {"delivered", "hard", "soft", "policy", "complaint", "other"}


@given(st.binary(max_size=400))
def test_any_bytes_never_raise(data: bytes) -> None:
    """Also as a report's part."""
    assert read_bounce(data)
    assert read_bounce(REPORT + data)


def nested(depth: int) -> bytes:
    levels = (b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (at, at + 1) for at in range(depth))
    return HEAD + b"Content-Type: multipart/mixed; boundary=b0\n\n" + b"".join(levels)


HOSTILE = {
    "empty lines": HEAD + b"\n" * 1_000_000,
    "boundaries": HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 300_000,
    "wrong boundaries": HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--a\n" * 300_000,
    "spaces behind dashes": HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n--x" + b" " * 1_000_000,
    "nested": nested(10_000),
    "spaces": HEAD + b"\n" + b" " * 1_000_000,
    "at signs": HEAD + b"\n" + b"a@" * 500_000,
    "angle brackets": HEAD + b"Content-Type: text/html\n\n" + b"<" * 1_000_000,
    "recipients": REPORT + b"Final-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.0.0\n\n" * 50_000,
    "long recipients": REPORT + (b"Final-Recipient: " + b"a" * 3_900 + b"\nAction: failed\nStatus: 5.0.0\n\n") * 1_000,
    "folded header": b"Subject: x\n" + b" y\n" * 1_000_000,
    "encoded words": b"Subject: " + b"=?utf-8?b?" * 400_000 + b"\n\n",
    "codes": HEAD + b"\n" + b"5.1." * 1_000_000,
    "addresses": HEAD + b"\n" + b"a@b.example\n" * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_take_no_time(name: str) -> None:
    """Millions of bytes meant to be slow: seconds of CPU would be quadratic; all take about half of one."""
    began = time.process_time()
    assert read_bounce(HOSTILE[name])
    assert time.process_time() - began < 5


@pytest.mark.parametrize("before", [True, False])
def test_large_mails_are_read_where_it_matters(before: bool) -> None:  # noqa: FBT001 -- a case
    """20 MB returned: the report is found, wherever it stands."""
    fields = b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"
    report = b"--b\nContent-Type: message/delivery-status\n\n" + fields
    returned = b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\n" + (b"x" * 76 + b"\n") * 260_000
    head = HEAD + b"Content-Type: multipart/report; boundary=b\n\n"
    data = head + (report + returned if before else returned + report) + b"\n--b--\n"
    assert len(data) > 20_000_000
    assert one(data)[:3] == ("hard", "a@b.example", "5.1.1")
