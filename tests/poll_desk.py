"""A desk that asks one carrier, which answers as told; time is what the test says.

Owns: the desk's surrounding: the questions, the carrier, the clock, and what was written and counted. Must not: know
whom to ask.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import Message

from postcart.codecs.dead_letters import DeadLetter
from postcart.domain.track.answers import Answer
from postcart.errors import BrokerUnavailable
from postcart.events.polls import PollRequest
from postcart.events.shipments import CarrierEvent, ParcelEstimate, ParcelStatus
from postcart.senders.poll_config import PollConfig
from postcart.senders.poll_queue import Question
from postcart.senders.polls import PollDesk
from postcart.senders.providers import ProviderPlan, Providers

PLACE = ("polls", 0)
HOUR_MS = 3_600_000


def numbers(*known: int) -> bytes:
    """An answer that holds these scans."""
    return msgspec.json.encode(known)


def scan(number: int, request: PollRequest) -> ParcelStatus:
    """One of them."""
    return ParcelStatus(
        id=f"{request.tracking_number}/{number}",
        time=number,
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        code="in_transit",
    )


def read(_name: str, document: Any, request: PollRequest) -> Answer:
    """A list of numbers; a text is a fault, a list what is expected."""
    found = [one for one in document if isinstance(one, int)]
    faults = [one for one in document if isinstance(one, str)]
    expected = next((expectation(*one, request) for one in document if isinstance(one, list)), None)
    return Answer([scan(number, request) for number in found], faults=faults, estimate=expected)


def expectation(at_ms: int, request: PollRequest) -> ParcelEstimate:
    """Delivery then."""
    return ParcelEstimate(
        id=f"{request.tracking_number}/expected {at_ms}",
        time=request.at_ms,
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        estimated_at=at_ms,
    )


class Figures:
    """What was counted."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.circuits: list[str] = []
        self.written = 0

    def ended(self, _provider: str, outcome: str) -> None:
        """Counted."""
        self.ends[outcome] += 1

    def asked(self, _provider: str, _duration_s: float) -> None:
        """Not looked at."""

    def scans(self, _provider: str, count: int) -> None:
        """Counted."""
        self.written += count

    def pending(self, _count: int) -> None:
        """Not looked at."""

    def dead(self, reason: str) -> None:
        """Counted."""
        self.ends[f"dead {reason}"] += 1

    def circuit(self, _provider: str, state: str) -> None:
        """Kept."""
        self.circuits.append(state)


class Rig:
    """A desk with a carrier that answers as told. ``answer``: from number and how often it was asked before."""

    def __init__(self, answer: Callable[[str, int], bytes | Exception | None], **plan: Any) -> None:
        self.now_s = 1_000.0
        self.asked: list[tuple[float, str]] = []
        self.under_way = self.most_under_way = 0
        self.events: list[CarrierEvent] = []
        self.letters: list[DeadLetter] = []
        self.broker_is_away = False
        self.figures = Figures()
        self._answer = answer
        self._position = 0
        providers = Providers([ProviderPlan(name="one", **plan)], first_probe_s=60.0, most_probe_s=60.0)
        self.desk = PollDesk(
            PollConfig(
                sources={"one": self},
                providers=providers,
                route={"dhl": "one"}.get,
                read=read,
                write=self.write,
                metrics=self.figures,  # type: ignore[arg-type]  # outcomes are texts here
                least_s=1_620.0,
                oldest_ms=4 * HOUR_MS,
                elapsed_s=lambda: self.now_s,
            )
        )
        self.desk.queue.own([PLACE])

    async def ask(self, _carrier: str, tracking_number: str) -> bytes | None:
        """The carrier."""
        before = sum(number == tracking_number for _, number in self.asked)
        self.asked.append((self.now_s, tracking_number))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        answer = self._answer(tracking_number, before)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def write(self, events: Sequence[CarrierEvent], letters: Sequence[DeadLetter]) -> None:
        """Kafka."""
        if self.broker_is_away:
            raise BrokerUnavailable("away")
        self.events += events
        self.letters += letters

    @property
    def now_ms(self) -> int:
        """The time of day goes as fast."""
        return round(self.now_s * 1_000) + 10 * HOUR_MS

    def put(self, *names: str, age_ms: int = 0, carrier: str = "dhl") -> None:
        """Questions arrive, the last with the highest position."""
        for name in names:
            request = PollRequest(parcel_id=f"p/{name}", carrier=carrier, tracking_number=name, at_ms=0)
            message = Message(topic=PLACE[0], partition=0, offset=self._position, key=b"k", value=name.encode())
            self.desk.take(Question(request, message, PLACE, self._position, self.now_ms - age_ms), self.now_ms)
            self._position += 1
        self.desk.queue.read_up_to(PLACE, self._position)

    def work(self, seconds: float = 0.0, *, step_s: float = 1.0) -> None:
        """Time passes; at each step all that may be asked is, and answers come."""

        async def run() -> None:
            until_s = self.now_s + seconds
            while True:
                self.desk.start(self.now_ms)
                while self.desk.busy:
                    await self.desk.settle(None)
                    self.desk.start(self.now_ms)
                if self.now_s >= until_s:
                    break
                self.now_s += step_s

        asyncio.run(run())

    @property
    def handled(self) -> int:
        """Where a successor would go on."""
        return self.desk.queue.handled_up_to()[PLACE]
