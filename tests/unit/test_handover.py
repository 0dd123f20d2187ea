"""The queue between polling thread and stage: in which order, and how much together."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.handover import HandOver
from postcart.adapters.rdkafka.settings import ClientSettings

MOST = 10
TOPICS = ("sessions", "carts")


def batch(topic: str, number: int, start: int, count: int, *, gap: int = 0, value: bytes = b"") -> RecordBatch:
    records = [Message(topic=topic, partition=number, offset=start + place, value=value) for place in range(count)]
    return RecordBatch(topic, number, start, records, start + count + gap)


def waiting_queue(most: int = MOST, *, records: int = 1_000, kbytes: int = 1_000) -> HandOver:
    settings = ClientSettings(bootstrap="", batch_records=most, handover_records=records, handover_kbytes=kbytes)
    return HandOver(asyncio.get_running_loop(), settings)


def taken(puts: Sequence[Sequence[RecordBatch]], *, most: int = MOST) -> list[RecordBatch]:
    """What is taken after all was put."""

    async def run() -> list[RecordBatch]:
        queue = waiting_queue(most)
        for put in puts:
            queue.put(list(put))
        found = []
        while queue.records or queue._waiting or queue._turn:
            found.append(await queue.take())
        assert queue._bytes == 0, "memory that was taken counts no more"
        return found

    return asyncio.run(run())


def shape(batches: Sequence[RecordBatch]) -> list[tuple[str, int, int, int]]:
    return [(one.topic, one.partition, one.start, len(one.records)) for one in batches]


def test_a_number_that_has_its_turn_is_taken_whole() -> None:
    """Polled bit by bit among others, it comes as one batch for each topic; then the next that has waited longest."""
    puts = [
        [batch("sessions", 0, 0, 3), batch("sessions", 1, 0, 3)],
        [batch("carts", 0, 7, 2), batch("sessions", 0, 3, 4)],
        [batch("carts", 0, 9, 1)],
    ]
    found = taken(puts)
    assert shape(found) == [("sessions", 0, 0, 7), ("carts", 0, 7, 3), ("sessions", 1, 0, 3)]
    assert [one.more for one in found] == [True, False, False]


def test_no_more_is_folded_together_than_was_asked_for() -> None:
    """A long turn is taken in groups; the last batch of each says that what came so far can be folded."""
    puts = [[batch("sessions", 0, 0, 6)], [batch("carts", 0, 0, 3)], [batch("sessions", 0, 6, 4)]]
    found = taken(puts)
    assert shape(found) == [("sessions", 0, 0, 6), ("carts", 0, 0, 3), ("sessions", 0, 6, 4)]
    assert [one.more for one in found] == [True, False, False]


def test_what_comes_during_a_turn_waits_for_the_next() -> None:
    """Else a busy partition would keep all others waiting."""

    async def run() -> list[int]:
        queue = waiting_queue()
        queue.put([batch("sessions", 0, 0, 8), batch("carts", 0, 0, 8), batch("sessions", 1, 0, 1)])
        numbers = []
        for start in (8, 16, 24):
            numbers.append((await queue.take()).partition)
            queue.put([batch("sessions", 0, start, 8)])
        return numbers

    assert asyncio.run(run()) == [0, 0, 1]


def test_it_is_full_by_records_or_by_memory() -> None:
    """A few large records take as much memory as many small ones."""

    async def run() -> list[bool]:
        found = []
        for queue in (waiting_queue(records=6), waiting_queue(kbytes=4), waiting_queue()):
            queue.put([batch("carts", 0, 0, 6, value=b"x" * 400)])
            found.append(queue.full)
            await queue.take()
            found.append(queue.full)
        return found

    assert asyncio.run(run()) == [True, False, True, False, False, False]


def test_positions_that_do_not_follow_on_each_other_stay_apart() -> None:
    """After a seek the same records may come again: who takes them has to see where a batch begins."""
    assert shape(taken([[batch("carts", 0, 5, 2)], [batch("carts", 0, 5, 2)]])) == [("carts", 0, 5, 2)] * 2


@given(
    st.lists(
        st.tuples(st.sampled_from(TOPICS), st.integers(0, 2), st.integers(0, MOST), st.integers(0, 2)), max_size=40
    )
)
def test_whatever_is_put_is_taken_once_and_in_order(moves: list[tuple[str, int, int, int]]) -> None:
    """Batches of a topic's partition join without gaps, hold no more than allowed, and all records are there."""
    ends: dict[tuple[str, int], int] = {}
    puts = []
    for topic, number, count, gap in moves:
        puts.append([batch(topic, number, ends.get((topic, number), 0), count, gap=gap)])
        ends[topic, number] = puts[-1][0].next
    found = taken(puts)
    for place, end in ends.items():
        own = [one for one in found if (one.topic, one.partition) == place]
        assert own[0].start == 0
        assert own[-1].next == end
        assert all(one.next == other.start for one, other in pairwise(own))
        assert all(len(one.records) <= MOST for one in own)
        assert _offsets(own) == _offsets([put[0] for put in puts if (put[0].topic, put[0].partition) == place])


def _offsets(batches: Sequence[RecordBatch]) -> list[Any]:
    return [record.offset() for one in batches for record in one.records]
