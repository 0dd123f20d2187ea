"""What comes out of a jobs topic stands in line: once each, and also what is early."""

from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import msgspec
import pytest
from confluent_kafka import Message

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.events.jobs import Claim, Job
from postcart.senders.claims import ClaimBook
from postcart.senders.desk import Desk
from postcart.senders.intake import Intake
from postcart.senders.positions import Positions
from postcart.senders.scheduler import Scheduler
from stream.due_jobs import due_job

TOPIC = "jobs.email.marketing"
PERSON = str(uuid5(NAMESPACE_DNS, "somebody"))


class Figures:
    """What was counted."""

    repeated = 0

    def jobs_received(self, _purpose: str, _count: int) -> None:
        """Not looked at."""

    def jobs_repeated(self, _purpose: str, count: int) -> None:
        """Counted."""
        self.repeated += count


class Rig:
    """One partition of a sender."""

    def __init__(self) -> None:
        self.scheduler: Scheduler[Any] = Scheduler(8)
        self.desk = Desk(0, SimpleNamespace(), ClaimBook(10), {TOPIC: Positions(0)}, {TOPIC: 0})  # type: ignore[arg-type]
        self.figures = Figures()
        config: Any = SimpleNamespace(
            adapter=SimpleNamespace(channel="email"),
            topics=SimpleNamespace(purpose_of=lambda _: "marketing"),
            metrics=self.figures,
        )
        state: Any = SimpleNamespace(scheduler=self.scheduler)
        self.intake = Intake(config, state, poller=SimpleNamespace(), throttle=SimpleNamespace())  # type: ignore[arg-type]
        self._offset = 0

    def read(self, job: Job) -> None:
        """The job comes out of the topic."""
        at, self._offset = self._offset, self._offset + 1
        value = msgspec.json.encode(job)
        message = Message(topic=TOPIC, partition=0, offset=at, key=job.person_id.encode(), value=value)
        self.intake.take(self.desk, RecordBatch(TOPIC, 0, at, [message], at + 1))

    def claim(self, job: Job, state: Any, **changes: Any) -> None:
        """A claim's record is known to be written."""
        fields = {"person_id": PERSON, "episode_id": job.episode_id, "step": 1, "at_ms": 0, "attempt": job.attempt}
        self.desk.book.fold(Claim(job_id=job.job_id, state=state, **(fields | changes)))

    def take(self) -> list[tuple[str, int]]:
        """Whose turn it is: job and attempt."""
        return [(item.job.job_id, item.job.attempt) for item in self.scheduler.take(8, 0.0, lambda *_: True)]


def job(attempt: int = 1) -> Job:
    """One and the same."""
    name = str(uuid5(NAMESPACE_DNS, "a job"))
    return due_job(PERSON, now_ms=0, job_id=name, channel="email", attempt=attempt)


def test_a_job_that_is_claimed_is_not_taken_in_again() -> None:
    """However often it is read."""
    rig = Rig()
    rig.claim(job(), "claimed")
    rig.read(job())
    rig.read(job())
    assert rig.take() == []
    assert rig.figures.repeated == 2


@pytest.mark.parametrize("known", [True, False])
def test_the_next_attempt_waits_for_the_end_of_the_one_before(*, known: bool) -> None:
    """It may be read before this sender hears that the receipt, which JOURNEY has read already, is written."""
    rig = Rig()
    rig.claim(job(), "claimed")
    if known:
        rig.claim(job(), "released", outcome="not_accepted")
    rig.read(job(2))
    assert rig.figures.repeated == 0
    assert rig.take() == [(job().job_id, 2)]
    if not known:
        assert rig.desk.book.standing(job().job_id, 2) == "early"
        rig.claim(job(), "released", outcome="not_accepted")
    assert rig.desk.book.standing(job().job_id, 2) == "free"
