"""How a pause is measured."""

import pytest

from faults.pauses import Sign, pause_ms


def test_after_a_kill_the_first_work_ends_the_pause() -> None:
    assert pause_ms([Sign(900, 0), Sign(1_400, 0), Sign(9_000, 0)], 1_000, 20_000, polite=False) == 400


@pytest.mark.parametrize(
    ("signs", "pause"),
    [
        ([Sign(1_100, 0), Sign(4_100, 0), Sign(4_200, 0)], 3_000),  # it worked on for a moment, then stood still
        ([Sign(1_100, 0), Sign(4_100, 3_800), Sign(4_200, 0)], 300),  # nothing to do until 3,800
        ([Sign(4_100, 1_050)], 3_050),  # work came while it stood still
        ([Sign(1_300, 200)], 300),  # work from before the fault waits since the fault
    ],
)
def test_after_a_polite_end_only_what_work_waits_is_a_pause(signs: list[Sign], pause: int) -> None:
    assert pause_ms(signs, 1_000, 20_000, polite=True) == pause


def test_work_that_is_not_done_before_the_next_fault_waited_until_then() -> None:
    assert pause_ms([Sign(2_000, 0), Sign(21_000, 14_000)], 1_000, 20_000, polite=True) == 6_000


def test_work_that_came_after_the_next_fault_says_nothing() -> None:
    assert pause_ms([Sign(30_500, 30_000)], 1_000, 20_000, polite=True) == 0


@pytest.mark.parametrize("signs", [[], [Sign(900, 0)]])
def test_a_partition_not_seen_again_has_no_known_pause(signs: list[Sign]) -> None:
    assert pause_ms(signs, 1_000, 20_000, polite=True) is None


def test_after_a_kill_what_is_first_seen_after_the_next_fault_is_not_known() -> None:
    assert pause_ms([Sign(900, 0), Sign(21_000, 0)], 1_000, 20_000, polite=False) is None
