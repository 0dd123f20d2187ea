"""Asks the gate about those whose turn it is.

Owns: gathering what the gate needs to know, and what a verdict means for the line. Must not: claim.
"""

from postcart.senders.config import SenderConfig
from postcart.senders.desk import Desk
from postcart.senders.elapsed import elapsed_s
from postcart.senders.gate import Freshness, Known, Suppress, Verdict, Wait, WaitReason, judge, moment
from postcart.senders.item import Ended, GiveBack, Item, Settle
from postcart.senders.state import SenderState

_AGAIN_S: dict[WaitReason, float] = {
    "clock_unknown": 0.1,
    "gate_behind": 0.1,
    "orders_behind": 0.5,
    "person_unknown": 0.5,
    "key_missing": 1.0,
    "quiet_hours": 1.0,
}
"""When to look again."""


class Doorkeeper:
    """Chooses jobs to claim.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
    """

    def __init__(self, config: SenderConfig, state: SenderState) -> None:
        self._config = config
        self._state = state

    def choose(self) -> list[Item]:
        """Jobs that may be claimed now; the others are put back, suppressed or handed back to JOURNEY."""
        state = self._state
        now_s = elapsed_s()
        allowed = state.health.allowance(now_s)
        room = state.scheduler.room
        most = room if allowed is None else min(room, allowed)
        chosen = []
        for item in state.scheduler.take(most, now_s, self._is_open):
            desk = state.desks[item.partition]
            if desk.book.standing(item.job.job_id, item.job.attempt) != "free":
                desk.positions[item.topic].let_go(item.offset)
                state.scheduler.finish(item)
                self._config.metrics.jobs_repeated(item.job.purpose, 1)
                continue
            verdict = self._judge(desk, item)
            if isinstance(verdict, Suppress):
                state.end(Ended(item, Settle("suppressed", reason=verdict.reason)))
            elif isinstance(verdict, Wait):
                self._wait(item, verdict)
            else:
                chosen.append(item)
        if chosen and allowed is not None:
            state.health.probing()
        return chosen

    def _is_open(self, rank: int, partition: int) -> bool:
        """Marketing of a partition whose gate is not fresh need not be looked at one by one."""
        desk = self._state.desks.get(partition)
        if desk is None or desk.leaving:
            return False
        return rank == 0 or self._known_freshness(desk).lacking() is None

    def _known_freshness(self, desk: Desk) -> Freshness:
        return desk.view.freshness(now_s=elapsed_s(), real_ms=self._config.clock.real_ms())

    def _judge(self, desk: Desk, item: Item) -> Verdict:
        clock = self._config.clock
        at_ms = moment(item.job, now_ms=clock.now_ms(), is_replay=clock.is_replay)
        if at_ms is None:
            return Wait("clock_unknown")
        item.person = desk.view.person(item.person_id)
        key = desk.view.wrapped_key(item.person_id)
        item.wrapped_key = key or b""
        known = Known(item.person, key is not None, self._known_freshness(desk), desk.view.covers(item.read_s))
        return judge(item.job, known, moment_ms=max(at_ms, item.deferred_ms), rules=self._config.rules)

    def _wait(self, item: Item, wait: Wait) -> None:
        """Short waits are sat out at the head of the line; for long ones JOURNEY emits the job again."""
        self._config.metrics.waiting(wait.reason)
        clock = self._config.clock
        now_ms, until_ms = clock.now_ms(), wait.until_ms
        again_s = _AGAIN_S[wait.reason]
        if until_ms is not None and now_ms is not None:
            if clock.is_replay and now_ms >= until_ms:
                item.deferred_ms = until_ms  # judged by event time: the job's due time has moved
                again_s = 0.0
            elif not clock.is_replay and until_ms - now_ms > self._config.limits.hold_ms:
                self._state.end(Ended(item, GiveBack(until_ms, status=wait.reason)))
                return
        self._state.scheduler.put_back(item, elapsed_s() + again_s)
