"""Which of a channel's providers gets a job: order, weights, rates, circuits, holds.

Owns: that choice and what it depends on. Must not: send, read a clock, or use randomness: the same job prefers the same
provider.

A provider is chosen when the job is claimed, and the claim names it. So a job that fails over has one claim more, and
one whose send ended without an answer is known, also after a crash, to belong to that provider alone (``bound``):
another one is never asked, as the first may have taken it.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from postcart.domain.rate import TokenBucket
from postcart.senders.channel import ChannelHealth, State

_UP: frozenset[State] = frozenset({"open", "ramping"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPlan:
    """One provider of a channel, as configured.

    Attributes:
        name: For receipts and metrics; from a closed set.
        order: Lower goes first; a higher one gets jobs only while none of a lower order works.
        weight: Share among those of one order, above 0.
        in_flight: Most jobs that it has at once, claimed ahead of their turn included: a slow one holds up no more.
        connections: How many of them are sent at once; by default all.
        rate_per_s: Most jobs a second, over the long run; None without bound.
        burst: Most at once after a pause; by default one and what a quarter of a second brings.
    """

    name: str
    order: int = 0
    weight: float = 1.0
    in_flight: int = 32
    connections: int | None = None
    rate_per_s: float | None = None
    burst: float | None = None


class _Standing:
    """A provider and how it stands."""

    __slots__ = ("bucket", "health", "held_until_s", "in_flight", "plan")

    def __init__(self, plan: ProviderPlan, health: ChannelHealth) -> None:
        self.plan = plan
        self.health = health
        self.bucket = TokenBucket(plan.rate_per_s, burst=plan.burst) if plan.rate_per_s is not None else None
        self.held_until_s = -math.inf
        self.in_flight = 0

    def is_up(self, now_s: float) -> bool:
        return self.health.state in _UP and now_s >= self.held_until_s

    def room(self, now_s: float) -> int:
        """How many more it may get now."""
        if now_s < self.held_until_s:
            return 0
        room = self.plan.in_flight - self.in_flight
        allowed = self.health.allowance(now_s, in_flight=self.in_flight)
        if allowed is not None:
            room = min(room, allowed)
        if self.bucket is not None and room > 0:
            room = min(room, self.bucket.available(now_s))
        return max(0, room)

    def probe_is_due(self, now_s: float) -> bool:
        return self.health.state == "paused" and self.room(now_s) > 0


class Providers:
    """All providers of one channel. Times are seconds of any clock that only goes forward, the same for all calls.

    Args:
        plans: At least one; names differ.
        first_probe_s: Pause of a provider that does not work before it is tried again.
        most_probe_s: The longest such pause.
    """

    def __init__(
        self, plans: Sequence[ProviderPlan], *, first_probe_s: float = 60.0, most_probe_s: float = 60.0
    ) -> None:
        self._standings = {
            plan.name: _Standing(
                plan,
                ChannelHealth(first_probe_s=first_probe_s, most_probe_s=most_probe_s, in_flight=plan.in_flight),
            )
            for plan in plans
        }
        self._orders = sorted({plan.order for plan in plans})

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._standings)

    @property
    def work(self) -> bool:
        """Whether any of them works, as far as is known."""
        return any(one.health.state in _UP for one in self._standings.values())

    def state(self, name: str) -> State:
        """How one stands."""
        return self._standings[name].health.state

    def takes(self, name: str, now_s: float) -> bool:
        """Whether what was given to it before may be sent now: it has not been paused since, nor asked for quiet."""
        one = self._standings[name]
        return one.health.state != "paused" and now_s >= one.held_until_s

    def allowance(self, now_s: float) -> int:
        """How many more jobs may be claimed now."""
        probes = sum(one.probe_is_due(now_s) for one in self._standings.values())
        return probes + sum(one.room(now_s) for one in self._present(now_s, self._standings.values()))

    def choose(
        self,
        key: str,
        now_s: float,
        *,
        bound: str | None = None,
        avoid: Collection[str] = (),
        able: Collection[str] | None = None,
    ) -> str | None:
        """Give a job to a provider; None: not now.

        What is chosen counts as in flight until ``finished``, and uses up a token.

        Args:
            key: The job's id: decides among equals, so that a job prefers the same one each time.
            now_s: The time.
            bound: The one that may have the job already: no other is asked.
            avoid: Those that did not take this job; asked again only if no other works.
            able: Those that can reach its recipient; None: all can.
        """
        if bound is not None:
            chosen = self._bound_to(bound, now_s)
        else:
            chosen = self._free_choice(key, now_s, frozenset(avoid), self._standing_of(able))
        if chosen is None:
            return None
        if chosen.bucket is not None:
            chosen.bucket.take(now_s)
        chosen.in_flight += 1
        if chosen.health.state == "paused":
            chosen.health.probing()
        return chosen.plan.name

    def finished(self, name: str) -> None:
        """A job that it was given is not in flight any more."""
        self._standings[name].in_flight -= 1

    def works(self, name: str) -> bool:
        """It gave an answer about a job, whichever. True if that ended a pause."""
        return self._standings[name].health.works()

    def failed(self, name: str, now_s: float, *, at_once: bool = False) -> bool:
        """It did not work. True if that began a pause."""
        return self._standings[name].health.failed(now_s, at_once=at_once)

    def given_up(self, name: str) -> None:
        """A job that it was given came to no answer, and not because of it: if it was the probe, another may go."""
        self._standings[name].health.given_up()

    def hold(self, name: str, until_s: float) -> None:
        """It asked not to be asked before then; a shorter wish never ends a longer one."""
        one = self._standings[name]
        one.held_until_s = max(one.held_until_s, until_s)
        one.health.given_up()

    def _bound_to(self, name: str, now_s: float) -> _Standing | None:
        one = self._standings.get(name)
        return one if one is not None and one.room(now_s) > 0 else None

    def _standing_of(self, able: Collection[str] | None) -> list[_Standing]:
        return [one for name, one in self._standings.items() if able is None or name in able]

    def _free_choice(
        self, key: str, now_s: float, avoid: frozenset[str], standings: Sequence[_Standing]
    ) -> _Standing | None:
        due = [one for one in standings if one.probe_is_due(now_s) and one.plan.name not in avoid]
        if due:
            return min(due, key=lambda one: (one.plan.order, one.plan.name))
        present = self._present(now_s, standings, avoid) or self._present(now_s, standings)
        able = [one for one in present if one.room(now_s) > 0]
        if not able:
            last = [one for one in standings if one.probe_is_due(now_s)] if not present else []
            return min(last, key=lambda one: (one.plan.order, one.plan.name)) if last else None
        return min(able, key=lambda one: (_drawn(key, one.plan), one.plan.name))

    def _present(self, now_s: float, standings: Collection[_Standing], avoid: Collection[str] = ()) -> list[_Standing]:
        """Those of the lowest order of which any works."""
        up = [one for one in standings if one.is_up(now_s) and one.plan.name not in avoid]
        for order in self._orders:
            found = [one for one in up if one.plan.order == order]
            if found:
                return found
        return []


def _drawn(key: str, plan: ProviderPlan) -> float:
    """Weighted rendezvous hashing: the least wins, each in proportion to its weight, whoever else is there.

    -ln(u)/w of uniform u is exponential with rate w, and the least of such is each one's with probability w / sum(w)
    (Efraimidis and Spirakis, 2006).
    """
    drawn = (int.from_bytes(sha256(f"{plan.name}/{key}".encode()).digest()[:7]) + 1) / 2**56
    return -math.log(drawn) / plan.weight
