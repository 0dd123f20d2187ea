"""DETECT's and JOURNEY's tasks joined in one process, without Kafka: topics are lists, commits are explicit.

Owns: what the engine and the broker promise the tasks: batches of any size, one transaction for outputs, rows and
positions, a crash that loses what was not committed, a clock that moves on when everything was read. Must not:
know a rule.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any
from zlib import crc32

import msgspec
from confluent_kafka import Message

from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.events.decisions import Decision, DecisionRecord
from postcart.events.jobs import Job, Receipt
from postcart.events.shop import CartEvents, OrderEvents, ProfileUpdated, ShopEvent, time_ms
from postcart.processors.detect import DetectTask
from postcart.processors.engine.task import Idle, Output, RecordBatch, Row, Task
from postcart.processors.gate import GateWriter
from postcart.processors.journey import JourneyTask
from postcart.processors.stage_metrics import NoStageMetrics, StageMetrics
from receipts import receipt_of
from side_by_side import comparable
from stage_configs import (
    DEAD,
    DECISIONS,
    JOBS,
    MILESTONES,
    PARTITIONS,
    RECEIPTS,
    SHOP_CARTS,
    SHOP_ORDERS,
    SHOP_PROFILES,
    SHOP_SESSIONS,
    SIGNALS,
    NoSealer,
    detect_config,
    journey_config,
)

FAR_FUTURE_MS = 1 << 42
"""As append time: records are never younger than the broker's clock."""

_encode = msgspec.json.Encoder().encode


def gate_writer(*, at_once: bool = True) -> GateWriter:
    """What tells senders of the persons of one partition."""
    return GateWriter(
        gate_topic="gate",
        keys_topic="keys",
        sealer=NoSealer(),
        contact_id=lambda channel, point: f"id of {channel} {point}",
        partition=0,
        progress_interval_ms=1_000,
        at_once=at_once,
    )


class Worker:
    """One task with its inputs, its changelog and its committed positions."""

    def __init__(self, make: Callable[[], Task], topics: Sequence[str], partition: int) -> None:
        self.make = make
        self.partition = partition
        self.inputs: dict[str, list[Message]] = {topic: [] for topic in topics}
        self.committed = dict.fromkeys(topics, 0)
        self.positions = dict.fromkeys(topics, 0)
        self.changelog: list[Row] = []
        self.task = self.start()

    def start(self) -> Task:
        """A task as after a restart: only the changelog is left."""
        task = self.make()
        task.restore(self.changelog)
        task.restored()
        return task

    def crash(self) -> None:
        """Lose whatever was not committed."""
        self.positions = dict(self.committed)
        self.task = self.start()

    def unread(self) -> list[str]:
        """Topics with records that are not read."""
        return [topic for topic, records in self.inputs.items() if self.positions[topic] < len(records)]

    def read(self, topic: str, most: int) -> None:
        """Process the next records of a topic."""
        start = self.positions[topic]
        records = self.inputs[topic][start : start + most]
        self.positions[topic] = start + len(records)
        self.task.process(RecordBatch(topic, self.partition, start, records, start + len(records)))

    def advance(self, clock_ms: int) -> None:
        """Fire what is due; topics that are read to their end follow the clock."""
        unread = self.unread()
        self.task.advance({topic: Idle(clock_ms, clock_ms) for topic in self.inputs if topic not in unread}, clock_ms)

    def commit(self) -> list[Output]:
        """One transaction: rows, positions, and the outputs that others may read now."""
        outputs, rows = self.task.drain()
        self.changelog += rows
        self.committed = dict(self.positions)
        return outputs


