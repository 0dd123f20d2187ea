"""The heartbeat of a sender: judge, claim, write, send; and write what became of what was sent.

Owns: what goes into each transaction, and that no socket opens before its claim is committed. Must not: open sockets
(the dispatcher does), or know Kafka's calls (the ledger does).
"""

import asyncio
import contextlib
from typing import NamedTuple

import structlog
from msgspec import structs

from postcart.adapters.rdkafka.transaction import Record
from postcart.events.jobs import Claim
from postcart.senders.answers import of_silence
from postcart.senders.claims import claim_of
from postcart.senders.config import SenderConfig
from postcart.senders.dead import unrenderable_job
from postcart.senders.desk import Desk, Silent
from postcart.senders.dispatch import Dispatcher, Hindrance
from postcart.senders.doorkeeper import Doorkeeper
from postcart.senders.elapsed import elapsed_s
from postcart.senders.item import Ended, Ending, Entry, Item, Release, Settle
from postcart.senders.ledger import Ledger
from postcart.senders.records import Stamp, entry_of, judged_record, to_records
from postcart.senders.routes import Routes, asked_for
from postcart.senders.state import SenderState
from postcart.senders.throttle import Throttle

log = structlog.get_logger(__name__)

_IDLE_S = 0.1
"""How often freshness, waiting jobs and probes are looked at when nothing happens."""
_OFFSETS_EVERY_S = 1.0
"""How long offsets alone may wait for a transaction."""


class _Round(NamedTuple):
    """What one transaction says."""

    claims: list[tuple[Item, Claim]]
    ended: list[tuple[Ended, Entry]]
    silent: list[tuple[Silent, Ending, Entry]]
    dead: list[Record]
    offsets: dict[tuple[str, int], int]


