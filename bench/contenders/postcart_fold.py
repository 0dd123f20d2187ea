"""Contender: DETECT's task alone, fed out of memory, without Kafka: what its rules, rows and decoders cost.

Arguments: visitors, framing, records at once, core. Prints as common.measure says, CPU seconds of the one thread in the
task, and how they are divided: decoding, folding (with rows), handing over.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Sequence
from itertools import islice

from bench.common.dataset import Shape, encoded
from bench.common.memory import peak_bytes
from postcart.processors.engine.task import RecordBatch
from postcart.processors.stage_metrics import NoStageMetrics
from postcart.settings import load_settings
from postcart.wiring.stages import detect_spec


class Record:
    """As much of a Kafka message as DETECT looks at."""

    __slots__ = ("_key", "_value")

    def __init__(self, value: bytes, key: bytes) -> None:
        self._value, self._key = value, key

    def value(self) -> bytes:
        """Of the record."""
        return self._value

    def key(self) -> bytes:
        """Of the record."""
        return self._key

    def timestamp(self) -> tuple[int, int]:
        """Later than any event: the broker's is never before the source's."""
        return 1, 1 << 45


def main(arguments: Sequence[str]) -> None:
    """Fold all records, so many at once, as while catching up."""
    visitors, framing, at_once, core = int(arguments[0]), arguments[1], int(arguments[2]), int(arguments[3])
    os.sched_setaffinity(0, {core})
    spec = detect_spec(load_settings({}, None), signal_partitions=1, metrics=NoStageMetrics())
    topics = dict(zip(("sessions", "carts"), spec.inputs, strict=True))
    records = iter(
        [(topics[topic], Record(value, key)) for topic, value, key, _ in encoded(_shape(visitors, framing), 1)]
    )
    task = spec.task(0)
    task.restored()
    gc.collect()
    gc.freeze()
    gc.disable()
    spent = {"decode_s": 0.0, "fold_s": 0.0, "drain_s": 0.0}
    began = time.monotonic()
    while chunk := list(islice(records, at_once)):
        by_topic: dict[str, list[Record]] = {}
        for topic, record in chunk:
            by_topic.setdefault(topic, []).append(record)
        start = time.thread_time()
        for number, (topic, each) in enumerate(by_topic.items(), start=1):
            batch = RecordBatch(topic, 0, 0, each, len(each), more=number < len(by_topic))  # type: ignore[arg-type]
            task.process(batch)
        decoded = time.thread_time()
        while task.advance({}, None):
            pass
        folded = time.thread_time()
        task.drain()
        spent["decode_s"] += decoded - start
        spent["fold_s"] += folded - decoded
        spent["drain_s"] += time.thread_time() - folded
    figures = {"cpu_s": sum(spent.values()), "wall_s": time.monotonic() - began, "peak_bytes": peak_bytes(), **spent}
    sys.stdout.write(json.dumps(figures) + "\n")


def _shape(visitors: int, framing: str) -> Shape:
    return Shape(visitors=visitors, framing="wire" if framing == "wire" else "json")


if __name__ == "__main__":
    main(sys.argv[1:])
