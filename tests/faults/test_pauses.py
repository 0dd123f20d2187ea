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


def test_a_partition_not_seen_again_has_no_known_pause() -> None:
    assert pause_ms([Sign(900, 0), Sign(21_000, 0)], 1_000, 20_000, polite=True) is None
