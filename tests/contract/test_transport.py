"""The polling thread and transactions, on the mock broker and on real Kafka."""

import asyncio
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from contract.rig import (
    PARTITIONS,
    Names,
    Recorder,
    asking,
    commit_zero,
    positions,
    produce,
    produce_in_transaction,
    until,
)
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.transaction import TransactionAborted, Transactor
from postcart.errors import Fenced, TopologyError

pytestmark = pytest.mark.slow


def _topic(broker: Any) -> tuple[str, str]:
    prefix = broker.prefix("transport")
    topic, group = f"{prefix}in", f"{prefix}group"
    broker.create({topic: PARTITIONS})
    commit_zero(broker.bootstrap, group, [topic])
    return topic, group


def test_nothing_is_handed_over_before_a_partition_is_started(each_broker: Any) -> None:
    """Assigned partitions are paused; each then starts exactly at the position it is told."""
    topic, group = _topic(each_broker)
    for partition in range(PARTITIONS):
        produce(each_broker.bootstrap, topic, 20, partition=partition)

    async def run() -> None:
        async with Recorder(each_broker.bootstrap, group, [topic]) as member:
            owned = await member.owning(PARTITIONS)
            await until(lambda: member.given, "the listener is told")
            assert member.given == [owned]
            await member.start_at({(topic, 0): 5, (topic, 2): 19})
            batches = await member.read(16)
            assert member.poller.handover.records == 0
        first = {(batch.topic, batch.partition): batch.start for batch in reversed(batches)}
        assert first == {(topic, 0): 5, (topic, 2): 19}
        assert [record.offset() for batch in batches for record in batch.records if batch.partition == 0] == [
            *range(5, 20)
        ]

    asyncio.run(run())


def test_batches_chain_without_gaps_and_end_at_the_watermark(each_broker: Any) -> None:
    """Start and next of batches are positions: they join over transaction markers and aborted records too."""
    topic, group = _topic(each_broker)
    produce_in_transaction(each_broker.bootstrap, topic, 30, partition=0, commit=True)
    if each_broker.real:  # the mock broker shows aborted records
        produce_in_transaction(each_broker.bootstrap, topic, 30, partition=0, commit=False)
    produce_in_transaction(each_broker.bootstrap, topic, 30, partition=0, commit=True)

    async def run() -> None:
        with asking(each_broker.bootstrap) as offsets:
            end = await offsets.end(topic, 0)
        async with Recorder(each_broker.bootstrap, group, [topic], batch_records=7) as member:
            await member.owning(PARTITIONS)
            await member.start_at({(topic, 0): 0})
            batches = await member.read(60)
            while batches[-1].next < end:
                async with asyncio.timeout(30):
                    batches.append(await member.poller.handover.take())
        assert batches[0].start == 0
        assert [batch.start for batch in batches[1:]] == [batch.next for batch in batches[:-1]]
        assert batches[-1].next == end
        assert sum(len(batch.records) for batch in batches) == 60

    asyncio.run(run())


def test_revocation_waits_for_the_commit_of_what_is_open(each_broker: Any) -> None:
    """While the thread waits for the stage to let go, it still serves the metadata that this commit needs."""
    topic, group = _topic(each_broker)
    produce(each_broker.bootstrap, topic, 100)

    async def run() -> None:
        transactor = Transactor(ClientSettings(bootstrap=each_broker.bootstrap), client_id="t", transactional_id=group)
        await asyncio.to_thread(transactor.open)
        async with Recorder(each_broker.bootstrap, group, [topic]) as first:
            owned = await first.owning(PARTITIONS)
            committed: list[Names] = []

            async def commit(partitions: Names) -> None:
                membership = await asyncio.wrap_future(first.poller.membership())
                assert partitions <= membership.owned
                await asyncio.to_thread(
                    transactor.write, [(topic, b"v", b"k", 0, None)], positions(partitions, 3), membership.metadata
                )
                committed.append(partitions)

            first.on_revoking = commit
            async with Recorder(each_broker.bootstrap, group, [topic]) as second:
                await until(lambda: second.poller.owned, "the second member owns something")
                assert committed == first.taken
                assert second.poller.owned | first.poller.owned == owned
                assert not second.poller.owned & first.poller.owned
            first.on_revoking = None
            await first.owning(PARTITIONS)
        if each_broker.real:
            with asking(each_broker.bootstrap) as offsets:
                moved = await offsets.committed(group, committed[0])
            assert set(moved.values()) == {3}

    asyncio.run(run())


