"""The clock of a task: the least over its inputs, less the disorder, never backwards."""

from postcart.processors.engine.task import Idle
from postcart.processors.watermark import Watermark


def test_no_clock_before_every_input_has_one() -> None:
    """An input of which nothing is known may still bring anything."""
    watermark = Watermark(("a", "b"), disorder_ms=300, exact_idle=False)
    watermark.saw("a", 10_000)
    assert watermark.clock_ms is None
    watermark.idle({"b": Idle(20_000, 0)})
    assert watermark.clock_ms == 9_699


def test_an_event_exactly_as_late_as_allowed_is_still_in_time() -> None:
    """A clock of T says that all events up to and including T are there: one at T + 1 may come."""
    watermark = Watermark(("a",), disorder_ms=300, exact_idle=False)
    watermark.saw("a", 1_000)
    assert watermark.clock_ms == 699


def test_the_clock_never_falls() -> None:
    """Older records and a machine clock that was set back change nothing."""
    watermark = Watermark(("a",), disorder_ms=300, exact_idle=False)
    watermark.saw("a", 1_000)
    watermark.saw("a", 500)
    watermark.idle({"a": Idle(400, 0), "other": Idle(9_999, 0)})
    assert watermark.clock_ms == 699


def test_a_replay_tells_the_exact_time() -> None:
    """It tells T only once everything up to T is there."""
    watermark = Watermark(("a",), disorder_ms=300, exact_idle=True)
    watermark.idle({"a": Idle(1_000, 0)})
    assert watermark.clock_ms == 1_000