class Pipeline:
    """Two partitions of both stages. ``replay``: the clock says what has arrived; else it is wall time."""

    def __init__(
        self,
        context: Context,
        rules: Rules,
        random: Random,
        *,
        replay: bool,
        metrics: Callable[[str], StageMetrics] = lambda _stage: NoStageMetrics(),
    ) -> None:
        self.random = random
        self.replay = replay
        self.decisions: list[bytes] = []
        self.jobs: list[Job] = []
        self.dead: list[Output] = []
        detect = replace(detect_config(rules, exact_idle=replay), metrics=metrics("detect"))
        journey = replace(journey_config(context, exact_idle=replay), metrics=metrics("journey"))
        self.detect = [
            Worker(lambda n=n: DetectTask(detect, n), (SHOP_SESSIONS, SHOP_CARTS), n)  # type: ignore[misc]
            for n in range(PARTITIONS)
        ]
        topics = (SIGNALS, SHOP_ORDERS, SHOP_PROFILES, MILESTONES, RECEIPTS)
        self.journey = [
            Worker(lambda n=n: JourneyTask(journey, n), topics, n)  # type: ignore[misc]
            for n in range(PARTITIONS)
        ]

    def run(self, arrivals: Sequence[ShopEvent]) -> Counter[str]:
        """All decisions on these arrivals, as a multiset of lines.

        A replay's clock says up to when everything has arrived, wall time is that of the latest arrival. After the last
        arrival it runs on in leaps.
        """
        clock = 0
        rest = list(arrivals)
        earliest = earliest_from(rest)
        while rest:
            count = self.random.randint(1, 20)
            latest = 0
            for event in rest[:count]:
                self.arrive(event)
                latest = max(latest, time_ms(event))
            del rest[:count]
            if self.replay and rest:
                latest = earliest[-len(rest)] - 1
            clock = max(clock, latest)
            self.work(clock)
        for _ in range(60):
            clock += self.random.choice((60_000, 3_600_000, 86_400_000, 5 * 86_400_000))
            self.work(clock)
        self.settle(clock + 400 * 86_400_000)
        return Counter(comparable(msgspec.json.decode(line)) for line in self.decisions)

    def arrive(self, event: ShopEvent) -> None:
        """A shop's record reaches its topic."""
        if isinstance(event, OrderEvents | ProfileUpdated):
            topic, workers, key = SHOP_ORDERS, self.journey, event.person_id
            if isinstance(event, ProfileUpdated):
                topic = SHOP_PROFILES
        else:
            topic, workers, key = SHOP_SESSIONS, self.detect, event.visitor_id
            if isinstance(event, CartEvents):
                topic = SHOP_CARTS
        append(workers, topic, key.encode(), _encode(event))

    def work(self, clock: int) -> None:
        """Every worker does some of what it could do, in some order."""
        for worker in self.random.sample(self.detect + self.journey, 2 * PARTITIONS):
            for topic in worker.unread():
                if self.random.random() < 0.6:  # topics are read at different speeds, so one may be far behind
                    worker.read(topic, self.random.choice((1, 3, 10, 100)))
            worker.advance(clock)
            happened = self.random.random()
            if happened < 0.3:
                self.deliver(worker.commit())
            elif happened < 0.4:
                worker.crash()

    def settle(self, clock: int) -> None:
        """Go on until nobody has anything left to read or to write."""
        busy = True
        while busy:
            busy = False
            for worker in self.detect + self.journey:
                for topic in worker.unread():
                    busy = True
                    worker.read(topic, len(worker.inputs[topic]))
                worker.advance(clock)
                self.deliver(worker.commit())

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Committed records reach their readers; every job is accepted by a provider."""
        for output in outputs:
            key, value = output.key or b"", output.value or b""
            if output.topic == SIGNALS:
                append(self.journey, SIGNALS, key, value, partition=output.partition)
            elif output.topic == DECISIONS:
                if isinstance(msgspec.json.decode(value, type=DecisionRecord), Decision):
                    self.decisions.append(value)
            elif output.topic == JOBS:
                job = msgspec.json.decode(value, type=Job)
                self.jobs.append(job)
                append(self.journey, RECEIPTS, job.person_id.encode(), _encode(accepted(job)))
            elif output.topic == DEAD:
                self.dead.append(output)


def earliest_from(arrivals: Sequence[ShopEvent]) -> list[int]:
    """For each place the earliest time from there on."""
    earliest: list[int] = []
    for event in reversed(arrivals):
        earliest.append(min(time_ms(event), earliest[-1]) if earliest else time_ms(event))
    return earliest[::-1]


def append(workers: Sequence[Worker], topic: str, key: bytes, value: bytes, *, partition: int | None = None) -> None:
    """Write a record to its partition."""
    number = crc32(key) % PARTITIONS if partition is None else partition
    log = workers[number].inputs[topic]
    record: dict[str, Any] = {"topic": topic, "partition": number, "offset": len(log), "key": key, "value": value}
    log.append(Message(**record, timestamp=(1, FAR_FUTURE_MS)))


def accepted(job: Job) -> Receipt:
    """The receipt of a job that went out."""
    return receipt_of(job, at_ms=job.due_ms, contact_id=f"{job.channel}:{job.person_id}")
