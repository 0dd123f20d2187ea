"""Batches are as large as a stage can fold in the time that it may stand still, and no larger."""

from hypothesis import given
from hypothesis import strategies as st

from postcart.processors.engine.pace import Pace

TARGET_S, MOST = 0.2, 12_000


@given(record_us=st.floats(1, 5_000), batches=st.lists(st.integers(1, MOST), min_size=30, max_size=60))
def test_it_settles_where_a_batch_takes_its_time(record_us: float, batches: list[int]) -> None:
    """Within its bounds, whatever sizes come; a stage that is too slow for the least gets the least."""
    pace = Pace(TARGET_S, most=MOST)
    for records in batches:
        pace.took(records, records * record_us / 1e6)
        assert 500 <= pace.records <= MOST
    if any(records >= 100 for records in batches):
        expected = min(MOST, max(500, TARGET_S / record_us * 1e6))
        assert abs(pace.records - expected) <= 1


def test_one_slow_batch_does_not_decide() -> None:
    """A pause of the machine is forgotten after some batches."""
    pace = Pace(TARGET_S, most=MOST)
    for _ in range(20):
        pace.took(4_000, 0.08)
    assert pace.records == 10_000
    pace.took(4_000, 0.4)
    assert pace.records > 5_000
    for _ in range(20):
        pace.took(4_000, 0.08)
    assert pace.records > 9_500


def test_small_batches_tell_nothing() -> None:
    """What a batch costs by itself is not taken for what its records do."""
    pace = Pace(TARGET_S, most=MOST)
    for _ in range(20):
        pace.took(1, 0.01)
    assert pace.records == 4_000


def test_a_configured_bound_below_the_least_holds() -> None:
    """Tests and small machines ask for few records."""
    pace = Pace(TARGET_S, most=7)
    assert pace.records == 7
    pace.took(1_000, 5.0)
    assert pace.records == 7
