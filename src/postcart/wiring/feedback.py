"""The composition root of the feedback intake: settings become the desk that deals with returned mails.

Owns: which collaborator goes where. Must not: hold a rule.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from postcart.adapters.mail_intake import IntakeOptions
from postcart.adapters.mailboxes import StoredMail
from postcart.adapters.record_log import RecordLog
from postcart.adapters.topics import partition_count
from postcart.gateway.desk import FeedbackDesk, FeedbackMetrics
from postcart.gateway.feedback import FeedbackReader, Result
from postcart.metrics.feedback import FeedbackFigures
from postcart.metrics.server import MetricsServer
from postcart.settings import Settings
from postcart.wiring.email import envelope_senders, unsubscribe_links
from postcart.wiring.instruments import process_instruments
from postcart.wiring.process import Clock, client_settings, require_own_keys, worker_clock
from postcart.wiring.worker_name import worker_name
from postcart.workers.feedback import run_intake

_OWN = ("unsubscribe.token_secret", "shop.from_address")
"""Tokens signed by a key that everybody knows would let everybody suppress anybody."""


class Fed(NamedTuple):
    """What became of a mail of a mailbox."""

    place: str
    result: Result


def run_feedback(settings: Settings) -> int:
    """Take returned mails in until told to stop; returns the exit code.

    Raises:
        TopologyError: A topic that it writes to is missing.
        BrokerUnavailable: Kafka can't be reached.
        ConfigurationError: Anything else that must be changed first.
    """
    require_own_keys(settings, *_OWN)
    instruments, listens = process_instruments(), threading.Event()
    with worker_clock(settings) as clock, ExitStack() as stack:
        desk = feedback_desk(settings, clock=clock, metrics=FeedbackFigures(instruments))
        if settings.metrics_port:
            live, ready = {"producer": lambda: desk.records.failed is None}, {"listening": listens.is_set}
            stack.enter_context(MetricsServer(instruments.registry, live=live, ready=ready, port=settings.metrics_port))
        return run_intake(
            desk, intake_options(settings), listening=lambda now: listens.set() if now else listens.clear()
        )


def feed(settings: Settings, mails: Iterable[StoredMail]) -> Iterator[Fed]:
    """Write what mails of a mailbox bring, each marked as dealt with once the broker has it.

    Run again after an interruption it goes on with the rest; what is written twice counts once.

    Raises:
        TopologyError: A topic that it writes to is missing.
        BrokerUnavailable: Kafka can't be reached; the mails not yielded are untouched.
    """
    require_own_keys(settings, *_OWN)
    with worker_clock(settings) as clock:
        desk = feedback_desk(settings, clock=clock, metrics=FeedbackFigures(process_instruments()))
        for mail in mails:
            result = desk.take(mail.data, source="mailbox")
            mail.done()
            yield Fed(mail.place, result)


def feedback_reader(settings: Settings) -> FeedbackReader:
    """Reads returned mails by this installation's tokens."""
    complaints = settings.feedback.complaints
    return FeedbackReader(
        envelope_senders(settings),
        unsubscribe_links(settings),
        unsubscribe=str(settings.unsubscribe.mailto),
        complaints=str(complaints) if complaints else None,
    )


def feedback_desk(settings: Settings, *, clock: Clock, metrics: FeedbackMetrics) -> FeedbackDesk:
    """Deals with returned mails.

    Raises:
        TopologyError: A topic that it writes to is missing.
        BrokerUnavailable: Kafka can't be reached.
    """
    receipts, consents = settings.topic("receipts"), settings.topic("consents")
    counts = {name: partition_count(settings, name) for name in (receipts, consents)}
    return FeedbackDesk(
        reader=feedback_reader(settings),
        records=RecordLog(client_settings(settings), f"feedback.{worker_name(settings)}", counts),
        receipts=receipts,
        consents=consents,
        now_ms=lambda: clock.now_ms() or clock.real_ms(),
        metrics=metrics,
    )


def intake_options(settings: Settings) -> IntakeOptions:
    """Where mails are taken in."""
    feedback = settings.feedback
    return IntakeOptions(
        host=feedback.host,
        port=feedback.port,
        protocol=feedback.protocol,
        max_bytes=feedback.max_bytes,
        connections=feedback.connections,
        timeout_s=feedback.timeout_s,
    )
