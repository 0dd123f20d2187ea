"""After a long stop more may be due than is looked at in one go: a task says so, and nothing is told too early."""

from unittest.mock import patch

import msgspec
from confluent_kafka import Message

from postcart.domain.detect.rules import Rules
from postcart.events.shop import ProductViewed
from postcart.events.signals import TaskClock
from postcart.processors import detect
from postcart.processors.detect import DetectTask
from postcart.processors.engine.task import Idle, RecordBatch
from stage_configs import SHOP_CARTS, SHOP_SESSIONS, SIGNALS, detect_config
from tasks_in_memory import FAR_FUTURE_MS

START_MS = 1_664_582_400_000
VISITORS = 7
AT_ONCE = 3


def view(number: int) -> Message:
    """A visit of one view, each a second after the one before."""
    event = ProductViewed(
        id=f"e{number}", time=START_MS + number * 1_000, visitor_id=f"v{number}", session_id="s", variant_id="shirt"
    )
    return Message(
        topic=SHOP_SESSIONS,
        partition=0,
        offset=number,
        key=event.visitor_id.encode(),
        value=msgspec.json.encode(event),
        timestamp=(1, FAR_FUTURE_MS),
    )


def told_ms(task: DetectTask) -> int | None:
    """The task's clock as others are told it, if they are told one now."""
    clocks = [output.value for output in task.drain().outputs if output.topic == SIGNALS and output.key is None]
    return msgspec.json.decode(clocks[0] or b"", type=TaskClock).clock_ms if clocks else None


def test_what_is_left_over_is_said_and_the_clock_stays_before_it() -> None:
    """Asked again and again, with nothing new, it comes to the end."""
    rules = Rules()
    task = DetectTask(detect_config(rules, exact_idle=True), 0)
    task.restored()
    task.process(RecordBatch(SHOP_SESSIONS, 0, 0, [view(number) for number in range(VISITORS)], VISITORS))
    task.drain()
    end_ms = START_MS + rules.inactivity_ms + 60_000
    idle = {topic: Idle(end_ms, end_ms) for topic in (SHOP_SESSIONS, SHOP_CARTS)}
    with patch.object(detect, "_FIRE_LIMIT", AT_ONCE):
        for looked_at in (AT_ONCE, 2 * AT_ONCE):
            assert task.advance(idle, end_ms)
            # The next visit ends at this moment: all before it has been told.
            assert told_ms(task) == START_MS + looked_at * 1_000 + rules.inactivity_ms - 1
        assert not task.advance(idle, end_ms)
        assert told_ms(task) == end_ms
        assert not task.advance(idle, end_ms)


def test_what_was_processed_is_in_what_is_committed() -> None:
    """A commit between two batches that are folded together has the position of the first: its events must be there."""
    task = DetectTask(detect_config(Rules(), exact_idle=True), 0)
    task.restored()
    task.process(RecordBatch(SHOP_SESSIONS, 0, 0, [view(number) for number in range(VISITORS)], VISITORS, more=True))
    assert len(task.drain().rows) == VISITORS
