"""The workers' wall clock does not jump, goes with small corrections, and believes what lasts."""

from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.clock import WallClock
from postcart.adapters.steady import BELIEVED_AFTER_MS, SMALL_MS, SteadyTime

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def test_a_jump_that_is_put_right_changes_nothing() -> None:
    """An hour ahead for fourteen minutes, then right again: time went on as ever."""
    steady = SteadyTime()
    assert steady.at(wall_ms=NOW_MS, elapsed_ms=0) == NOW_MS
    for passed in range(1_000, BELIEVED_AFTER_MS, 1_000):
        assert steady.at(wall_ms=NOW_MS + passed + HOUR_MS, elapsed_ms=passed) == NOW_MS + passed
    assert steady.at(wall_ms=NOW_MS + BELIEVED_AFTER_MS, elapsed_ms=BELIEVED_AFTER_MS) == NOW_MS + BELIEVED_AFTER_MS


def test_a_jump_that_lasts_is_believed() -> None:
    """A machine whose clock was wrong from the start is put right."""
    steady = SteadyTime()
    steady.at(wall_ms=NOW_MS, elapsed_ms=0)
    steady.at(wall_ms=NOW_MS - HOUR_MS, elapsed_ms=1)
    passed = BELIEVED_AFTER_MS + 1
    assert steady.at(wall_ms=NOW_MS - HOUR_MS + passed, elapsed_ms=passed) == NOW_MS - HOUR_MS + passed


@given(st.lists(st.tuples(st.integers(1, 60_000), st.integers(-SMALL_MS, SMALL_MS)), max_size=50))
def test_small_corrections_are_followed(looks: list[tuple[int, int]]) -> None:
    """However often the clock is corrected by a little, the machine's time is what counts."""
    steady, passed, wrong = SteadyTime(), 0, 0
    steady.at(wall_ms=NOW_MS, elapsed_ms=0)
    for later, correction in looks:
        passed, wrong = passed + later, wrong + correction
        assert steady.at(wall_ms=NOW_MS + passed + wrong, elapsed_ms=passed) == NOW_MS + passed + wrong


@given(st.lists(st.tuples(st.integers(1, BELIEVED_AFTER_MS - 1), st.integers(-HOUR_MS, HOUR_MS)), max_size=50))
def test_no_jump_within_its_time(looks: list[tuple[int, int]]) -> None:
    """Jumps, each put right before it is believed, never move the time by more than a small step."""
    steady, passed, wrong = SteadyTime(), 0, 0
    steady.at(wall_ms=NOW_MS, elapsed_ms=0)
    for later, jump in looks:
        for jumped in (jump, 0):
            passed += later
            time_ms = steady.at(wall_ms=NOW_MS + passed + jumped, elapsed_ms=passed)
            wrong = abs(time_ms - NOW_MS - passed)
            assert wrong <= SMALL_MS


def test_the_workers_clock_is_steady_and_right() -> None:
    """It tells the machine's time, once for both of its uses."""
    clock = WallClock()
    assert 0 <= clock.real_ms() - clock.now_ms() < 1_000
