"""What the contract suites of transport and engine share.

Owns: a listener that records, workers that run inside the test, and waiting for conditions. Must not: sleep for a fixed
time and hope.
"""

# ruff: noqa: D102 -- the listener's methods are documented in its contract, the rest say themselves

import asyncio
import collections
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Self

from confluent_kafka import Producer, TopicPartition

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.codecs import dead_letters
from postcart.codecs.dead_letters import DeadLetter
from postcart.processors.engine.app import StageApp, build_app
from postcart.processors.engine.task import StageSpec
from postcart.processors.engine.worker import run_until_stopped
from stream import copier, trial

PARTITIONS = 4
PATIENCE_S = 60.0

Names = frozenset[tuple[str, int]]


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition; fail with its name."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, f"waited in vain until {what}"
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def asking(bootstrap: str) -> Iterator[Offsets]:
    """Ask the broker where partitions end and where groups stand."""
    offsets = Offsets(ClientSettings(bootstrap=bootstrap), client_id="asking")
    try:
        yield offsets
    finally:
        offsets.stop()


class Recorder:
    """A listener that writes down what it is told, and gives its reader each batch of the started partitions."""

    def __init__(self, bootstrap: str, group: str, topics: list[str], **settings: Any) -> None:
        self.settings = ClientSettings(bootstrap=bootstrap, **settings)
        self.poller = Poller(
            self.settings,
            client_id=f"{group}.test",
            consumer_group=group,
            topics=topics,
            listener=self,
            loop=asyncio.get_running_loop(),
        )
        self.given: list[Names] = []
        self.taken: list[Names] = []
        self.lost_ones: list[Names] = []
        self.failure: BaseException | None = None
        self.on_revoking: Callable[[Names], Any] | None = None
        self.batches: list[RecordBatch] = []

    async def assigned(self, partitions: Names) -> None:
        self.given.append(partitions)

    async def revoking(self, partitions: Names) -> None:
        if self.on_revoking is not None:
            await self.on_revoking(partitions)
        self.taken.append(partitions)

    async def lost(self, partitions: Names) -> None:
        self.lost_ones.append(partitions)

    def failed(self, error: BaseException) -> None:
        self.failure = error

    async def __aenter__(self) -> Self:
        self.poller.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.poller.close()
        async with asyncio.timeout(PATIENCE_S):
            await self.poller.ended()

    async def owning(self, count: int) -> Names:
        await until(lambda: len(self.poller.owned) == count, f"{count} partitions are owned")
        return self.poller.owned

    async def start_at(self, positions: Mapping[tuple[str, int], int]) -> None:
        await asyncio.wrap_future(self.poller.start_at(dict(positions)))

    async def read(self, records: int) -> list[RecordBatch]:
        """Take batches until they hold that many records."""
        found: list[RecordBatch] = []
        while sum(len(batch.records) for batch in found) < records:
            async with asyncio.timeout(PATIENCE_S):
                found.append(await self.poller.handover.take())
        return found


def produce(bootstrap: str, topic: str, count: int, *, first: int = 0, partition: int = -1, size: int = 0) -> None:
    """Write numbered records, keyed ``k0`` … ``k99``."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "log_level": 0})
    for number in range(first, first + count):
        value = (b"%d" % number).ljust(size, b".")
        while True:
            try:
                producer.produce(topic, value, b"k%d" % (number % 100), partition)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


def produce_one(bootstrap: str, topic: str, value: bytes, *, partition: int) -> None:
    """Write this record."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    producer.produce(topic, value, b"k", partition)
    assert producer.flush(60) == 0


