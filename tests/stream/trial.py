"""The transport's trial: three workers copy records while they are killed, stopped and asked to go.

Owns: which faults, the records, and the judge. As a program it runs many seeds:
``python tests/stream/trial.py BOOTSTRAP [SEEDS [FAULTS [FIRST_SEED]]]``; the topics it makes are left behind, so use a
broker that is thrown away.
"""

import collections
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from postcart.adapters.rdkafka.leaders import watermarks_of

if __package__:
    from stream import copier
    from stream.trial_workers import Workers
else:  # run as a program
    import copier
    from trial_workers import Workers

FAULTS = ("kill", "term", "stop 2", "stop 18")
PARTITIONS = 6
KEYS = 2000
_RATE = 2500  # records a second: faults must hit running transactions, not idle workers
_DEADLINE_S = 120.0  # from the last fault until everything is copied
_END = KafkaError._PARTITION_EOF


@dataclass
class Verdict:
    """What the judge found."""

    seed: int
    sent: int = 0
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    misnumbered: int = 0
    """Outputs whose number per key does not follow its predecessor's: state was lost or folded twice."""
    widest_gap_s: float = 0.0
    """Longest time in which some partition got nothing although records kept coming."""
    gap_after: str = ""
    exits: collections.Counter[int] = field(default_factory=collections.Counter)

    @property
    def good(self) -> bool:
        """Nothing lost, nothing twice, and state in step with it."""
        return not self.lost and not self.doubled and not self.misnumbered

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: sent {self.sent}, lost {len(self.lost)} {self.lost[:5]}, doubled {len(self.doubled)} "
            f"{self.doubled[:5]}, misnumbered {self.misnumbered}, widest gap {self.widest_gap_s:.1f} s"
            f" (partition {self.gap_after}), exits {dict(self.exits)}"
        )


class Feed:
    """Produces numbered records at a steady rate, in records a second, on a thread, until ended."""

    def __init__(self, bootstrap: str, prefix: str, rate: int = _RATE) -> None:
        self._rate = rate
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "enable.idempotence": True,
            }
        )
        self._topics = [f"{prefix}{name}" for name in copier.INPUTS]
        self._ending = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(0.02):
            for number in range(self.sent, int((time.monotonic() - began) * self._rate)):
                topic = self._topics[number % len(self._topics)]
                try:
                    self._producer.produce(topic, b"%d" % number, b"k%d" % (number * 7919 % KEYS))
                except BufferError:  # the broker is away
                    break
                self.sent = number + 1
            self._producer.poll(0)

    def end(self) -> int:
        """Stop producing; returns how many records there are, once all are with the broker."""
        self.abandon()
        assert self._producer.flush(_DEADLINE_S) == 0
        return self.sent

    def abandon(self) -> None:
        """Stop producing. Idempotent."""
        self._ending.set()
        self._thread.join()


def ends(bootstrap: str, names: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """High watermarks; asks again while a partition has no leader."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "trial.ends"})
    try:
        return {
            (topic, number): watermarks_of(consumer, topic, number, within_s=_DEADLINE_S)[1] for topic, number in names
        }
    finally:
        consumer.close()


def read_all(bootstrap: str, topic: str, partitions: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Partition, append time, key and value of everything committed, as an independent reader sees it now."""
    found = ends(bootstrap, [(topic, number) for number in range(partitions)])
    missing = {number: end for (_, number), end in found.items()}
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}.judge",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        while missing:
            for message in consumer.consume(5000, 0.2):
                error = message.error()
                if error is None:
                    yield message.partition(), message.timestamp()[1], message.key(), message.value()
                elif error.code() == _END and message.offset() >= missing.get(message.partition(), 1 << 62):
                    del missing[message.partition()]
    finally:
        consumer.close()


