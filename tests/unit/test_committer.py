"""The committer's decisions, with a producer and a broker that do as they are told."""

# ruff: noqa: D102 -- the stand-ins have the methods of what they stand for, documented there

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from postcart.adapters.rdkafka import committer
from postcart.adapters.rdkafka.committer import Committer
from postcart.adapters.rdkafka.listener import Membership
from postcart.adapters.rdkafka.transaction import TransactionAborted, TransactionExpired
from postcart.errors import Fenced

JOBS = ("jobs", 0)
RECORD = ("receipts", b"v", b"k", 0, None)


class Broker:
    """What was committed, and what producers are told to do, one after the other."""

    def __init__(self, *scripts: Callable[["Producer"], None]) -> None:
        self.scripts = list(scripts)
        self.committed: list[list[Any]] = []
        self.touched = 0
        self.leniences: list[int] = []
        self.mark: str | None = None
        self.pending = False
        self.producers: list[Producer] = []
        self.causes: list[str] = []
        self.owned = frozenset({JOBS})
        self.refusals: list[int] = []
        self.offsets: list[tuple[str, int, int]] = []

    def producer(self, lenience: int) -> Any:
        self.leniences.append(lenience)
        self.producers.append(Producer(self))
        return self.producers[-1]

    def membership(self) -> "Future[Membership]":
        found: Future[Membership] = Future()
        found.set_result(Membership("metadata", self.owned))
        return found

    async def marks(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str | None]:
        return {} if self.pending else dict.fromkeys(partitions, self.mark)

    def call(self, request: Callable[[Any], None]) -> "Future[None]":
        """What the poller is asked to do with the consumer; here the consumer refuses what it was told to."""
        done: Future[None] = Future()
        try:
            done.set_result(request(self))
        except KafkaException as error:
            done.set_exception(error)
        return done

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert not asynchronous
        if self.refusals:
            raise KafkaException(KafkaError(self.refusals.pop()))
        self.offsets += [(one.topic, one.partition, one.offset) for one in offsets]

    def committer(self) -> Committer:
        poller: Any = SimpleNamespace(membership=self.membership, call=self.call)
        return Committer(self.producer, poller=lambda: poller, marks=self.marks, attempts=3, aborted=self.causes.append)


