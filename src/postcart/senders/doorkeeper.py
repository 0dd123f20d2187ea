"""Asks the gate about those whose turn it is.

Owns: gathering what the gate needs to know, and what a verdict means for the line. Must not: claim.
"""

from typing import Literal

from postcart.events.decisions import Judged
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job
from postcart.events.times import from_ms
from postcart.senders.config import SenderConfig
from postcart.senders.contacts import without
from postcart.senders.desk import Desk
from postcart.senders.elapsed import elapsed_s
from postcart.senders.freshness import Freshness, Lack
from postcart.senders.gate import Judgement, Known, Suppress, Wait, WaitReason, judge, moment
from postcart.senders.goods import Variant
from postcart.senders.item import Ended, GiveBack, Item, Settle
from postcart.senders.routes import Routes
from postcart.senders.state import SenderState

_AGAIN_S: dict[WaitReason, float] = {
    "clock_unknown": 0.1,
    "gate_behind": 0.1,
    "orders_behind": 0.5,
    "carts_behind": 0.5,
    "tables_behind": 0.1,
    "person_unknown": 0.5,
    "return_unconfirmed": 1.0,
    "key_missing": 1.0,
    "quiet_hours": 1.0,
}
"""When to look again."""

_EARLY_S = 0.1
"""When to look again at an attempt that came before its predecessor's end was known."""

_LOOKS = 200
"""While few may be claimed: so many are judged in a round at most, to find those that still go out."""


