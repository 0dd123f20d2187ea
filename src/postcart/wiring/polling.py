"""The composition root of asking carriers that push nothing: settings become sources, answers become scans.

Owns: which collaborator goes where. Must not: hold a rule.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import msgspec
import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from postcart.adapters.clock import WallClock
from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.tracker import MOST_BYTES, TrackerApi, TrackerClient
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.record_log import RecordLog
from postcart.adapters.topics import Admin, poll_group, poll_inputs
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.records import RecordDecoder
from postcart.content.answer_files import load_answer_form
from postcart.content.carrier_files import SHIPPED
from postcart.domain.track.answers import AnswerForm, read_answer
from postcart.domain.track.polling import JITTER
from postcart.errors import BrokerUnavailable, ConfigurationError
from postcart.events.polls import PollRequest
from postcart.events.shipments import CarrierEvent
from postcart.metrics.polling import PollFigures
from postcart.senders.elapsed import elapsed_s
from postcart.senders.poll_config import PollConfig
from postcart.senders.poll_queue import Question
from postcart.senders.poll_records import PollRecords
from postcart.senders.polls import STAGE, PollDesk
from postcart.senders.providers import ProviderPlan, Providers
from postcart.settings import Settings
from postcart.settings.polling import EVERY, PollSource
from postcart.wiring.instruments import process_instruments
from postcart.wiring.looping import committed, member, probed, require_topics
from postcart.wiring.process import client_settings
from postcart.wiring.tracking import vocabularies
from postcart.wiring.worker_name import worker_name
from postcart.workers.poll import PollWorkerConfig, run_poll

log = structlog.get_logger(__name__)

Write = Callable[[Sequence[CarrierEvent], Sequence[DeadLetter]], None]


def run_poll_worker(settings: Settings) -> int:
    """Run a worker that asks carriers until it is told to stop; returns the exit code.

    Raises:
        ConfigurationError: Nobody is to be asked, or a file is wrong.
        TopologyError: Topics are missing.
        BrokerUnavailable: Kafka can't be reached.
    """
    forms = answer_forms(settings)
    if not forms:
        raise ConfigurationError("nobody is asked: set POSTCART_POLLING__CARRIERS (docs/tracking.md, Polling)")
    admin, group = Admin(settings), poll_group(settings)
    shipments, dead, counts = settings.shop_topic("shipments"), settings.topic("dead"), admin.partition_counts()
    require_topics(counts, (*poll_inputs(settings), shipments, dead))
    records = RecordLog(client_settings(settings), f"poll.{worker_name(settings)}", counts)
    making = PollRecords(shipments, dead)

    def write(events: Sequence[CarrierEvent], letters: Sequence[DeadLetter]) -> None:
        records.append(making.of(events, letters))

    def check() -> None:
        if records.failed is not None:
            raise BrokerUnavailable(f"the producer can't go on: {records.failed.str()}")

    instruments = process_instruments()
    figures = PollFigures(instruments, providers=tuple(forms), topic=settings.topic("polls"))
    clients = {one.name: tracker_client(one) for one in settings.polling.sources}
    config = PollWorkerConfig(
        desk=poll_desk(settings, forms, clients, write=write, figures=figures),
        open_consumer=member(settings, "poll", group, poll_inputs(settings)),
        committed=committed(admin, group),
        read=question_reader(write, figures),
        close=partial(_close, clients.values()),
        now_ms=WallClock().real_ms,
        check=check,
    )
    with probed(settings, instruments, config.health):
        return run_poll(config)


def answer_forms(settings: Settings) -> dict[str, AnswerForm]:
    """How each source's answers are read.

    Raises:
        ConfigurationError: All files that are wrong or missing.
    """
    forms: dict[str, AnswerForm] = {}
    problems: list[str] = []
    words = vocabularies(settings)
    for source in settings.polling.sources:
        try:
            form = load_answer_form(source.answer or "", settings.tracking.carriers_dir or SHIPPED)
        except ConfigurationError as error:
            problems += error.problems
            continue
        form = msgspec.structs.replace(form, vocabulary=source.vocabulary or form.vocabulary)
        if form.vocabulary not in words:
            problems.append(f"polling: {source.name}'s vocabulary is {form.vocabulary}; there is no such carriers file")
        forms[source.name] = form
    if problems:
        raise ConfigurationError(*problems)
    return forms


def tracker_client(source: PollSource) -> TrackerClient:
    """How a source is asked."""
    options = HttpOptions(
        read_s=source.timeout_s,
        whole_s=source.timeout_s + 5.0,
        connections=source.connections,
        most_bytes=MOST_BYTES,
        ca_file=source.ca_file,
    )
    names = dict(one.split("=", 1) for one in source.carriers if "=" in one)
    headers = {source.header: source.secret.get_secret_value()} if source.secret else {}
    api = TrackerApi(url=source.url or "", headers=headers, names=names)
    return TrackerClient(api, HttpClient(options), now_ms=WallClock().real_ms)


def poll_desk(
    settings: Settings,
    forms: Mapping[str, AnswerForm],
    clients: Mapping[str, TrackerClient],
    *,
    write: Write,
    figures: PollFigures,
) -> PollDesk:
    """The desk of all sources."""
    polling = settings.polling
    plans = [
        ProviderPlan(name=one.name, in_flight=one.connections, rate_per_s=one.rate_per_s) for one in polling.sources
    ]
    probe_s = min(one.probe_s for one in polling.sources)
    routes = {carrier.partition("=")[0]: one.name for one in polling.sources for carrier in one.carriers}
    return PollDesk(
        PollConfig(
            sources=clients,
            providers=Providers(plans, first_probe_s=probe_s, most_probe_s=probe_s),
            route=lambda carrier: routes.get(carrier) or routes.get(EVERY),
            read=lambda name, document, request: read_answer(document, forms[name], request),
            write=write,
            metrics=figures,
            least_s=polling.interval_s * (1 - JITTER),
            oldest_ms=int(polling.longest_s * 1_000 * (1 + JITTER)),
            elapsed_s=elapsed_s,
        )
    )


def question_reader(write: Write, figures: PollFigures) -> Callable[[RecordBatch], Sequence[Question]]:
    """From a batch to its questions; what can't be read is set aside first."""
    decode = RecordDecoder(PollRequest, stage=STAGE).decode_batch

    def read(batch: RecordBatch) -> Sequence[Question]:
        found: list[Question] = []
        for message in batch.records:
            requests, letters = decode([message])
            if letters:
                write((), letters)
                figures.dead(letters[0].reason)
                log.error("poll_unreadable", partition=batch.partition, reason=letters[0].reason)
            place = (batch.topic, batch.partition)
            found += (Question(one, message, place, message.offset() or 0, _appended_ms(message)) for one in requests)
        return found

    return read


def _appended_ms(message: Message) -> int:
    kind, at_ms = message.timestamp()
    return WallClock().real_ms() if kind == TIMESTAMP_NOT_AVAILABLE else at_ms


async def _close(clients: Collection[TrackerClient]) -> None:
    for one in clients:
        await one.close()
