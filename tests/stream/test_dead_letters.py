"""Dead letters on a real broker: listed, found, and redriven each exactly once, whatever interrupts it."""

import signal
import subprocess
import sys
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from postcart.adapters.dead_letters import (
    LetterFilter,
    RedriveOrder,
    RedriveReport,
    dead_groups,
    find_letter,
    original_value,
    read_letters,
    read_runs,
    redrive,
)
from postcart.adapters.dead_letters.writing import Output, Writer
from postcart.codecs.dead_letters import DeadLetter, encode
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.errors import Fenced, TopologyError

PARTITIONS = 3
BAD = b'{"type":"started"'


class Place:
    """A topic with bad records and the topic of their dead letters."""

    def __init__(self, kafka: Any) -> None:
        prefix = kafka.prefix("dead")
        self.client = {"bootstrap.servers": kafka.bootstrap, "log_level": 0}
        self.source, self.dead = f"{prefix}shop.sessions", f"{prefix}dead"
        kafka.create({self.source: PARTITIONS}, {"max.message.bytes": "8000000"})
        kafka.create({self.dead: PARTITIONS})
        self.decoder = ShopEventDecoder("shop.sessions", stage="detect")

    def produce(self, *records: tuple[str, bytes | None, bytes | None]) -> None:
        """Write records to topics, with a header."""
        producer = Producer({**self.client, "partitioner": "murmur2_random", "message.max.bytes": 10_000_000})
        for topic, key, value in records:
            producer.produce(topic, value, key, headers=[("source", b"web")])
        assert producer.flush(60) == 0

    def records(self, topic: str) -> list[Any]:
        """All records of a topic."""
        consumer = Consumer(
            {**self.client, "group.id": "x", "enable.partition.eof": True, "isolation.level": "read_committed"}
            | {"enable.auto.commit": False, "fetch.max.bytes": 20_000_000}
        )
        found, ended = [], set()
        consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        while len(ended) < PARTITIONS:
            for message in consumer.consume(100, timeout=0.2):
                if message.error():
                    ended.add(message.partition())
                else:
                    found.append(message)
        consumer.close()
        return found

    def bury(self) -> list[DeadLetter]:
        """Read the source as a stage would, and write what is dead."""
        letters = self.decoder.decode_batch(self.records(self.source))[1]
        self.produce(*((self.dead, *encode(letter)) for letter in letters))
        return letters

    def redrive(self, **options: Any) -> RedriveReport:
        """Redrive with a clock that stands still."""
        progress = options.pop("on_progress", None)
        return redrive(self.client, self.dead, RedriveOrder(**options), now_ms=lambda: 1, on_progress=progress)


@pytest.fixture
def place(kafka: Any) -> Place:
    """Topics of this test's own."""
    return Place(kafka)


def test_listed_by_reason_and_topic(place: Place) -> None:
    """Groups count what waits; filters narrow; one letter is found by its id; what is no letter is named."""
    assert list(read_letters(place.client, place.dead)) == []
    place.produce(*((place.source, b"k%d" % n, BAD) for n in range(5)), (place.source, b"guest", b"\x00\x01"))
    letters = place.bury()
    place.produce((place.dead, b"x", b"nonsense"))
    notes: list[str] = []
    found = list(read_letters(place.client, place.dead, note=notes.append))
    assert sorted(one.letter.id for one in found) == sorted(letter.id for letter in letters)
    assert len(notes) == 1
    first, second = dead_groups(place.client, place.dead)
    assert (first.reason, first.topic, first.stage) == ("decode", place.source, "detect")
    assert (first.count, first.waiting, first.redriven, first.edited, len(first.samples)) == (5, 5, 0, 0, 3)
    assert (second.reason, second.count, len(second.samples)) == ("framing", 1, 1)
    assert first.first_ms <= first.last_ms
    one = find_letter(place.client, place.dead, letters[0].id)
    assert one is not None
    assert (one.letter, one.state, one.history, one.born_of) == (letters[0], "waiting", [], None)
    assert find_letter(place.client, place.dead, "unheard of") is None


def test_filters_narrow(place: Place) -> None:
    """By reason, topic, stage, key, text, and when a letter was set aside."""
    place.produce(*((place.source, b"k%d" % n, BAD) for n in range(3)), (place.source, b"guest", b"\x00\x01"))
    place.bury()

    def keys(**only: Any) -> list[bytes | None]:
        return sorted(one.letter.key for one in read_letters(place.client, place.dead, only=LetterFilter(**only)))

    everything = [b"guest", b"k0", b"k1", b"k2"]
    assert keys(reasons=frozenset({"framing"}), topics=frozenset({place.source})) == [b"guest"]
    assert keys(stages=frozenset({"journey"})) == []
    assert keys(key=b"k1") == [b"k1"]
    assert keys(detail="neither JSON") == [b"guest"]
    at_ms = [one.at_ms for one in read_letters(place.client, place.dead)]
    assert keys(since_ms=min(at_ms), until_ms=max(at_ms) + 1) == everything
    assert keys(since_ms=max(at_ms) + 1) == keys(until_ms=min(at_ms)) == []


