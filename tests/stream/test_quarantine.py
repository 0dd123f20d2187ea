"""A record that kills real worker processes."""

import signal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from postcart.codecs import dead_letters
from postcart.codecs.dead_letters import DeadLetter
from stream import copier, trial
from waiting import wait_for


@pytest.mark.slow
def test_a_record_that_aborts_the_process(kafka: Any, tmp_path: Path) -> None:
    """Three workers share the partitions, and die of it three times in all; all else is copied once."""
    prefix = kafka.prefix("poison")
    spec = copier.spec_of(prefix)
    kafka.create(copier.topics(prefix, trial.PARTITIONS))
    copier.commit_beginnings(kafka.bootstrap, spec, trial.PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    verdict = trial.Verdict(seed=0, sent=2000)
    workers = trial.Workers(kafka.bootstrap, prefix, tmp_path, verdict.exits)
    try:
        for number in range(verdict.sent):
            if number == verdict.sent // 2:
                producer.produce(spec.inputs[0], copier.POISON, b"k", 3)
            producer.produce(spec.inputs[number % 2], b"%d" % number, b"k%d" % (number % 50))
        assert producer.flush(60) == 0
        wait_for(lambda: trial.lag(kafka.bootstrap, spec) == 0, what="lag 0", seconds=240)
    finally:
        workers.end()
    assert verdict.exits[-signal.SIGABRT] == 3
    assert trial.judge(kafka.bootstrap, prefix, verdict).good, str(verdict)
    found = [dead_letters.decode(value) for *_, value in trial.read_all(kafka.bootstrap, f"{prefix}dead", 6)]
    assert [(one.reason, one.value, one.partition) for one in found if isinstance(one, DeadLetter)] == [
        ("crashed", copier.POISON, 3)
    ]