def test_what_a_rebalance_took_away_cannot_be_committed(kafka: Any) -> None:
    """A rebalance in mid-transaction: metadata taken before it commits nothing of a partition that went elsewhere.

    For what stayed, fresh metadata commits all. (Kafka 4.3 accepts the old metadata as well then; 4.1 does not.)
    """
    topic, group = _topic(kafka)

    async def run() -> None:
        transactor = Transactor(ClientSettings(bootstrap=kafka.bootstrap), client_id="t", transactional_id=group)
        await asyncio.to_thread(transactor.open)
        async with Recorder(kafka.bootstrap, group, [topic]) as first:
            owned = await first.owning(PARTITIONS)
            stale = await asyncio.wrap_future(first.poller.membership())
            async with Recorder(kafka.bootstrap, group, [topic]) as second:
                await until(lambda: second.poller.owned, "the second member owns something")
                kept = first.poller.owned
                record = (topic, b"v", b"k", 0, None)
                with pytest.raises(TransactionAborted):
                    await asyncio.to_thread(transactor.write, [record], positions(owned, 7), stale.metadata)
                fresh = await asyncio.wrap_future(first.poller.membership())
                await asyncio.to_thread(transactor.write, [record], positions(kept, 8), fresh.metadata)
                with asking(kafka.bootstrap) as offsets:
                    found = await offsets.committed(group, kept)
                assert set(found.values()) == {8}

    asyncio.run(run())


def test_a_successor_of_the_same_name_fences(kafka: Any) -> None:
    """Two producers with one transactional id: the older can write nothing any more, nor touch anything."""
    topic, group = _topic(kafka)
    record = (topic, b"v", b"k", 0, None)

    async def run() -> None:
        settings = ClientSettings(bootstrap=kafka.bootstrap)
        old, older, newer = (Transactor(settings, client_id=name, transactional_id=group) for name in "abc")
        async with Recorder(kafka.bootstrap, group, [topic]) as member:
            owned = await member.owning(PARTITIONS)
            for transactor in (old, older, newer):
                await asyncio.to_thread(transactor.open)
            membership = await asyncio.wrap_future(member.poller.membership())
            for step in (older.write, old.touch):
                with pytest.raises(Fenced):
                    await asyncio.to_thread(step, [record], positions(owned, 1), membership.metadata)

    asyncio.run(run())


def test_memory_is_bounded_and_membership_kept_while_the_stage_is_busy(each_broker: Any) -> None:
    """A stage that takes nothing is given a bounded number of records; the thread polls on; nothing is lost by it."""
    topic, group = _topic(each_broker)
    count, room, poll = 20_000, 1000, 500
    produce(each_broker.bootstrap, topic, count)

    async def run() -> None:
        bounds = {"handover_records": room, "batch_records": poll}
        async with Recorder(each_broker.bootstrap, group, [topic], **bounds) as member:
            owned = await member.owning(PARTITIONS)
            await member.start_at(positions(owned))
            await until(lambda: member.poller.handover.full, "the hand-over is full")
            await until(lambda: member.poller._held, "partitions are paused")
            polled_at = time.monotonic()
            await until(lambda: member.poller.polled_at > polled_at, "it polls on")
            assert member.poller.handover.records < room + poll
            batches = await member.read(count)
            assert member.poller.owned == owned
        values = sorted(int(record.value()) for batch in batches for record in batch.records)
        assert values == list(range(count))

    asyncio.run(run())


