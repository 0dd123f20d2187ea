"""What a sender knows of a partition's gate, and when it notices that nothing moves any more."""

import asyncio
from typing import Any

import msgspec
import pytest

from postcart.adapters.clock import WallClock
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.errors import Fenced
from postcart.events.gate import GatePerson, GateProgress
from postcart.senders.claims import ClaimBook
from postcart.senders.config import SenderConfig, SenderTopics
from postcart.senders.desk import Desk
from postcart.senders.freshness import Freshness
from postcart.senders.gate_view import GateView
from postcart.senders.positions import Positions
from postcart.senders.providers import ProviderPlan
from postcart.senders.state import SenderState
from postcart.senders.watchdog import Watchdog

encode = msgspec.json.encode
TOPICS = SenderTopics(
    transactional="t",
    marketing="m",
    gate="gate",
    keys="keys",
    claims="claims",
    receipts="receipts",
    dead="dead",
    decisions="decisions",
    catalog="catalog",
    suppressions="suppressions",
)


def test_persons_and_keys() -> None:
    """The latest record counts; a tombstone removes; what can't be read is nobody."""
    view = GateView()
    view.gate_record(b"p", encode(GatePerson(person_id="p", locale="de")))
    view.gate_record(b"p", encode(GatePerson(person_id="p", locale="en")))
    view.gate_record(b"q", b'{"type":"person"}')
    view.key_record(b"p", b"wrapped")
    found = view.person("p")
    assert found is not None
    assert found.locale == "en"
    assert view.wrapped_key("p") == b"wrapped"
    assert view.person("q") is None
    assert view.malformed == 1
    view.gate_record(b"p", None)
    view.key_record(b"p", None)
    assert view.person("p") is None
    assert view.wrapped_key("p") is None


def test_freshness() -> None:
    """The age counts from when the watermark was asked for that has been reached, not from when it was reached."""
    view = GateView()
    assert view.freshness(now_s=10.0, real_ms=0) == Freshness(None, None)
    view.watermarks(asked_s=10.0, gate=5, keys=2)
    view.watermarks(asked_s=11.0, gate=8, keys=3)
    view.gate_position(4)
    assert view.freshness(now_s=12.0, real_ms=0).gate_age_s is None
    view.gate_position(7)
    assert view.freshness(now_s=12.0, real_ms=0).gate_age_s == 2.0
    assert view.covers(9.9)
    assert not view.covers(10.1)
    view.gate_record(b"!progress:0", encode(GateProgress(partition=0, orders_read_ms=5_000)))
    view.gate_position(8)
    assert view.freshness(now_s=12.0, real_ms=7_000) == Freshness(1.0, 2_000)
    assert len(view) == 0
    view.gate_record(b"!progress:0", encode(GateProgress(partition=0, orders_read_ms=6_000, carts_read_ms=4_000)))
    assert view.freshness(now_s=12.0, real_ms=7_000) == Freshness(1.0, 1_000, 3_000)


def test_loaded_when_both_were_read() -> None:
    """The first watermark of the keys is the one that counts: they go on growing."""
    view = GateView()
    view.watermarks(asked_s=1.0, gate=1, keys=2)
    view.watermarks(asked_s=2.0, gate=1, keys=9)
    view.gate_position(1)
    assert not view.loaded
    view.keys_position(2)
    assert view.loaded


def test_a_gate_that_stands_still() -> None:
    """Many answers of the broker say that there is more, and nothing is read."""
    view = GateView()
    for tick in range(240):
        assert not view.stalled
        view.watermarks(asked_s=float(tick), gate=5, keys=0)
    assert view.stalled
    view.gate_position(1)
    assert not view.stalled


def config_of_one() -> SenderConfig:
    """A sender by one provider, with an adapter that nobody asks."""
    unused: Any = None
    return SenderConfig(
        client=ClientSettings(bootstrap=""),
        group="g",
        worker_name="w",
        topics=TOPICS,
        adapter=unused,
        clock=WallClock(),
        providers=(ProviderPlan(name="smtp"),),
    )


def state_with_desk(config: SenderConfig) -> tuple[SenderState, Desk]:
    state = SenderState(config)
    positions = {"t": Positions(0), "m": Positions(3)}
    desk = state.desks[0] = Desk(0, GateView(), ClaimBook(1), positions, {"t": 0, "m": 3})
    return state, desk


def test_watchdog_ends_a_standing_partition() -> None:
    """Standing still with records ahead for longer than the limit; movement, a pause or no answer start afresh."""

    async def scenario() -> None:
        unused: Any = None
        config = config_of_one()
        state, desk = state_with_desk(config)
        dog = Watchdog(config, state, offsets=unused)
        dog.look({("t", 0): 0, ("m", 0): 9}, now_s=0.0)
        dog.look({("t", 0): 0, ("m", 0): 9}, now_s=59.0)
        desk.positions["m"].move(5)
        dog.look({("t", 0): 0, ("m", 0): 9}, now_s=61.0)
        desk.paused.add("m")
        dog.look({("t", 0): 0, ("m", 0): 9}, now_s=130.0)
        desk.paused.clear()
        dog.look({}, now_s=200.0)
        dog.look({("m", 0): 9}, now_s=201.0)
        with pytest.raises(Fenced, match="standing still"):
            dog.look({("m", 0): 9}, now_s=262.0)

    asyncio.run(scenario())


def test_offsets_that_moved() -> None:
    """Only what differs from what was committed last."""

    async def scenario() -> None:
        _, desk = state_with_desk(config_of_one())
        assert desk.moved() == {}
        desk.positions["m"].hold(3)
        desk.positions["m"].move(4)
        assert desk.moved() == {}
        desk.positions["m"].let_go(3)
        assert desk.moved() == {("m", 0): 4}

    asyncio.run(scenario())
