"""What the stages' tasks count, over generated histories: nothing is read that is not accounted for."""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from histories import CAMPAIGNS, random_history, shuffled, tripled
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.person import Outstanding, Person
from postcart.domain.journey.shipping import OrderState
from postcart.domain.track.parcel import Parcel, Poll, Scan, Watch
from postcart.events.jobs import Job
from postcart.metrics.instruments import Instruments
from postcart.metrics.stage import StageFigures
from postcart.processors.engine.task import Output
from postcart.processors.outlines import FORGET, ParcelOutline, PersonOutline, parcel_kind, person_kind
from side_by_side import context, typed
from stage_configs import SHOP_CARTS, SHOP_ORDERS
from tasks_in_memory import Pipeline, Worker, append


class Counting(Pipeline):
    """Counts what the tasks are given; what is read anew after a crash counts anew."""

    def __init__(self, seed: int) -> None:
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        self.figures = {name: Instruments() for name in ("detect", "journey")}
        self.received: Counter[tuple[str, str]] = Counter()
        super().__init__(
            context(campaign),
            Rules(seasons=campaign.peaks),
            Random(seed),
            replay=False,
            metrics=lambda stage: StageFigures(self.figures[stage], stage),
        )
        for stage, workers in (("detect", self.detect), ("journey", self.journey)):
            for worker in workers:
                self.count(stage, worker)

    def count(self, stage: str, worker: Worker) -> None:
        """Listen to what the worker reads."""
        read = worker.read

        def counted(topic: str, most: int) -> None:
            before = worker.positions[topic]
            read(topic, most)
            self.received[stage, topic] += worker.positions[topic] - before

        worker.read = counted  # type: ignore[method-assign]

    def processed(self, stage: str, topic: str) -> dict[str, float]:
        """By outcome."""
        return {
            outcome: self.figures[stage].registry.get_sample_value(
                "postcart_records_processed_total", {"stage": stage, "topic": topic, "outcome": outcome}
            )
            or 0.0
            for outcome in ("applied", "repeated", "late", "dead")
        }

    def value(self, stage: str, name: str, **labels: str) -> float:
        """A sample of the stage's; 0 without one."""
        return self.figures[stage].registry.get_sample_value(f"postcart_{name}", {"stage": stage, **labels}) or 0.0


@pytest.mark.parametrize("seed", range(6))
def test_what_is_received_is_applied_repeated_late_or_dead(seed: int) -> None:
    """Per stage and topic, whatever comes: repeats, disorder, records that can't be read."""
    pipeline = Counting(seed)
    history = random_history(seed, campaign=CAMPAIGNS[seed % len(CAMPAIGNS)])
    for poison in range(3):
        append(pipeline.detect, SHOP_CARTS, b"v", b"\xff" * poison)
        append(pipeline.journey, SHOP_ORDERS, b"p", b'{"type": "nothing"}')
    arrival = (tripled, shuffled)[seed % 2](history, Random(seed))
    pipeline.run(typed(arrival))
    assert pipeline.received
    for (stage, topic), received in pipeline.received.items():
        processed = pipeline.processed(stage, topic)
        assert sum(processed.values()) == received, (stage, topic, processed)
        assert min(processed.values()) >= 0
    assert pipeline.processed("detect", SHOP_CARTS)["dead"] >= 3
    assert pipeline.processed("journey", SHOP_ORDERS)["dead"] >= 3
    if seed % 2 == 0:
        repeated = [pipeline.processed(stage, topic)["repeated"] for stage, topic in pipeline.received]
        assert sum(repeated) > 0


def test_what_waits_is_counted_and_a_restart_counts_the_same() -> None:
    """Rows at rest tell their kind as those in memory do, at every commit."""
    seen: Counter[str] = Counter()
    fired = due = jobs = 0.0
    for seed in range(20):
        pipeline = Counting(seed)
        for worker in [*pipeline.detect, *pipeline.journey]:
            compare_at_commits(worker, seen)
        pipeline.run(typed(random_history(seed, campaign=CAMPAIGNS[seed % len(CAMPAIGNS)])))
        assert pipeline.value("detect", "deadlines_pending", kind="session_end") == 0, "in the end nothing waits"
        assert pipeline.value("journey", "deadlines_pending", kind="step") == 0
        assert pipeline.value("detect", "event_delay_seconds_count") > 0
        fired += pipeline.value("detect", "deadline_fire_delay_seconds_count")
        due += pipeline.value("journey", "deadline_fire_delay_seconds_count")
        jobs += len(pipeline.jobs)
    assert seen.keys() == {"session_end", "step", FORGET}
    assert fired > 0
    assert due >= jobs > 0, "a step that was decided anew after a crash is counted again"


def compare_at_commits(worker: Worker, seen: Counter[str]) -> None:
    """Let each commit of the worker compare its rows with those that its changelog gives."""
    commit = worker.commit

    def compared() -> list[Output]:
        outputs = commit()
        rows, restored = worker.task._rows, worker.start()._rows  # type: ignore[attr-defined]
        assert restored.waiting() == rows.waiting()
        assert sum(rows.waiting().values()) == len(rows) == len(restored)
        assert (restored.size_estimate > 0) == (len(rows) > 0)
        seen.update(kind for kind, count in rows.waiting().items() if count)
        return outputs

    worker.commit = compared  # type: ignore[method-assign]


@pytest.mark.parametrize("retry_ms", [0, 5])
def test_a_job_that_is_to_be_sent_again_is_waited_for(retry_ms: int) -> None:
    """In the row and in its outline."""
    job = Job(
        job_id="j",
        person_id="p",
        episode_id="e",
        step=1,
        channel="email",
        purpose="marketing",
        campaign="c",
        campaign_version="1",
        journey="standard",
        template="t",
        armed_ms=0,
        planned_ms=0,
        due_ms=0,
        not_after_ms=1,
        lines=(),
    )
    person = Person(person_id="p", outstanding={"j": Outstanding(job=job, retry_ms=retry_ms)})
    outline = msgspec.msgpack.decode(msgspec.msgpack.encode(person), type=PersonOutline)
    assert person_kind(person) == person_kind(outline) == ("retry" if retry_ms else None)


@pytest.mark.parametrize(("unpaid_ms", "kind"), [(0, None), (5, "notice")])
def test_an_order_that_may_be_told_of_is_waited_for(unpaid_ms: int, kind: str | None) -> None:
    """In the row and in its outline."""
    person = Person(person_id="p", orders={"o": OrderState(placed_ms=1, unpaid_ms=unpaid_ms)})
    outline = msgspec.msgpack.decode(msgspec.msgpack.encode(person), type=PersonOutline)
    assert person_kind(person) == person_kind(outline) == kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, None),
        ({"waiting": [Scan(id="s", time=1, status="in_transit")]}, "registration"),
        ({"poll": Poll(1)}, "poll"),
        ({"watches": {"no_scan": Watch(due_ms=1, since_ms=0, cause="s")}}, "delay"),
    ],
)
def test_what_a_parcel_waits_for(fields: dict[str, Any], kind: str | None) -> None:
    """In the row and in its outline."""
    parcel = Parcel(key="dhl/1", **fields)
    outline = msgspec.msgpack.decode(msgspec.msgpack.encode(parcel), type=ParcelOutline)
    assert parcel_kind(parcel) == parcel_kind(outline) == kind
