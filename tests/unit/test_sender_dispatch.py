"""Claimed jobs on their way to a provider: as many at once as it has connections, and only while they may be sent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gate_questions import job, person
from postcart.adapters.clock import WallClock
from postcart.adapters.providers import Accepted
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job
from postcart.senders.answers import Meaning
from postcart.senders.config import SenderConfig, SenderLimits, SenderTopics
from postcart.senders.dispatch import Dispatcher, Hindrance
from postcart.senders.elapsed import elapsed_s
from postcart.senders.item import Item, Release, Settle
from postcart.senders.providers import ProviderPlan

CONNECTIONS = 2


@dataclass
class Lines:
    """A channel whose one provider takes messages once the test lets it."""

    channel: Any = "email"
    provider: str = "smtp"
    begun: list[str] = field(default_factory=list)
    trouble: Exception | None = None
    at_once: int = 0
    most_at_once: int = 0
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> str:
        """The message is its job's id, unless the test has trouble for it."""
        del person, wrapped_key
        if self.trouble is not None:
            raise self.trouble
        return job.job_id

    async def send(self, message: str, provider: str) -> Accepted:
        """Take it, and answer when the test says."""
        assert provider == self.provider
        self.begun.append(message)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once == CONNECTIONS:
            self.busy.set()
        await self.answers.wait()
        self.at_once -= 1
        return Accepted("250 2.0.0", "ok")

    async def close(self) -> None:
        """Nothing is open."""


def item(number: int, *, age_s: float = 0.0) -> Item:
    one = Item(job(job_id=f"job-{number}"), "m", 0, number, 1)
    one.person, one.provider, one.claimed_s = person(), "smtp", elapsed_s() - age_s
    return one


def run(scenario: Callable[[Dispatcher, Lines], Awaitable[None]]) -> None:
    async def whole() -> None:
        lines = Lines()
        config = SenderConfig(
            client=ClientSettings(bootstrap=""),
            group="g",
            worker_name="w",
            topics=SenderTopics(**dict.fromkeys(SenderTopics.__slots__, "t")),
            adapter=lines,
            clock=WallClock(),
            providers=(ProviderPlan(name="smtp", in_flight=8, connections=CONNECTIONS),),
            limits=SenderLimits(claim_age_max_s=30.0),
        )
        dispatcher = Dispatcher(config)
        try:
            await scenario(dispatcher, lines)
        finally:
            dispatcher.stop()

    asyncio.run(whole())


async def meaning_of(dispatcher: Dispatcher, one: Item, hindrance: Hindrance | None = None) -> Meaning:
    return (await dispatcher.send(one, lambda: hindrance))[1]


async def busy(dispatcher: Dispatcher, lines: Lines) -> list[asyncio.Task[Meaning]]:
    """Every connection carries a message."""
    tasks = [asyncio.create_task(meaning_of(dispatcher, item(number))) for number in range(CONNECTIONS)]
    await lines.busy.wait()
    return tasks


def test_claimed_ahead_and_sent_as_connections_become_free() -> None:
    async def scenario(dispatcher: Dispatcher, lines: Lines) -> None:
        tasks = await busy(dispatcher, lines)
        tasks += [asyncio.create_task(meaning_of(dispatcher, item(number))) for number in range(2, 8)]
        lines.answers.set()
        meanings = await asyncio.gather(*tasks)
        assert [found.result for found in meanings] == ["accepted"] * 8
        assert all(isinstance(found.ending, Settle) for found in meanings)
        assert sorted(lines.begun) == [f"job-{number}" for number in range(8)]
        assert lines.most_at_once == CONNECTIONS

    run(scenario)


def test_a_claim_that_grew_old_while_it_waited_opens_no_socket() -> None:
    """It is released: by now another owner may take it for unanswered."""

    async def scenario(dispatcher: Dispatcher, lines: Lines) -> None:
        tasks = await busy(dispatcher, lines)
        found = await meaning_of(dispatcher, item(7, age_s=29.95))
        assert found == Meaning(Release(), "stale", None)
        assert (await meaning_of(dispatcher, item(8, age_s=31.0))).result == "stale"
        lines.answers.set()
        await asyncio.gather(*tasks)
        assert len(lines.begun) == CONNECTIONS
        assert (await meaning_of(dispatcher, item(9))).result == "accepted"  # no connection was lost on the way

    run(scenario)


@pytest.mark.parametrize("hindrance", ["left", "paused"])
def test_what_may_not_be_sent_any_more_when_its_turn_comes(hindrance: Hindrance) -> None:
    async def scenario(dispatcher: Dispatcher, lines: Lines) -> None:
        lines.answers.set()
        for number in range(2 * CONNECTIONS):
            assert await meaning_of(dispatcher, item(number), hindrance) == Meaning(Release(), hindrance, None)
        assert not lines.begun
        assert (await meaning_of(dispatcher, item(9))).result == "accepted"

    run(scenario)


def test_a_machine_without_descriptors_ends_no_job() -> None:
    """What can't be prepared for want of them is released, and tried again."""

    async def scenario(dispatcher: Dispatcher, lines: Lines) -> None:
        lines.answers.set()
        lines.trouble = OSError(24, "Too many open files", "global.dat")
        found = await meaning_of(dispatcher, item(1))
        assert (type(found.ending), found.result) == (Release, "machine")
        assert not lines.begun
        lines.trouble = None
        assert (await meaning_of(dispatcher, item(1))).result == "accepted"

    run(scenario)