def test_dry_run_first(place: Place) -> None:
    """Without ``execute`` nothing is written, and the counts are those of the run that follows."""
    place.produce((place.source, b"a", BAD), (place.source, b"b", b"?"))
    place.bury()
    dry = place.redrive()
    assert (dry.executed, dry.written, dry.redriven_before) == (False, 0, 0)
    assert dry.matching == {("decode", place.source): 1, ("framing", place.source): 1}
    assert {letter.key for letter in dry.samples} == {b"a", b"b"}
    assert len(place.records(place.source)) == 2
    assert len(place.records(place.dead)) == 2


def test_redriven_once(place: Place) -> None:
    """The original bytes, key, partition and headers come back; a second run writes nothing."""
    place.produce((place.source, b"a", BAD), (place.source, b"b", b"?"), (place.source, b"c", None))
    before = {message.key(): message for message in place.records(place.source)}
    place.bury()
    done = place.redrive(execute=True, only=LetterFilter(reasons=frozenset({"framing"})))
    assert (done.executed, done.written) == (True, 2)
    rest = place.redrive(execute=True, per_second=1_000)
    assert (rest.written, rest.redriven_before) == (1, 2)
    again = place.redrive(execute=True)
    assert (again.written, again.redriven_before, again.matching) == (0, 3, {})
    after = [message for message in place.records(place.source) if len(message.headers()) == 2]
    assert len(after) == 3
    for message in after:
        original = before[message.key()]
        assert (message.value(), message.partition()) == (original.value(), original.partition())
        assert message.headers()[0] == ("source", b"web")
        assert message.headers()[1][0] == "postcart-redriven"
    assert sorted(group.redriven for group in dead_groups(place.client, place.dead)) == [1, 2]
    # Still unusable, so they die once more, as letters of their new positions.
    assert len({letter.id for letter in place.bury()}) == 6


def test_five_megabytes_by_reference(place: Place) -> None:
    """A truncated letter is redriven from where the record still stands; one that is gone is told."""
    huge = BAD + b" " * 5_000_000
    place.produce((place.source, b"a", huge))
    (letter,) = place.bury()
    assert letter.truncated
    assert original_value(place.client, letter) == huge
    done = place.redrive(execute=True)
    assert (done.written, done.gone) == (1, [])
    assert [message.value() == huge for message in place.records(place.source)] == [True, True]
    elsewhere = DeadLetter(**{f: getattr(letter, f) for f in letter.__struct_fields__} | {"id": "gone", "offset": 99})
    place.produce((place.dead, *encode(elsewhere)))
    assert place.redrive(execute=True).gone == ["gone"]


def test_another_redrive_takes_over(place: Place) -> None:
    """Two at the same time: the first is fenced, the second finishes, nothing is written twice."""
    place.produce(*((place.source, b"k%d" % n, BAD) for n in range(450)))
    place.bury()
    second: list[RedriveReport] = []

    def progress(_: RedriveReport) -> None:
        if not second:
            second.append(place.redrive(execute=True))

    with pytest.raises(Fenced, match="another redrive"):
        place.redrive(execute=True, on_progress=progress)
    assert (second[0].written, second[0].redriven_before) == (250, 200)
    assert len(place.records(place.source)) == 900


def test_a_fenced_writer_says_so_every_time(place: Place) -> None:
    """Whatever the client calls it: fenced at the first call, or fatal ever after."""
    first = Writer(place.client, place.dead)
    second = Writer(place.client, place.dead)
    second.write([Output(place.source, b"k", b"of the second")])
    for _ in range(3):
        with pytest.raises(Fenced, match="another redrive or edit has begun"):
            first.write([Output(place.source, b"k", b"of the first") for _ in range(50)])
    assert [one.value() for one in place.records(place.source)] == [b"of the second"]


KILLED = """
import os, signal, sys
from postcart.adapters.dead_letters import RedriveOrder, redrive
left = int(sys.argv[3])
def progress(report):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
redrive({"bootstrap.servers": sys.argv[1], "log_level": 0}, sys.argv[2], RedriveOrder(execute=True, by="ann"),
    now_ms=lambda: int(sys.argv[4]), on_progress=progress)
"""


def test_killed_and_resumed(place: Place) -> None:
    """Kill -9 after a transaction: the next run goes on behind it."""
    place.produce(*((place.source, b"k%d" % n, BAD) for n in range(450)))
    place.bury()
    for at_ms in ("2", "3"):
        command = [sys.executable, "-c", KILLED, place.client["bootstrap.servers"], place.dead, "0", at_ms]
        killed = subprocess.run(command, check=False, capture_output=True, timeout=120)  # noqa: S603 -- our own script
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = place.redrive(execute=True)
    assert (done.redriven_before, done.written) == (400, 50)
    # Those that were killed have no end, but their markers count what they wrote.
    runs = read_runs(place.client, place.dead)
    assert sorted((run.state, count) for run, count in runs) == [("began", 200), ("began", 200), ("finished", 50)]
    records = place.records(place.source)
    assert sorted(message.key() for message in records) == sorted([b"k%d" % n for n in range(450)] * 2)


def test_missing_topic_is_named(place: Place) -> None:
    """What to do is in the message."""
    with pytest.raises(TopologyError, match="absent: there is no such topic; create it"):
        list(read_letters(place.client, "absent"))
