"""Asking carriers: whom, when, how often, and what follows from an answer or from none. Time is an argument."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poll_desk import HOUR_MS, Rig, numbers
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
    UnreadableRecord,
)

NOTHING = b"[]"


def test_growing_answers_are_written_scan_by_scan() -> None:
    """What was written is not written again; a question is done once its scans are on Kafka."""
    rig = Rig(lambda _number, before: (None, NOTHING, numbers(1), numbers(1, 2), numbers(1, 2))[before])
    for _ in range(5):
        rig.put("A1")
        rig.work()
        rig.now_s += 1_800
    assert [one.id for one in rig.events] == ["A1/1", "A1/2"]
    assert rig.figures.ends == {"unknown": 2, "answered": 2, "unchanged": 1}
    assert rig.figures.written == 2
    assert rig.handled == 5


def test_what_comes_too_late_or_again_is_not_asked() -> None:
    """Or is nobody's business any more: a carrier that is no longer polled."""
    rig = Rig(lambda _number, _before: numbers(1))
    rig.put("OLD", age_ms=4 * HOUR_MS + 1)
    rig.put("A1", "A1", "A1")
    rig.put("B1", carrier="ups")
    rig.work()
    assert [number for _, number in rig.asked] == ["A1"]
    rig.now_s += 600
    rig.put("A1")
    rig.work()
    assert len(rig.asked) == 1
    rig.now_s += 1_100
    rig.put("A1")
    rig.work()
    assert len(rig.asked) == 2
    assert rig.figures.ends == {"old": 1, "repeated": 3, "unpolled": 1, "answered": 1, "unchanged": 1}
    assert rig.handled == 7


def test_a_question_that_grows_old_in_line_is_dropped() -> None:
    """Newer ones follow."""
    rig = Rig(lambda _number, _before: ChannelUnavailable("not reached"))
    rig.put("A1")
    rig.work(5 * 3_600, step_s=60.0)
    assert rig.figures.ends["old"] == 1
    assert rig.handled == 1
    assert len(rig.desk.queue) == 0


def test_a_busy_carrier_is_left_alone_as_long_as_it_asks() -> None:
    """All of its parcels wait; then those that were not answered are asked again."""
    busy = ProviderBusy("HTTP 429", status="429", retry_after_ms=90_000)
    rig = Rig(lambda number, before: busy if (number, before) == ("A1", 0) else numbers(1), in_flight=1)
    rig.put("A1", "B1")
    rig.work(89)
    assert [number for _, number in rig.asked] == ["A1"]
    assert rig.handled == 0
    rig.work(5)
    assert Counter(number for _, number in rig.asked) == {"A1": 2, "B1": 1}
    assert rig.handled == 2
    assert rig.figures.ends["busy"] == 1


@pytest.mark.parametrize(
    "failure",
    [DeliveryUncertain("no answer: ReadTimeout"), ChannelUnavailable("not reached"), UnreadableRecord("answer", "x")],
)
def test_a_carrier_that_fails_is_asked_by_one_probe_at_a_time(failure: Exception) -> None:
    """After five failures in a row; what it answers then opens it again."""
    works = False
    rig = Rig(lambda _number, _before: numbers(1) if works else failure)
    rig.put(*(f"A{number}" for number in range(200)))
    rig.work(600)
    times = [at_s for at_s, _ in rig.asked]
    assert times.count(1_000.0) <= 40, "those under way when the fifth failed"
    probes = [at_s for at_s in times if at_s > 1_000.0]
    assert 8 <= len(probes) <= 10
    assert all(later - earlier >= 60 for earlier, later in pairwise(probes))
    assert "paused" in rig.figures.circuits
    works = True
    rig.work(900)
    assert rig.figures.circuits[-1] == "open"
    assert len(rig.desk.queue) == 0


def test_a_refused_login_stops_it_at_once() -> None:
    """One question is enough."""
    rig = Rig(lambda _number, _before: CredentialsRejected("HTTP 401", status="401"), in_flight=1)
    rig.put(*(f"A{number}" for number in range(50)))
    rig.work(50)
    assert len(rig.asked) == 1
    assert rig.figures.ends == {"credentials": 1}


