"""Returned mails: the corpus in the repository, and heads of made-up ones.

Owns: reading the corpus's files, and the one line of a mail that has one. Must not: know what a mail means.
"""

from pathlib import Path

from postcart.codecs.bounces import Told, read_bounce

FOLDER = Path(__file__).parent / "fixtures/bounces"
CORPUS = {file.name: file.read_bytes() for file in sorted(FOLDER.glob("*.eml"))}

HEAD = b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n"
REPORT = (
    HEAD + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
    b"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n"
    b"Reporting-MTA: dns; mx.example\n\n"
)


def one(data: bytes) -> Told:
    """What is told of the mail's one recipient."""
    [told] = read_bounce(data)
    return told