class Doorkeeper:
    """Chooses jobs to claim.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        routes: Chooses providers.
    """

    def __init__(self, config: SenderConfig, state: SenderState, routes: Routes) -> None:
        self._config = config
        self._state = state
        self._routes = routes
        self._told_s: dict[int, float] = {}

    def choose(self) -> list[Item]:
        """Jobs that may be claimed now; the others are put back, suppressed or handed back to JOURNEY."""
        scheduler, now_s = self._state.scheduler, elapsed_s()
        most = min(scheduler.room, self._state.providers.allowance(now_s))
        chosen: list[Item] = []
        looks = 0
        while len(chosen) < most and looks < _LOOKS:
            taken = scheduler.take(most - len(chosen), now_s, self._is_open)
            if not taken:
                break
            looks += len(taken)
            chosen += [item for item in taken if self._passes(item) and self._routes.choose(item, now_s)]
        return chosen

    def _passes(self, item: Item) -> bool:
        """Judge one whose turn it is, and deal with it unless it may be claimed."""
        desk, job = self._state.desks[item.partition], item.job
        standing = desk.book.standing(job.job_id, job.attempt, job.revision)
        if standing == "early":
            self._state.scheduler.put_back(item, elapsed_s() + _EARLY_S)
            return False
        if standing != "free":
            desk.positions[item.topic].let_go(item.offset)
            self._state.scheduler.finish(item)
            self._config.metrics.jobs_repeated(job.purpose, 1)
            return False
        clock = self._config.clock
        at_ms = moment(job, now_ms=clock.now_ms(), is_replay=clock.is_replay)
        if at_ms is None:
            self._wait(item, Wait("clock_unknown"))
            return False
        at_ms = max(at_ms, item.deferred_ms)
        found = self._judge(desk, item, at_ms)
        verdict = found.verdict
        if isinstance(verdict, Suppress):
            judged = self._judged(job, found, at_ms, outcome="suppressed", reason=verdict.reason)
            self._state.end(Ended(item, Settle("suppressed", reason=verdict.reason), judged=judged))
            return False
        if isinstance(verdict, Wait):
            self._wait(item, verdict, self._judged(job, found, at_ms, outcome="given_back", reason=verdict.reason))
            return False
        item.message = found.job
        item.judged = self._judged(job, found, at_ms, outcome="claimed")
        return True

    def _is_open(self, rank: int, partition: int) -> bool:
        """Marketing of a partition whose gate is not fresh need not be looked at one by one."""
        desk = self._state.desks.get(partition)
        if desk is None or desk.leaving:
            return False
        if rank == 0:
            return True
        lacking = self._known_freshness(desk).lacking()
        if lacking is not None and self._state.scheduler.held(rank, partition):
            self._tell(partition, lacking)
        return lacking is None

    def _tell(self, partition: int, lacking: Lack) -> None:
        """Count that a partition's marketing waits, once a second: nobody is asked one by one."""
        now_s = elapsed_s()
        if now_s >= self._told_s.get(partition, 0.0) + 1.0:
            self._told_s[partition] = now_s
            self._config.metrics.waiting(lacking)

    def _known_freshness(self, desk: Desk) -> Freshness:
        now_s = elapsed_s()
        found = desk.view.freshness(now_s=now_s, real_ms=self._config.clock.real_ms())
        return found._replace(tables_age_s=self._state.tables.age_s(now_s))

    def _judge(self, desk: Desk, item: Item, at_ms: int) -> Judgement:
        is_replay = self._config.clock.is_replay
        # Freshness first: what is looked up after it is at least as new.
        freshness, covers = self._known_freshness(desk), desk.view.covers(item.read_s)
        if is_replay:
            covers = covers and self._state.tables.covers(item.read_s)
        until_ms = at_ms if is_replay else None
        item.person = person = desk.view.person(item.person_id)
        key = desk.view.wrapped_key(item.person_id)
        item.wrapped_key = key or b""
        left, suppressed = self._contact_points(person, until_ms)
        item.contact_id = left[0] if len(left) == 1 else None
        if person is not None and self._config.rules.personal:
            item.person = person = without(person, self._config.adapter.channel, left)
        item.able = self._able(item)
        known = Known(
            person,
            key is not None,
            freshness,
            covers,
            suppressed,
            self._variants(item.job, until_ms),
            self._zones(item),
        )
        return judge(item.job, known, moment_ms=at_ms, rules=self._config.rules, is_replay=is_replay)

    def _contact_points(self, person: GatePerson | None, until_ms: int | None) -> tuple[list[str], str | None]:
        """Those that the message would go to, and why one is suppressed: of several, if all are."""
        rules, channel = self._config.rules, self._config.adapter.channel
        if not rules.personal:
            ids = [] if rules.endpoint is None else [rules.endpoint]
        else:
            ids = [] if person is None else person.contact_ids.get(channel, "").split()
        suppressions = self._state.tables.suppressions
        reasons = {one: suppressions.reason(channel, one, until_ms=until_ms) for one in ids}
        left = [one for one in ids if reasons[one] is None]
        return (left, None) if left or not ids else (ids, reasons[ids[0]])

    def _able(self, item: Item) -> frozenset[str] | None:
        if item.person is None or not item.wrapped_key:
            return None
        return self._config.able(item.person, item.wrapped_key)

    def _zones(self, item: Item) -> tuple[str, ...]:
        if item.person is None or not item.wrapped_key or item.job.purpose != "marketing":
            return ()
        return self._config.zones(item.person, item.wrapped_key)

    def _variants(self, job: Job, until_ms: int | None) -> dict[str, Variant]:
        if job.purpose != "marketing":
            return {}
        catalogue = self._state.tables.catalogue
        found = ((line.variant_id, catalogue.variant(line.variant_id, until_ms=until_ms)) for line in job.lines)
        return {variant_id: variant for variant_id, variant in found if variant is not None}

    def _judged(
        self,
        job: Job,
        found: Judgement,
        at_ms: int,
        *,
        outcome: Literal["claimed", "suppressed", "given_back"],
        reason: str | None = None,
    ) -> Judged:
        until_ms = found.verdict.until_ms if isinstance(found.verdict, Wait) else None
        return Judged(
            stage=self._config.adapter.channel,
            person_id=job.person_id,
            episode_id=job.episode_id,
            step=job.step,
            at=from_ms(at_ms),
            outcome=outcome,
            rules=found.rules,
            job_id=job.job_id,
            reason=reason,
            until=None if until_ms is None else from_ms(until_ms),
        )

    def _wait(self, item: Item, wait: Wait, judged: Judged | None = None) -> None:
        """Short waits are sat out at the head of the line; for long ones JOURNEY emits the job again."""
        self._config.metrics.waiting(wait.reason)
        clock = self._config.clock
        now_ms, until_ms = clock.now_ms(), wait.until_ms
        again_s = _AGAIN_S[wait.reason]
        if until_ms is not None and now_ms is not None:
            if clock.is_replay and now_ms >= until_ms:
                item.deferred_ms = until_ms  # judged by event time: the job's due time has moved
                again_s = 0.0
            elif not clock.is_replay and until_ms - now_ms > self._config.limits.hold_ms and not item.job.revision:
                ending = GiveBack(until_ms, status=wait.reason)
                self._state.end(Ended(item, ending, judged=judged))
                return
        self._state.scheduler.put_back(item, elapsed_s() + again_s)