def test_a_refused_question_is_done() -> None:
    """Asked again it would be refused again; the carrier works."""
    rig = Rig(lambda _number, _before: RecipientRejected("HTTP 400", status="400"))
    rig.put("A1", "B1")
    rig.work()
    assert rig.figures.ends == {"refused": 2}
    assert rig.handled == 2


def test_nothing_is_lost_while_kafka_is_away() -> None:
    """The carrier is asked once more, and nothing is committed until its answer is written."""
    rig = Rig(lambda _number, _before: numbers(1, 2))
    rig.broker_is_away = True
    rig.put("A1")
    rig.work(5)
    assert (rig.events, rig.handled, rig.figures.written) == ([], 0, 0)
    rig.broker_is_away = False
    rig.work(30)
    assert [one.id for one in rig.events] == ["A1/1", "A1/2"]
    assert rig.handled == 1


def test_what_can_not_be_read_is_a_dead_letter_once_a_parcel() -> None:
    """With the question, so that it is asked again, and the bytes that came; good scans beside it count."""
    answers = {"A1": b"<html>", "B1": b'[1, "no time"]', "C1": b"[" * 5_000 + b"]" * 5_000}
    rig = Rig(lambda number, _before: answers[number])
    for _ in range(3):
        rig.put(*answers)
        rig.work()
        rig.now_s += 1_800
    assert [one.id for one in rig.events] == ["B1/1"]
    letters = {letter.value: letter for letter in rig.letters}
    assert len(rig.letters) == len(letters) == 3
    first = letters[b"A1"]
    assert (first.reason, first.detail, first.stage, first.topic) == (
        "answer",
        "the answer is no JSON",
        "poll",
        "polls",
    )
    assert dict(first.headers)["answer"] == b"<html>"
    assert letters[b"B1"].detail == "no time"
    assert rig.figures.ends["dead answer"] == 3
    assert rig.figures.ends["unreadable"] == 6


def test_what_others_own_now_is_left_to_them() -> None:
    """What is under way is written all the same: it harms nobody."""
    rig = Rig(lambda _number, _before: numbers(1), rate_per_s=1.0)
    rig.put("A1", "B1", "C1")
    rig.work()
    assert rig.handled == 1
    rig.desk.queue.own([])
    rig.work(10)
    assert len(rig.asked) == 1
    assert rig.desk.queue.handled_up_to() == {}


@pytest.mark.slow
@given(
    rate=st.sampled_from((2.0, 20.0)),
    connections=st.integers(1, 5),
    arrivals=st.lists(st.integers(0, 20), min_size=1, max_size=8),
)
def test_never_more_than_the_rate_and_the_connections(rate: float, connections: int, arrivals: list[int]) -> None:
    """Over any time, whatever arrives when; in the end all are asked, each once."""
    rig = Rig(lambda _number, _before: numbers(1), rate_per_s=rate, in_flight=connections)
    for number, count in enumerate(arrivals):
        rig.put(*(f"N{number}X{one}" for one in range(count)))
        rig.work(3, step_s=0.25)
    rig.work(sum(arrivals) / rate + 5, step_s=0.25)
    assert sorted(number for _, number in rig.asked) == sorted({number for _, number in rig.asked})
    assert len(rig.asked) == sum(arrivals)
    assert rig.most_under_way <= connections
    times = [at_s for at_s, _ in rig.asked]
    burst = max(1.0, 1 + rate * 0.25)
    for first, begin_s in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - begin_s) + 1e-6


def test_what_is_expected_is_written_when_it_changes() -> None:
    """Once while it stays, again when it comes back after another; alone it is an answer as well."""
    told = iter([b"[[5]]", b"[1, [5]]", b"[1, [6]]", b"[1, [5]]"])
    rig = Rig(lambda *_: next(told))
    for _ in range(4):
        rig.put("a")
        rig.work()
        rig.now_s += 1_700
    assert [event.id for event in rig.events] == ["a/expected 5", "a/1", "a/expected 6", "a/expected 5"]
    assert rig.figures.ends == {"answered": 4}
    assert rig.figures.written == 1
