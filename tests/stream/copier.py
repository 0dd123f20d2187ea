"""A stage that copies records and numbers them per key: what is lost, doubled or folded twice shows in its output.

Run as a worker process: ``python copier.py BOOTSTRAP PREFIX WORKER``. Topics are ``PREFIX`` + a, b (inputs), out,
changelog and dead. A record ``poison`` kills the process. Imported by tests for its parts.
"""

# ruff: noqa: D102 -- the methods are those of Task and Clock, documented there

import logging
import os
import struct
import sys
from collections.abc import Mapping, Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.processors.engine.app import build_app
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row, StageSpec
from postcart.processors.engine.worker import run_worker

_COUNT = struct.Struct(">q")
INPUTS = ("a", "b")
POISON = b"poison"


class CopierTask:
    """Per key: how many records there were. Output: input value, a colon, that number."""

    def __init__(self, number: int, out: str) -> None:
        self.number = number
        self._out = out
        self.counts: dict[bytes, int] = {}
        self._changed: set[bytes] = set()
        self._outputs: list[Output] = []
        self.ready = False
        self.closed = False

    def restore(self, rows: Sequence[Row]) -> None:
        for key, row in rows:
            if row is None:
                self.counts.pop(key, None)
            else:
                self.counts[key] = _COUNT.unpack(row)[0]

    def restored(self) -> None:
        self.ready = True

    def process(self, batch: RecordBatch) -> None:
        assert self.ready
        assert batch.partition == self.number
        for record in batch.records:
            key, value = record.key(), record.value()
            if value == POISON:
                self.die()
            count = self.counts[key] = self.counts.get(key, 0) + 1
            self._changed.add(key)
            self._outputs.append(Output(self._out, key, value + b":%d" % count))

    def die(self) -> None:
        """As a decoder written in C would."""
        os.abort()

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        del idle, now_ms
        return False

    def pending(self) -> bool:
        return bool(self._outputs)

    def drain(self) -> Effects:
        effects = Effects(self._outputs, [(key, _COUNT.pack(self.counts[key])) for key in self._changed])
        self._outputs, self._changed = [], set()
        return effects

    def close(self) -> None:
        self.closed = True
        self.counts.clear()


class FixedClock:
    """Says always the same."""

    def __init__(self, now_ms: int | None) -> None:
        self.value = now_ms

    def now_ms(self) -> int | None:
        return self.value

    def real_ms(self) -> int:
        return self.value or 0


def topics(prefix: str, partitions: int) -> dict[str, int]:
    """Inputs and output by name, with their partition counts."""
    return {f"{prefix}{name}": partitions for name in (*INPUTS, "out", "changelog", "dead")}


def spec_of(prefix: str, task: type[CopierTask] = CopierTask) -> StageSpec:
    return StageSpec(
        name="copier",
        inputs=tuple(f"{prefix}{name}" for name in INPUTS),
        changelog=f"{prefix}changelog",
        task=lambda number: task(number, f"{prefix}out"),
        group=f"{prefix}copier",
        dead=f"{prefix}dead",
    )


def commit_beginnings(bootstrap: str, spec: StageSpec, partitions: int) -> None:
    """Do what ``postcart topics create`` does for a new group: commit the earliest offsets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": spec.group})
    offsets = [TopicPartition(topic, number, 0) for topic in spec.inputs for number in range(partitions)]
    while True:
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
            break
        except KafkaException as error:  # a topic made a moment ago is not known everywhere yet
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    consumer.close()


def settings_of(bootstrap: str, worker: str, **settings: int) -> EngineSettings:
    return EngineSettings(clients=ClientSettings(bootstrap=bootstrap), worker=worker, **settings)


def main() -> int:
    bootstrap, prefix, worker = sys.argv[1:4]
    logging.basicConfig(level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return run_worker(build_app(spec_of(prefix), settings_of(bootstrap, worker), clock=FixedClock(0)))


if __name__ == "__main__":
    sys.exit(main())