def judge(bootstrap: str, prefix: str, verdict: Verdict) -> Verdict:
    """Compare what came out with what went in."""
    seen: collections.Counter[int] = collections.Counter()
    counts: dict[bytes, int] = {}
    last: dict[int, int] = {}
    gaps: dict[int, float] = collections.defaultdict(float)
    verdict.misnumbered = 0
    for partition, at_ms, key, value in read_all(bootstrap, f"{prefix}out", PARTITIONS):
        number, count = value.split(b":")
        seen[int(number)] += 1
        expected = counts.get(key, 0) + 1
        verdict.misnumbered += int(count) != expected
        counts[key] = expected
        gaps[partition] = max(gaps[partition], (at_ms - last.get(partition, at_ms)) / 1000)
        last[partition] = at_ms
    verdict.lost = [number for number in range(verdict.sent) if number not in seen]
    verdict.doubled = [number for number, times in seen.items() if times > 1]
    if gaps:
        widest = max(gaps, key=gaps.__getitem__)
        verdict.widest_gap_s, verdict.gap_after = gaps[widest], str(widest)
    return verdict


def lag(bootstrap: str, spec: copier.StageSpec) -> int | None:
    """Positions between the group's commits and the high watermarks; ``None`` if that can't be told now."""
    names = [(topic, number) for topic in spec.inputs for number in range(PARTITIONS)]
    tps = [TopicPartition(*name) for name in names]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": spec.group})
    try:
        committed = {(tp.topic, tp.partition): tp.offset for tp in consumer.committed(tps, 10)}
    except KafkaException:
        return None
    finally:
        consumer.close()
    return sum(end - committed[name] for name, end in ends(bootstrap, names).items())


def await_flow(bootstrap: str, topic: str) -> None:
    """Wait until every partition has output: faults are to hit workers that work."""
    give_up_at = time.monotonic() + _DEADLINE_S
    while not all(ends(bootstrap, [(topic, number) for number in range(PARTITIONS)]).values()):
        assert time.monotonic() < give_up_at, "the workers never began"
        time.sleep(0.2)


def run_trial(
    bootstrap: str,
    prefix: str,
    *,
    create: Callable[[Mapping[str, int]], None],
    faults: Sequence[str],
    seed: int,
    logs: Path,
) -> Verdict:
    """One trial: these faults in this order, on workers chosen by the seed, a few seconds apart."""
    spec = copier.spec_of(prefix)
    create(copier.topics(prefix, PARTITIONS))
    copier.commit_beginnings(bootstrap, spec, PARTITIONS)
    chance = random.Random(seed)
    verdict = Verdict(seed)
    workers = Workers(bootstrap, prefix, logs, verdict.exits)
    try:
        feed = Feed(bootstrap, prefix)
        await_flow(bootstrap, f"{prefix}out")
        for kind in faults:
            time.sleep(chance.uniform(2.0, 5.0))  # the workers' good time between faults is part of the trial
            workers.fault(kind, chance.choice(sorted(workers.processes)))
        time.sleep(chance.uniform(0.0, 2.0))
        verdict.sent = feed.end()
        give_up_at = time.monotonic() + _DEADLINE_S
        while lag(bootstrap, spec) != 0 and time.monotonic() < give_up_at:
            time.sleep(0.5)
        verdict.exits = collections.Counter(verdict.exits)
    finally:
        workers.end()
    return judge(bootstrap, prefix, verdict)


def main() -> int:
    bootstrap = sys.argv[1]
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(topics: Mapping[str, int]) -> None:
        for done in admin.create_topics([NewTopic(name, n) for name, n in topics.items()]).values():
            done.result(30)

    bad = 0
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    for seed in itertools.islice(itertools.count(first), seeds):
        chance = random.Random(seed)
        faults = [chance.choice(FAULTS) for _ in range(count)]
        logs = Path(tempfile.mkdtemp(prefix=f"trial-{seed}-"))
        prefix = f"trial-{seed}-{logs.name[-6:]}."
        verdict = run_trial(bootstrap, prefix, create=create, faults=faults, seed=seed, logs=logs)
        print(verdict, f"faults {dict(collections.Counter(faults))}, logs in {logs}", flush=True)  # noqa: T201 -- a program
        bad += not verdict.good
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
