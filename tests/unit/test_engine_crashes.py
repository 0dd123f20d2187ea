"""A record that kills the process: the count of crashes, the copy that may die, and finding the record."""

import asyncio
import faulthandler
import os
import signal
import time

import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs import dead_letters
from postcart.codecs.dead_letters import DeadLetter
from postcart.errors import StateError
from postcart.processors.engine.crashes import Crashes
from postcart.processors.engine.quarantine import first_killer, letter
from postcart.processors.engine.rehearsal import cause_of_death


class Changelog:
    """The rows that owners of a partition leave each other."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def owner(self, until: int) -> Crashes:
        """The next owner has begun: what it writes first is written."""
        crashes = Crashes()
        assert not crashes.restore([*self.rows.items()])
        crashes.restored()
        crashes.begin({"in": until} if crashes.count else {})
        self.commit(crashes)
        return crashes

    def commit(self, crashes: Crashes) -> None:
        """What the owner has to write is written."""
        for key, value in crashes.take_changed():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


def test_three_deaths_in_a_row_make_the_records_suspicious() -> None:
    """Also where each owner got a little further: the record that kills is among what was there."""
    log = Changelog()
    for died, position in ((0, 3), (1, 5), (2, 5)):
        owner = log.owner(until=9)
        assert owner.count == died
        assert not owner.suspicious
        owner.processed({"in": position})
        log.commit(owner)
    assert log.owner(until=9).suspicious


def test_getting_past_what_was_there_begins_anew() -> None:
    """Owners that are killed for other reasons, far apart, never add up."""
    log = Changelog()
    for _ in range(10):
        owner = log.owner(until=9)
        assert not owner.suspicious
        owner.processed({"in": 9})
        log.commit(owner)


def test_a_polite_end_is_no_death() -> None:
    """It leaves no row behind; one that comes before the danger is over keeps the count as it was."""
    log = Changelog()
    owner = log.owner(until=9)
    owner.leave()
    log.commit(owner)
    assert log.rows == {}
    log.owner(until=9)
    for _ in range(3):
        owner = log.owner(until=9)
        assert owner.count == 1
        owner.leave()
        log.commit(owner)


def test_an_owner_that_never_began_leaves_no_trace() -> None:
    """Given and taken before its restore was over."""
    log = Changelog()
    log.owner(until=9)
    passing = Crashes()
    passing.restore([*log.rows.items()])
    assert log.owner(until=9).count == 1


def test_other_rows_are_left_alone() -> None:
    """And one that can't be read ends the process: it is never guessed at."""
    crashes, others = Crashes(), [(b"somebody", b"row"), (b"gone", None)]
    assert crashes.restore([others[0], (b"!engine.crashes", b'{"crashes":1}'), others[1]]) == others
    crashes.restored()
    assert crashes.count == 2
    with pytest.raises(StateError):
        Crashes().restore([(b"!engine.crashes", b"?")])


def test_the_last_count_is_the_one_that_counts() -> None:
    """Also where several owners' counts are read at once; a tombstone takes all of them back."""
    one, two = (b"!engine.crashes", b'{"crashes":0}'), (b"!engine.crashes", b'{"crashes":1}')
    for rows, count in (([one, two], 2), ([two, one], 1), ([two, (b"!engine.crashes", None)], 0)):
        crashes = Crashes()
        assert crashes.restore(rows) == []
        crashes.restored()
        assert crashes.count == count


def _die(how: str) -> None:
    faulthandler.disable()  # pytest's: nobody need be told
    if how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(3)
    elif how == "hang":
        while True:
            time.sleep(0.01)
    else:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("how", "cause"),
    [("abort", "SIGABRT"), ("kill", "SIGKILL"), ("exit", "exit 3"), ("hang", "no end"), ("bug", "ZeroDivisionError")],
)
def test_a_copy_dies_in_the_process_s_place(how: str, cause: str) -> None:
    """Whatever it dies of, the process lives and knows."""
    found = asyncio.run(cause_of_death(lambda: _die(how), within_s=1.0 if how == "hang" else 60.0))
    assert found is not None
    assert found.startswith(cause)


def test_what_a_copy_does_is_undone_by_its_end() -> None:
    """The task's state is as before."""
    state = [1]
    assert asyncio.run(cause_of_death(lambda: state.append(2))) is None
    assert state == [1]


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
def test_the_first_killer_is_found(count: int, killers: set[int]) -> None:
    """Wherever it is, with about log2(count) deaths."""
    deaths = 0

    async def trial(first: int) -> str | None:
        nonlocal deaths
        dies = any(killer < first for killer in killers)
        deaths += dies
        return "SIGABRT" if dies else None

    found = asyncio.run(first_killer(count, trial))
    expected = min((killer for killer in killers if killer < count), default=None)
    assert found == (None if expected is None else (expected, "SIGABRT"))
    assert deaths <= 8


def test_what_does_not_do_it_again_is_not_blamed() -> None:
    """The copy was killed by somebody else."""
    answers = ["SIGKILL", None, None, None]

    async def trial(_: int) -> str | None:
        return answers.pop(0)

    assert asyncio.run(first_killer(4, trial)) is None


def test_the_letter_has_the_original() -> None:
    """Its bytes, its place, and what it did."""
    record = Message(topic="in", partition=1, offset=7, key=b"k", value=b"poison", timestamp=(1, 5))
    output = letter(record, "SIGABRT", crashes=3, stage="detect", topic="dead")
    assert (output.topic, output.key) == ("dead", b"k")
    assert output.value is not None
    found = dead_letters.decode(output.value)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.value, found.topic, found.partition, found.offset) == ("crashed", b"poison", "in", 1, 7)
    assert found.detail == "ends the process by SIGABRT; it had ended 3 times in a row"
    assert msgspec.json.decode(output.value)["stage"] == "detect"
