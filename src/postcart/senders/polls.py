"""Asking carriers where parcels are, and writing what they answer as if they had pushed it.

Owns: whom to ask when, and what follows from an answer or from none. Must not: fetch questions, know a provider, or say
what a status means.

A question is dealt with once what its answer brought is on Kafka: so nothing is lost, and what is written twice changes
nothing, as a scan's id is the same however often it comes. What was written lately is remembered and left out; of
expectations only the latest of each parcel, as one that comes back is news.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import structlog

from postcart.codecs.dead_letters import HEAD_BYTES, DeadLetter, dead_letter
from postcart.domain.track.answers import Answer
from postcart.errors import (
    BrokerUnavailable,
    CredentialsRejected,
    DeliveryError,
    ProviderBusy,
    RecipientRejected,
    UnreadableRecord,
)
from postcart.events.polls import PollRequest
from postcart.events.shipments import CarrierEvent, Moment, ParcelEstimate
from postcart.senders.backoff import probe_backoff_s
from postcart.senders.poll_config import Outcome, PollConfig
from postcart.senders.poll_queue import PollQueue, Question, Waiting

log = structlog.get_logger(__name__)

T = TypeVar("T")
_Window: TypeAlias = tuple[Moment, Moment | None]

STAGE: Final = "poll"
_FIRST_S: Final = 10.0
_MOST_S: Final = 600.0
"""Between two tries of one question."""
_BUSY_S: Final = 30.0
_BUSY_LEAST_S: Final = 1.0
_BUSY_MOST_S: Final = 86_400.0
"""A provider that is busy and does not say for how long; the shortest and the longest word that is taken."""
_REMEMBERED: Final = 200_000
"""Scans, and parcels with what is expected of them; some 30 MB each."""
_FAULTS_TOLD: Final = 3
_TOO_DEEP: Final = Answer(faults=["the answer is nested too deep"])
_ANSWER: Final = "answer"
"""Header of a dead letter: what came."""


class PollDesk:
    """What one worker has to ask. Belongs to one event loop."""

    def __init__(self, config: PollConfig) -> None:
        self._config = config
        self.queue = PollQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked_s: OrderedDict[str, float] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._expected: OrderedDict[str, _Window] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def take(self, question: Question, now_ms: int) -> None:
        """Take a question in, unless it came too late or just was asked."""
        if question.appended_ms < now_ms - self._config.oldest_ms:
            self._config.metrics.ended("", "old")
        elif self._just_asked(question.request.parcel_key) or self.queue.put(question):
            self._config.metrics.ended("", "repeated")

    def start(self, now_ms: int) -> None:
        """Ask what may be asked now."""
        config, full = self._config, set[str]()
        now_s = config.elapsed_s()
        for waiting in self.queue.in_line():
            question = waiting.question
            name = config.route(question.request.carrier)
            if name is None or question.appended_ms < now_ms - config.oldest_ms:
                config.metrics.ended("", "unpolled" if name is None else "old")
                self.queue.done(waiting)
            elif name not in full and waiting.not_before_s <= now_s:
                if config.providers.choose(question.request.parcel_key, now_s, bound=name) is None:
                    full.add(name)
                    continue
                waiting.under_way = True
                config.metrics.circuit(name, config.providers.state(name))
                self._tasks.add(asyncio.create_task(self._ask(waiting, name)))
        config.metrics.pending(len(self.queue))

    async def settle(self, within_s: float | None) -> None:
        """Wait for the next answer, at most so long; None: for all that is under way."""
        if self._tasks:
            when = asyncio.ALL_COMPLETED if within_s is None else asyncio.FIRST_COMPLETED
            done, self._tasks = await asyncio.wait(self._tasks, timeout=within_s, return_when=when)
            for task in done:
                task.result()

    async def _ask(self, waiting: Waiting, name: str) -> None:
        try:
            answer, body = await self._answer(waiting.question.request, name)
        except DeliveryError as error:
            self._no_answer(waiting, name, error)
        else:
            await self._deal_with(waiting, name, answer, body)
        finally:
            waiting.under_way = False

    async def _answer(self, request: PollRequest, name: str) -> tuple[Answer, bytes | None]:
        config = self._config
        began_s = config.elapsed_s()
        try:
            body = await config.sources[name].ask(request.carrier, request.tracking_number)
        except UnreadableRecord as error:
            return Answer(faults=[error.detail]), b""
        finally:
            config.providers.finished(name)
            config.metrics.asked(name, config.elapsed_s() - began_s)
        if body is None:
            return Answer(), None
        return read_body(body, lambda document: config.read(name, document, request)), body

    async def _deal_with(self, waiting: Waiting, name: str, answer: Answer, body: bytes | None) -> None:
        """Write what is new; then the question is done."""
        config = self._config
        said = "; ".join(answer.faults[:_FAULTS_TOLD])
        key, expected = waiting.question.request.parcel_key, answer.estimate
        scans = [scan for scan in answer.scans if scan.id not in self._known]
        if expected is not None and self._expected.get(key) == _window(expected):
            expected = None
        new: list[CarrierEvent] = [*scans, *([] if expected is None else [expected])]
        fault = f"{key}/{said}"  # told once of a parcel, not with every round
        letters = [_letter(waiting.question, said, body)] if said and fault not in self._known else []
        if said and not answer.scans and answer.estimate is None:
            self._heard(name, works=False, status="unreadable", detail=said)
        else:
            self._heard(name, works=True)
        if new or letters:
            try:
                await asyncio.to_thread(config.write, new, letters)
            except BrokerUnavailable as error:
                log.warning("poll_answer_not_written", provider=name, detail=str(error))
                self._again(waiting)
                return
        _remember(self._known, dict.fromkeys([*(scan.id for scan in scans), *([fault] if said else [])]))
        if expected is not None:
            _remember(self._expected, {key: _window(expected)})
        self._done(waiting)
        for letter in letters:
            config.metrics.dead(letter.reason)
            log.error("poll_answer_unreadable", provider=name, detail=said)
        config.metrics.scans(name, len(scans))
        config.metrics.ended(name, _outcome(answer, body, new=bool(new)))

    def _no_answer(self, waiting: Waiting, name: str, error: DeliveryError) -> None:
        config = self._config
        if isinstance(error, RecipientRejected):
            log.warning("poll_refused", provider=name, status=error.status)
            self._heard(name, works=True)
            self._done(waiting)
            config.metrics.ended(name, "refused")
        elif isinstance(error, ProviderBusy):
            asked_s = _BUSY_S if error.retry_after_ms is None else error.retry_after_ms / 1_000
            asked_s = max(_BUSY_LEAST_S, min(asked_s, _BUSY_MOST_S))
            config.providers.hold(name, config.elapsed_s() + asked_s)
            log.warning("poll_provider_busy", provider=name, seconds=asked_s)
            config.metrics.circuit(name, config.providers.state(name))
            config.metrics.ended(name, "busy")
        else:
            refused = isinstance(error, CredentialsRejected)
            self._heard(name, works=False, at_once=refused, status=error.status, detail=str(error))
            self._again(waiting)
            config.metrics.ended(name, "credentials" if refused else "failed")

    def _done(self, waiting: Waiting) -> None:
        key = waiting.question.request.parcel_key
        self._asked_s[key] = self._config.elapsed_s()
        self._asked_s.move_to_end(key)
        self.queue.done(waiting)

    def _again(self, waiting: Waiting) -> None:
        waiting.failures += 1
        pause_s = probe_backoff_s(waiting.failures, first_s=_FIRST_S, most_s=_MOST_S)
        waiting.not_before_s = self._config.elapsed_s() + pause_s

    def _heard(
        self, name: str, *, works: bool, at_once: bool = False, status: str | None = None, detail: str = ""
    ) -> None:
        """What that says about the provider."""
        providers = self._config.providers
        if works and providers.works(name):
            log.info("poll_provider_back", provider=name)
        elif not works and providers.failed(name, self._config.elapsed_s(), at_once=at_once):
            log.error("poll_provider_paused", provider=name, status=status, detail=detail)
        self._config.metrics.circuit(name, providers.state(name))

    def _just_asked(self, key: str) -> bool:
        until_s = self._config.elapsed_s() - self._config.least_s
        while self._asked_s and next(iter(self._asked_s.values())) <= until_s:
            self._asked_s.popitem(last=False)
        return key in self._asked_s


def read_body(body: bytes, read: Callable[[Any], Answer]) -> Answer:
    """What an answer's bytes hold: ``read`` gets the document; bytes that are none are a fault."""
    try:
        document = msgspec.json.decode(body)
    except ValueError:  # msgspec's, and Python's for wrong UTF-8
        return Answer(faults=["the answer is no JSON"])
    except RecursionError:
        return _TOO_DEEP
    try:
        return read(document)
    except RecursionError:
        return _TOO_DEEP


def _letter(question: Question, said: str, body: bytes | None) -> DeadLetter:
    """The question, so that redriven it is asked again, with what came as a header."""
    letter = dead_letter(question.message, UnreadableRecord("answer", said), stage=STAGE)
    others = (header for header in letter.headers if header[0] != _ANSWER)  # a question that was redriven has the last
    return msgspec.structs.replace(letter, headers=(*others, (_ANSWER, (body or b"")[:HEAD_BYTES])))


def _outcome(answer: Answer, body: bytes | None, *, new: bool) -> Outcome:
    nothing = not answer.scans and answer.estimate is None
    if answer.faults and nothing:
        return "unreadable"
    if body is None or nothing:
        return "unknown"
    return "answered" if new else "unchanged"


def _window(estimate: ParcelEstimate) -> _Window:
    return estimate.estimated_at, estimate.until


def _remember(book: OrderedDict[str, T], entries: Mapping[str, T]) -> None:
    for key, entry in entries.items():
        book[key] = entry
        book.move_to_end(key)
    while len(book) > _REMEMBERED:
        book.popitem(last=False)