def produce_in_transaction(bootstrap: str, topic: str, count: int, *, partition: int, commit: bool) -> None:
    """Write records in a transaction, and end it so."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{topic}.tests", "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(count):
        producer.produce(topic, b"%d" % number, b"k", partition)
    producer.flush(30)
    producer.commit_transaction(30) if commit else producer.abort_transaction(30)


def commit_zero(bootstrap: str, group: str, topics: list[str]) -> None:
    """Commit position 0 for a new group."""
    spec = StageSpec(name="x", inputs=tuple(topics), changelog="", task=copier.CopierTask, group=group)  # type: ignore[arg-type]
    copier.commit_beginnings(bootstrap, spec, PARTITIONS)


class Stage:
    """A stage's topics on a broker, with workers that run inside the test."""

    def __init__(self, broker: Any, *, commit: bool = True) -> None:
        self.broker = broker
        self.prefix = broker.prefix("engine")
        self.spec = copier.spec_of(self.prefix)
        broker.create(copier.topics(self.prefix, PARTITIONS))
        if commit:
            copier.commit_beginnings(broker.bootstrap, self.spec, PARTITIONS)

    def feed(self, count: int, first: int = 0) -> None:
        """Records for both inputs, numbered through."""
        for index, topic in enumerate(self.spec.inputs):
            produce(self.broker.bootstrap, topic, count // 2, first=first + index * (count // 2))

    @contextlib.asynccontextmanager
    async def worker(
        self, name: str = "w", *, spec: StageSpec | None = None, clock: Any = None, **settings: Any
    ) -> AsyncIterator[StageApp]:
        """Run a worker until the block ends, then ask it to go; its failure fails the test."""
        app = self.app(name, spec=spec, clock=clock, **settings)
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, stop))
        try:
            yield app
        finally:
            stop.set()
            async with asyncio.timeout(PATIENCE_S):
                failure = await running
        if failure is not None:
            raise failure

    def app(self, name: str = "w", *, spec: StageSpec | None = None, clock: Any = None, **settings: Any) -> StageApp:
        base = copier.settings_of(self.broker.bootstrap, name, **{"watermark_interval_ms": 100, **settings})
        return build_app(spec or self.spec, base, clock=clock or copier.FixedClock(0))

    async def failure_of(self, app: StageApp) -> BaseException | None:
        """What ends this worker by itself."""
        async with asyncio.timeout(PATIENCE_S):
            return await run_until_stopped(app, asyncio.Event())

    async def drains_or_fails_by(self, error: type[BaseException], *, spec: StageSpec) -> bool:
        """Run a worker until lag 0 (true), or until it ends by such an error (false)."""
        app, stop = self.app(spec=spec), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(run_until_stopped(app, stop))
            draining = group.create_task(self.drained())
            await asyncio.wait({running, draining}, return_when=asyncio.FIRST_COMPLETED)
            drained = draining.done()
            draining.cancel()
            stop.set()
        failure = running.result()
        assert failure is None if drained else isinstance(failure, error)
        return drained

    async def drained(self) -> None:
        """Wait until the group stands at every high watermark: lag 0."""
        partitions = [(topic, number) for topic in self.spec.inputs for number in range(PARTITIONS)]
        give_up_at = time.monotonic() + PATIENCE_S
        with asking(self.broker.bootstrap) as offsets:
            while True:
                ends = await offsets.ends(partitions)
                committed = dict(await offsets.committed(self.spec.group, partitions))
                if len(ends) == len(partitions) and ends == committed:
                    return
                assert time.monotonic() < give_up_at, f"lag remains: {ends} {committed}"
                await asyncio.sleep(0.05)

    def outputs(self) -> list[tuple[int, int, bytes, bytes]]:
        """Partition, append time, key and value of everything that came out."""
        return list(trial.read_all(self.broker.bootstrap, f"{self.prefix}out", PARTITIONS))

    def letters(self) -> list[DeadLetter]:
        """Everything that was set aside."""
        records = trial.read_all(self.broker.bootstrap, f"{self.prefix}dead", PARTITIONS)
        found = [dead_letters.decode(value) for *_, value in records]
        return [one for one in found if isinstance(one, DeadLetter)]

    def copied(self) -> tuple[collections.Counter[int], int]:
        """How often each number came out, and how many outputs were out of step with their key's state."""
        seen: collections.Counter[int] = collections.Counter()
        counts: dict[bytes, int] = {}
        wrong = 0
        for _, _, key, value in self.outputs():
            number, count = value.split(b":")
            seen[int(number)] += 1
            counts[key] = counts.get(key, 0) + 1
            wrong += int(count) != counts[key]
        return seen, wrong

    def assert_copied_once(self, count: int) -> None:
        seen, wrong = self.copied()
        assert sorted(seen) == list(range(count))
        assert set(seen.values()) == {1}
        assert wrong == 0


def positions(names: Names, at: int = 0) -> dict[tuple[str, int], int]:
    return dict.fromkeys(names, at)


def tp(name: tuple[str, int], offset: int) -> TopicPartition:
    return TopicPartition(*name, offset)