class Cycle:
    """Runs round after round.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        ledger: Writes.
        dispatcher: Sends.
        throttle: Asked after each round.
    """

    def __init__(
        self,
        config: SenderConfig,
        state: SenderState,
        *,
        ledger: Ledger,
        dispatcher: Dispatcher,
        throttle: Throttle,
    ) -> None:
        self._config = config
        self._state = state
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._throttle = throttle
        self._routes = Routes(config, state)
        self._doorkeeper = Doorkeeper(config, state, self._routes)
        self._offsets_due_s = 0.0

    async def run(self) -> None:
        """Go round until cancelled."""
        began_s = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S):
                    await self._state.wake.wait()
            await asyncio.sleep(max(0.0, began_s + self._config.limits.commit_every_s - elapsed_s()))
            began_s = elapsed_s()
            self._state.wake.clear()
            await self.once()

    async def once(self) -> None:
        """Collect what is to be written, commit it, act on it."""
        gathered = self._gather()
        if gathered.claims or gathered.ended or gathered.silent or gathered.dead or gathered.offsets:
            if gathered.claims:
                self._config.fault("before_claim")
            if any(entry.receipt is not None for _, entry in gathered.ended):
                self._config.fault("before_receipts")
            await self._ledger.write(self._records(gathered), gathered.offsets)
            self._committed(gathered)
        self._throttle.regulate_all()
        self._state.wrote()

    # -- before the commit ------------------------------------------------------------------------------------------

    def _gather(self) -> _Round:
        begun_s = elapsed_s()  # before the gate is asked: a claim is as old as what it relies on
        chosen = self._doorkeeper.choose()  # may add to what has ended: suppressed jobs
        clock = self._config.clock
        real_ms, now_ms = clock.real_ms(), clock.now_ms()
        ended = [end for end in self._state.ended if end.item.partition in self._state.desks]
        self._state.ended = []
        dead, self._state.dead = self._state.dead, []
        touched: set[tuple[str, int]] = set()
        claims = []
        for item in chosen:
            item.claimed_s = begun_s
            desk = self._state.desks[item.partition]
            desk.unwritten += 1
            desk.positions[item.topic].let_go(item.offset)
            touched.add(item.source)
            claims.append((item, _claim(item, real_ms)))
        entries = []
        for end in ended:
            item = end.item
            positions = self._state.desks[item.partition].positions[item.topic]
            if isinstance(end.ending, Release):
                positions.hold(item.offset)
            else:
                positions.let_go(item.offset)
            touched.add(item.source)
            claim = _claim(item, real_ms)
            at_ms = item.job.due_ms if now_ms is None else now_ms
            entry = self._entry(claim, end.ending, item.partition, at_ms=at_ms, real_ms=real_ms)
            if entry.receipt is not None and end.result is not None:  # something was tried, at this contact point
                used = (end.ending.reached if isinstance(end.ending, Settle) else None) or item.contact_id
                entry = entry._replace(receipt=structs.replace(entry.receipt, contact_id=used))
            entries.append((end, entry))
        silent = self._unanswered(touched, real_ms=real_ms, at_ms=real_ms if now_ms is None else now_ms)
        return _Round(claims, entries, silent, dead, self._offsets(touched, hurry=bool(dead)))

    def _entry(self, claim: Claim, ending: Ending, partition: int, *, at_ms: int, real_ms: int) -> Entry:
        adapter = self._config.adapter
        stamp = Stamp(at_ms, real_ms, adapter.channel, claim.provider or adapter.provider)
        return entry_of(claim, ending, partition=partition, stamp=stamp)

    def _unanswered(
        self, touched: set[tuple[str, int]], *, real_ms: int, at_ms: int
    ) -> list[tuple[Silent, Ending, Entry]]:
        """Claims of earlier owners that are old enough: what is to be said of them."""
        now_s = elapsed_s()
        found = []
        for desk in self._state.desks.values():
            if desk.leaving or not desk.silent:
                continue
            due = [silent for silent in desk.silent if silent.due_s <= now_s]
            desk.silent = [silent for silent in desk.silent if silent.due_s > now_s]
            for silent in due:
                claim = silent.claim
                ending = of_silence(claim.purpose, resent=claim.resent or silent.item is None)
                if isinstance(ending, Release) and silent.item is not None:
                    silent.item.resent, silent.item.bound = True, claim.provider
                    desk.positions[silent.item.topic].hold(silent.item.offset)
                desk.unwritten += 1
                touched.add((self._config.topics.topic_of(claim.purpose), desk.number))
                entry = self._entry(claim, ending, desk.number, at_ms=at_ms, real_ms=real_ms)
                found.append((silent, ending, entry))
        return found

    def _offsets(self, touched: set[tuple[str, int]], *, hurry: bool) -> dict[tuple[str, int], int]:
        """Of every partition touched; of the others what has moved, if something is written anyway or it is time."""
        desks = self._state.desks
        offsets = {(topic, number): desks[number].positions[topic].low_water() for topic, number in touched}
        now_s = elapsed_s()
        if touched or hurry or self._state.flush or now_s >= self._offsets_due_s:
            for desk in desks.values():
                offsets.update(desk.moved())
            self._offsets_due_s = now_s + _OFFSETS_EVERY_S
            self._state.flush = False
        return offsets

    def _records(self, gathered: _Round) -> list[Record]:
        topics = self._config.topics
        entries = [Entry(item.partition, claim) for item, claim in gathered.claims]
        entries += [entry for _, entry in gathered.ended]
        entries += [entry for _, _, entry in gathered.silent]
        records = [r for entry in entries for r in to_records(entry, claims=topics.claims, receipts=topics.receipts)]
        judged = [item.judged for item, _ in gathered.claims] + [end.judged for end, _ in gathered.ended]
        records += [judged_record(one, topics.decisions) for one in judged if one is not None]
        for end, _ in gathered.ended:
            if isinstance(end.ending, Settle) and end.ending.dead is not None:
                stage = self._config.adapter.channel
                records.append(unrenderable_job(end.item, end.ending.dead, stage=stage, topic=topics.dead))
        return records + gathered.dead

    # -- after the commit -------------------------------------------------------------------------------------------

    def _committed(self, gathered: _Round) -> None:
        for (topic, number), offset in gathered.offsets.items():
            if number in self._state.desks:
                self._state.desks[number].committed[topic] = offset
        for end, entry in gathered.ended:
            self._close(end, entry)
        for silent, ending, entry in gathered.silent:
            self._answered(silent, ending, entry)
        if gathered.claims:
            self._config.fault("claimed")
        for item, claim in gathered.claims:
            desk = self._state.desks.get(item.partition)
            if desk is None:
                self._routes.over(asked_for(item), answered=False)
            else:
                desk.book.fold(claim)
                desk.unwritten -= 1
                self._begin(desk, item)
        if any(not isinstance(end.ending, Release) for end, _ in gathered.ended):
            self._state.wake.set()  # places in flight are free

    def _close(self, end: Ended, entry: Entry) -> None:
        metrics = self._config.metrics
        desk = self._state.desks.get(end.item.partition)
        if desk is not None:
            desk.book.fold(entry.claim)
            desk.unwritten -= 1
        provider = entry.claim.provider or self._config.adapter.provider
        if isinstance(end.ending, Release):
            self._routes.again(end.item, end.result, entry.claim)
            self._state.scheduler.put_back(end.item, elapsed_s() + end.ending.wait_s)
        else:
            self._state.scheduler.finish(end.item)
        if end.result is not None:
            metrics.attempt(end.result, end.seconds, provider)
        if entry.receipt is not None:
            metrics.finished(entry.receipt.purpose, entry.receipt.outcome, entry.receipt.reason, provider)
        if isinstance(end.ending, Settle) and end.ending.dead is not None:
            metrics.dead_letter(end.item.job.purpose, "render")
            log.error("job_not_rendered", job=end.item.job.job_id, detail=end.ending.dead)

    def _answered(self, silent: Silent, ending: Ending, entry: Entry) -> None:
        """An earlier owner's claim has been settled, or its job stands in line once more."""
        desk = self._state.desks.get(entry.partition)
        if desk is not None:
            desk.book.fold(entry.claim)
            desk.unwritten -= 1
            if isinstance(ending, Release) and silent.item is not None and not desk.leaving:
                self._state.scheduler.add_first(silent.item)
        self._state.scheduler.unblock(silent.claim.person_id)
        if entry.receipt is not None:
            provider = entry.receipt.provider or self._config.adapter.provider
            self._config.metrics.finished(entry.receipt.purpose, entry.receipt.outcome, entry.receipt.reason, provider)
        log.warning("claim_unanswered", job=silent.claim.job_id, state=entry.claim.state)

    # -- sending ----------------------------------------------------------------------------------------------------

    def _begin(self, desk: Desk, item: Item) -> None:
        if desk.leaving:
            self._routes.over(asked_for(item), answered=False)
            self._state.end(Ended(item, Release(), "left"))
            return
        asked = asked_for(item)
        task = asyncio.get_running_loop().create_task(self._send(desk, item, asked))
        desk.sends.add(task)
        task.add_done_callback(lambda done: self._sent(desk, asked, done))

    async def _send(self, desk: Desk, item: Item, asked: str) -> None:
        ended, meaning = await self._dispatcher.send(item, lambda: self._hindrance(desk, asked))
        self._state.end(ended)
        self._routes.heed(meaning, asked)

    def _hindrance(self, desk: Desk, asked: str) -> Hindrance | None:
        if desk.leaving:
            return "left"
        return None if self._state.providers.takes(asked, elapsed_s()) else "paused"

    def _sent(self, desk: Desk, asked: str, task: asyncio.Task[None]) -> None:
        desk.sends.discard(task)
        self._routes.over(asked, answered=not task.cancelled())
        if not task.cancelled() and (error := task.exception()) is not None:
            self._state.fail(error)


def _claim(item: Item, real_ms: int) -> Claim:
    return claim_of(
        item.job, offset=item.offset, at_ms=real_ms, resent=item.resent, provider=item.provider or item.bound
    )
