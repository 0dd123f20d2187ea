"""The mail server of a run: it keeps the ledger, and answers as it is told.

Owns: the manners of a server, each a small rule over stage and address. Must not: know what is expected.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Protocol

from faults.crew import wall_ms
from postcart.adapters.mail_sink import Drop, Late, MailSink, SinkOptions, Stage, running_sink

Answer = str | Drop | Late | None


class Manner(Protocol):
    """How a server answers."""

    def __call__(self, stage: Stage, subject: str) -> Answer:
        """As ``mail_sink.Script``."""


def share_of(subject: str, share: float, salt: str = "") -> bool:
    """Whether this address or Message-ID is among the chosen; the same always."""
    return int.from_bytes(sha256(f"{salt}{subject}".encode()).digest()[:4]) < share * 2**32


def polite(_stage: Stage, _subject: str) -> Answer:
    """Says yes to all."""
    return None


class Refusing:
    """Gives one answer at one stage, to a share of the addresses."""

    def __init__(self, stage: Stage, answer: str, *, share: float = 1.0) -> None:
        self._stage, self._answer, self._share = stage, answer, share

    def __call__(self, stage: Stage, subject: str) -> Answer:
        """As ``Manner``."""
        return self._answer if stage == self._stage and share_of(subject, self._share) else None


def greylisting() -> Manner:
    """Later, for everybody."""
    return Refusing("rcpt", "451 4.7.1 greylisted, try again in 60 seconds")


def holding_back() -> Manner:
    """Not now, before anybody is named."""
    return Refusing("mail", "451 4.3.2 not now")


def locked() -> Manner:
    """Our login is refused."""
    return Refusing("mail", "535 5.7.8 bad credentials")


def nobody_there(share: float) -> Manner:
    """A share of the addresses does not exist."""
    return Refusing("rcpt", "550 5.1.1 no such user", share=share)


def by_policy(share: float) -> Manner:
    """A share of the addresses is closed to us."""
    return Refusing("rcpt", "550 5.7.1 blocked by policy", share=share)


class Ambiguous:
    """Takes a share of the messages, once each, and then is silent, or late with its yes."""

    def __init__(self, answer: Drop | Late, *, share: float) -> None:
        self._answer, self._share = answer, share
        self._met: set[str] = set()
        self.count = 0
        """How many answers nobody heard."""

    def __call__(self, stage: Stage, subject: str) -> Answer:
        """As ``Manner``."""
        if stage != "accept" or subject in self._met or not share_of(subject, self._share):
            return None
        self._met.add(subject)
        self.count += 1
        return self._answer


class Mailroom:
    """The server with its manner, which may change at any time, and a count of what it was asked."""

    def __init__(self) -> None:
        self.manner: Manner = polite
        self.refused: Counter[str] = Counter()
        """Refusals by their code."""
        self._lock = threading.Lock()
        self.sink: MailSink

    def answer(self, stage: Stage, subject: str) -> Answer:
        """As ``mail_sink.Script``."""
        said = self.manner(stage, subject)
        with self._lock:
            if isinstance(said, str):
                self.refused[said[:3]] += 1
        return said


@contextmanager
def open_mailroom(*, delay_s: float, credentials: tuple[str, str] | None = None) -> Iterator[Mailroom]:
    """A server until the block ends. ``delay_s``: how long it thinks about each message before it takes it."""
    room = Mailroom()
    options = SinkOptions(script=room.answer, delay_s=delay_s, credentials=credentials)
    with running_sink(options, wall_ms) as sink:
        room.sink = sink
        yield room