class Producer:
    """In the transactor's place: each write does what the script says first."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.asked = False
        self.stopped = threading.Event()
        self.hangs = False

    @property
    def busy(self) -> bool:
        return self.hangs

    def open(self) -> None: ...

    def overdue(self) -> bool:
        return self.hangs

    def give_up(self) -> bool:
        self.stopped.set()
        return self.asked

    def write(self, records: Iterable[Any], _offsets: Any, _metadata: Any, mark: str) -> None:
        self.asked = False
        lines = list(records)
        if self.broker.scripts:
            self.broker.scripts.pop(0)(self)
        if self.stopped.is_set():
            raise Fenced("stopped before the commit was asked for")
        self.take(lines, mark)

    def touch(self, records: Iterable[Any], _offsets: Any, _metadata: Any) -> None:
        self.asked = False
        assert list(records) == [RECORD]
        self.broker.touched += 1

    def take(self, lines: list[Any], mark: str) -> None:
        self.asked = True
        self.broker.committed.append(lines)
        self.broker.mark = mark


def hang(producer: Producer) -> None:
    """Before the commit, until given up."""
    producer.hangs = True
    producer.stopped.wait(20)


def hang_after_commit(producer: Producer) -> None:
    """The commit takes place, and its answer never comes."""
    producer.take([RECORD], "boot:1")
    hang(producer)
    raise TransactionExpired("too late")


def lose_commit(producer: Producer) -> None:
    """The commit was asked for, and the broker gave the transaction up."""
    producer.asked = True
    raise TransactionExpired("fenced after a time-out")


def aborted(reason: str, *, outage: bool = False) -> Callable[[Producer], None]:
    def script(_: Producer) -> None:
        raise TransactionAborted(reason, outage=outage)

    return script


def commit(broker: Broker, *, forgetful: bool = False) -> None:
    async def run() -> None:
        made = broker.committer()
        made._boot = "boot"
        made.forgetful_broker = forgetful
        await made.open()
        try:
            await made.commit(lambda: [RECORD], {JOBS: 7})
        finally:
            made.stop()

    asyncio.run(run())


def test_a_producer_that_hangs_is_left_behind() -> None:
    """Whatever call it hangs in: another one writes, and the former never asks for its commit."""
    broker = Broker(hang)
    commit(broker)
    assert broker.committed == [[RECORD]]
    assert broker.leniences == [1, 2, 1]
    assert broker.producers[0].stopped.is_set()
    assert broker.touched == 1
    assert broker.causes == ["outage"]


def test_a_commit_without_an_answer_is_not_repeated() -> None:
    """Its mark is there: it took place, and nothing may abort what it left open."""
    broker = Broker(hang_after_commit)
    commit(broker)
    assert broker.committed == [[RECORD]]
    assert broker.touched == 0


def test_a_commit_that_got_lost_is_repeated() -> None:
    """Its mark is not there, although the offsets might be: they need not have moved."""
    broker = Broker(lose_commit)
    broker.mark = "boot:0"
    commit(broker)
    assert broker.committed == [[RECORD]]
    assert broker.touched == 1
    assert broker.mark == "boot:1"


def test_a_commit_that_the_broker_forgot_is_repeated() -> None:
    """Its mark stays pending: it is aborted by touching the same partitions, then written again."""
    broker = Broker(lose_commit)
    broker.pending = True
    commit(broker)
    assert broker.committed == [[RECORD]]
    assert broker.touched == 1


def test_an_outage_uses_up_no_attempts() -> None:
    """As often as it takes; a rebalance in between counts once."""
    broker = Broker(*[aborted("_TIMED_OUT", outage=True)] * 5, aborted("STALE_MEMBER_EPOCH"))
    commit(broker)
    assert broker.committed == [[RECORD]]
    assert broker.causes == ["outage"] * 5 + ["rebalance"]
    assert broker.touched == 5
    assert broker.leniences == [1, 2, 4, 6, 6, 6, 1]


def test_what_is_refused_again_and_again_ends_the_process() -> None:
    """With fresh metadata each time: starting anew is the way out."""
    broker = Broker(*[aborted("STALE_MEMBER_EPOCH")] * 3)
    with pytest.raises(Fenced, match="aborted 3 times"):
        commit(broker)
    assert broker.committed == []


def test_plain_offsets_that_a_rebalance_refuses_are_committed_again() -> None:
    """On a broker that forgets those of transactions; the consumer hears of its new epoch a little later."""
    broker = Broker()
    broker.refusals = [KafkaError.STALE_MEMBER_EPOCH] * 2
    commit(broker, forgetful=True)
    assert broker.offsets == [(*JOBS, 7)]
    assert broker.committed == [[RECORD]]


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [(KafkaError.STALE_MEMBER_EPOCH, Fenced), (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaException)],
)
def test_plain_offsets_that_stay_refused_end_the_process(refusal: int, raised: type[Exception]) -> None:
    """In rebalance after rebalance, or for another reason at once."""
    broker = Broker()
    broker.refusals = [refusal] * 3
    with pytest.raises(raised):
        commit(broker, forgetful=True)
    assert broker.offsets == []
    assert len(broker.refusals) == (0 if raised is Fenced else 2)


def test_nothing_is_written_for_a_partition_that_is_gone() -> None:
    """Its new owner has its own."""
    broker = Broker()
    broker.owned = frozenset()
    with pytest.raises(Fenced, match="lost before"):
        commit(broker)
    assert broker.committed == []


def test_there_is_a_bound_to_what_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Producers that hang keep threads and memory: a process with too many of them starts anew."""
    monkeypatch.setattr(committer, "_MOST_LEFT_BEHIND", 2)
    broker = Broker(*[hang] * 4)
    with pytest.raises(Fenced, match="left behind"):
        commit(broker)
