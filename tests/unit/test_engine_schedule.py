"""When a transaction is due."""

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.processors.engine.schedule import CommitSchedule
from postcart.processors.engine.settings import EngineSettings

SETTINGS = EngineSettings(
    clients=ClientSettings(bootstrap="localhost:9092"), worker="test", commit_outputs_ms=100, commit_rows_ms=1000
)


def test_outputs_wait_for_the_short_interval_rows_for_the_long_one() -> None:
    """The first output counts, later ones don't prolong it."""
    schedule = CommitSchedule(SETTINGS, 10.0)
    assert not schedule.due(10.9)
    assert schedule.due(11.0)
    schedule.outputs_wait(10.5)
    schedule.outputs_wait(10.55)
    assert not schedule.due(10.59)
    assert schedule.due(10.61)
    schedule.begin(10.61)
    schedule.done(10.61)
    assert not schedule.due(11.5)


def test_far_behind_outputs_wait_for_the_long_interval() -> None:
    """They are late anyway; as soon as the worker has caught up, they are urgent again."""
    schedule = CommitSchedule(SETTINGS, 10.0)
    schedule.outputs_wait(10.0)
    schedule.behind = True
    assert not schedule.due(10.9)
    assert schedule.due(11.0)
    schedule.behind = False
    assert schedule.due(10.2)


def test_transactions_that_take_long_come_less_often() -> None:
    """Three times what they take, and at most the long interval."""
    schedule = CommitSchedule(SETTINGS, 10.0)
    for took, wait in ((0.01, 0.1), (0.1, 0.3), (2.0, 1.0)):
        for _ in range(2):
            schedule.begin(20.0)
            schedule.done(20.0 + took)
        schedule.outputs_wait(20.0 + took)
        assert not schedule.due(20.0 + took + wait - 0.01)
        assert schedule.due(20.0 + took + wait + 0.01)


def test_a_single_transaction_that_takes_long_holds_up_nothing_after_it() -> None:
    """Of the last two the shorter counts."""
    schedule = CommitSchedule(SETTINGS, 10.0)
    for took in (0.01, 0.5, 0.01):
        schedule.begin(20.0)
        schedule.done(20.0 + took)
        schedule.outputs_wait(20.0 + took)
        assert schedule.due(20.0 + took + 0.11)