def test_reading_can_be_stopped_and_started_anywhere(each_broker: Any) -> None:
    """Pausing: a stopped partition hands over nothing while others run, and starts again at any position."""
    topic, group = _topic(each_broker)
    for partition in (0, 1):
        produce(each_broker.bootstrap, topic, 50, partition=partition)

    async def run() -> None:
        async with Recorder(each_broker.bootstrap, group, [topic]) as member:
            await member.owning(PARTITIONS)
            await member.start_at({(topic, 0): 0, (topic, 1): 0})
            await member.read(100)
            await asyncio.wrap_future(member.poller.stop_reading([(topic, 0)]))
            produce(each_broker.bootstrap, topic, 10, partition=0)
            produce(each_broker.bootstrap, topic, 10, partition=1)
            assert {batch.partition for batch in await member.read(10)} == {1}
            await member.start_at({(topic, 0): 45})
            batches = [batch for batch in await member.read(15) if batch.records]
            assert batches[0].start == 45
            assert batches[-1].next == 60

    asyncio.run(run())


def test_a_position_that_is_not_there_is_told(each_broker: Any) -> None:
    """Nothing is skipped or read twice: the thread ends, and says what may have happened."""
    topic, group = _topic(each_broker)
    produce(each_broker.bootstrap, topic, 10, partition=0)

    async def run() -> None:
        async with Recorder(each_broker.bootstrap, group, [topic]) as member:
            await member.owning(PARTITIONS)
            await member.start_at({(topic, 0): 1_000})
            await until(lambda: member.failure, "the thread fails")
            assert isinstance(member.failure, TopologyError)
            assert "records were deleted" in str(member.failure)
            async with asyncio.timeout(30):
                await member.poller.ended()
            with pytest.raises(Fenced):
                await asyncio.wrap_future(member.poller.membership())

    asyncio.run(run())


def test_nothing_is_fetched_before_a_partition_is_started(kafka: Any) -> None:
    """Not from anywhere: retention may have deleted the beginning, and the client must not stumble over that."""
    topic, group = _topic(kafka)
    for partition in range(PARTITIONS):
        produce(kafka.bootstrap, topic, 10, partition=partition)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    deleted = admin.delete_records([TopicPartition(topic, number, 5) for number in range(PARTITIONS)])
    assert [done.result(30).low_watermark for done in deleted.values()] == [5] * PARTITIONS

    async def run() -> None:
        async with Recorder(kafka.bootstrap, group, [topic]) as member:
            await member.owning(PARTITIONS)
            for number in range(PARTITIONS):  # while the first are read, the others still wait
                await member.start_at({(topic, number): 5})
                (batch,) = await member.read(5)
                assert (batch.partition, batch.start, batch.next) == (number, 5, 10)
            assert member.failure is None

    asyncio.run(run())


def test_a_start_waits_for_nobodys_transaction(kafka: Any) -> None:
    """Where to begin is told: offsets of a transaction that is still open, as of a worker just killed, don't matter."""
    topic, group = _topic(kafka)
    produce(kafka.bootstrap, topic, 10, partition=1)
    metadata = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group}).consumer_group_metadata()
    killed = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": f"{topic}.killed", "log_level": 0})
    killed.init_transactions(30)
    killed.begin_transaction()
    killed.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], metadata, 30)

    async def run() -> None:
        async with Recorder(kafka.bootstrap, group, [topic]) as member:
            await member.owning(PARTITIONS)
            await member.start_at({(topic, 1): 4})
            (batch,) = await member.read(6)
            assert batch.start == 4

    asyncio.run(run())
    killed.abort_transaction(30)


def test_the_death_of_the_thread_is_told(mock_broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the thread reaches the listener: a silent end would look like an idle partition."""
    topic, group = _topic(mock_broker)

    def die(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Poller, "_poll", die)

    async def run() -> None:
        async with Recorder(mock_broker.bootstrap, group, [topic]) as member:
            await until(lambda: member.failure, "the thread fails")
            assert str(member.failure) == "a bug"

    asyncio.run(run())
