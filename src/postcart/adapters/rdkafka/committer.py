"""Commits transaction after transaction, whatever rebalances and outages get in between.

Owns: repetition, fencing, replacing a producer that an outage has left useless, and finding out whether a transaction
of unknown outcome took place. Must not: know what records say; run on anything but the event loop.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal

import structlog
from confluent_kafka import KafkaException, TopicPartition

from postcart.adapters.rdkafka.group_offsets import Marks
from postcart.adapters.rdkafka.lane import Lane, leave_behind, let_go
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, TransactionExpired, Transactor
from postcart.errors import Fenced

log = structlog.get_logger(__name__)

_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer
_LOOK_S = 0.5  # how often a call that does not come back is looked at
_MOST_LEFT_BEHIND = 50  # producers; each keeps some threads, and its queue's memory
_MOST_LENIENCE = 6  # times the usual time for a transaction
_REBALANCE = frozenset({"ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"})

Partitions = Mapping[tuple[str, int], int]
Cause = Literal["rebalance", "outage", "other"]
Outcome = Literal["done", "refused", "outage"]


class Committer:
    """The transactional side of one worker.

    Producers block, so each has a thread of its own: an outage holds up whoever waits for a commit, but not the event
    loop. A producer that does not come to an end with a transaction while the broker would still accept it is left
    behind, whatever call it hangs in, and a new one with the same transactional id takes over: opening that one waits
    for the broker, and makes it settle what the former left open.

    But a broker that comes back may settle only its own books: Kafka 4.3 takes partitions that have no leader at that
    moment for deleted ones, and writes no markers there. What was written to them then stays open for ever, holds up
    its readers, and would become visible by the next commit of the same producer. So before something is written again
    after an outage, the same partitions are written to in a transaction that is aborted, which ends on each of them
    whatever is open.

    Whether a commit that had been asked for took place is told by the mark that each transaction leaves beside its
    offsets; a mark that is still pending once the broker has settled its books is one that never took place.

    A transaction can be too much for a broker that is only just coming back, or for a slow machine, and would be so
    again: each try after an outage gets twice the time of the one before, until one has succeeded.

    Args:
        make_transactor: Makes a producer whose transactions may take so many times as long as usual.
        poller: Gives fresh metadata; asked for each attempt.
        marks: Asked for the group's marks of partitions; those that stay pending are absent.
        attempts: How often a transaction may be aborted, other than by an outage, before the process ends.
        aborted: Told why, whenever one was not committed and is written again.
    """

    def __init__(
        self,
        make_transactor: Callable[[int], Transactor],
        *,
        poller: Callable[[], Poller],
        marks: Callable[[Iterable[tuple[str, int]]], Awaitable[Marks]],
        attempts: int,
        aborted: Callable[[Cause], None],
    ) -> None:
        self._make_transactor = make_transactor
        self._poller = poller
        self._marks = marks
        self._attempts = attempts
        self._aborted = aborted
        self._transactor: Transactor | None = None
        self._lane: Lane | None = None
        self._left_behind = 0
        self._boot = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._stopped = False
        self.forgetful_broker = False
        """Whether the consumer must commit the offsets too: librdkafka's mock broker drops those of transactions."""

    async def open(self, lenience: int = 1) -> None:
        """Fence a predecessor of the same id. Waits for the broker, for as long as it takes.

        Args:
            lenience: How many times as long as usual transactions may take.

        Raises:
            Fenced: There is a successor already, or this committer was stopped meanwhile.
        """
        if self._stopped:
            raise Fenced("stopped before a transaction could be written")
        self._transactor = transactor = self._make_transactor(lenience)
        self._lane = Lane("rdkafka-committer")
        await self._lane.run(transactor.open)

    async def commit(self, records: Callable[[], Iterable[Record]], offsets: Partitions) -> None:
        """Write records and offsets; returns when the broker has confirmed it. One call at a time.

        Args:
            records: Gives the records, once more for each attempt.
            offsets: Next position of every topic-partition that the records concern; never empty.

        Raises:
            Fenced: A partition was lost, or it was aborted too often: the process must end.
        """
        mark = f"{self._boot}:{next(self._numbers)}"
        touched, asked, refused, lenience = True, False, 0, 1
        while True:
            if asked and await self._took_place(offsets, mark):
                break  # what it left open, if anything, ends by the next commit
            outcome: Outcome = "done"
            if not touched:
                outcome = await self._try(offsets, lambda it, metadata: it.touch(records(), offsets, metadata))
            if outcome == "done":
                touched = True
                outcome = await self._try(offsets, lambda it, metadata: it.write(records(), offsets, metadata, mark))
            if outcome == "done":
                break
            if outcome == "refused":
                refused += 1
                if refused >= self._attempts:
                    raise Fenced(f"a transaction was aborted {refused} times with fresh metadata")
                asked = False
                await asyncio.sleep(_AGAIN_S * refused)
            else:
                touched, lenience = False, min(2 * lenience, _MOST_LENIENCE)
                asked = await self._replace(lenience)
        if lenience > 1:
            await self._replace(1)
        if self.forgetful_broker:
            await self._commit_plainly(offsets)

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._stopped = True
        if self._transactor is not None:
            self._transactor.give_up()
        if self._lane is not None:
            self._lane.close()

    async def _try(self, offsets: Partitions, step: Callable[[Transactor, Any], object]) -> Outcome:
        try:
            await self._attempt(offsets, step)
        except (TransactionAborted, TransactionExpired) as error:
            outage = isinstance(error, TransactionExpired) or error.outage
            self._aborted("outage" if outage else "rebalance" if str(error) in _REBALANCE else "other")
            log.info("transaction_failed", code=error.code, reason=str(error))
            return "outage" if outage else "refused"
        return "done"

    async def _attempt(self, offsets: Partitions, step: Callable[[Transactor, Any], object]) -> None:
        transactor, lane = self._transactor, self._lane
        if transactor is None or lane is None:
            raise Fenced("there is no producer yet")
        membership = await asyncio.wrap_future(self._poller().membership())
        if not offsets.keys() <= membership.owned:
            raise Fenced(f"lost before they were committed: {sorted(offsets.keys() - membership.owned)}")
        writing = lane.run(step, transactor, membership.metadata)
        while not (await asyncio.wait({writing}, timeout=_LOOK_S))[0]:
            if transactor.overdue():
                writing.add_done_callback(lambda future: future.cancelled() or future.exception())  # if ever
                raise TransactionExpired("a call to the broker did not come back in time")
        writing.result()

    async def _replace(self, lenience: int) -> bool:
        """Go on with a new producer; returns whether the former had asked for its commit, and may have got it."""
        asked = False
        if self._transactor is not None and self._lane is not None:
            asked = self._transactor.give_up()
            former = [self._transactor]
            if self._transactor.busy:
                self._left_behind += 1
                leave_behind(self._transactor)
            self._transactor = None
            self._lane.close()
            let_go(former)
        if self._left_behind > _MOST_LEFT_BEHIND:
            raise Fenced(f"{self._left_behind} producers had to be left behind")
        began_s = time.monotonic()
        await self.open(lenience)
        log.info("producer_replaced", seconds=round(time.monotonic() - began_s, 1), may_be_committed=asked)
        return asked

    async def _took_place(self, offsets: Partitions, mark: str) -> bool:
        """Whether a transaction, settled by now, was committed: its mark was part of it.

        It counts only while the partitions are owned, as another owner's commits leave marks of their own; the next
        attempt ends the process where they are not.
        """
        found = await self._marks(offsets)
        return all(found.get(partition) == mark for partition in offsets)

    async def _commit_plainly(self, offsets: Partitions) -> None:
        positions = [TopicPartition(topic, number, position) for (topic, number), position in offsets.items()]
        for refused in range(1, self._attempts + 1):
            request = self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=False))
            try:
                await asyncio.wrap_future(request)
            except KafkaException as error:
                if (reason := error.args[0].name()) not in _REBALANCE:
                    raise
                log.info("offsets_refused", reason=reason)
            else:
                return
            await asyncio.sleep(_AGAIN_S * refused)
        raise Fenced(f"offsets were refused {self._attempts} times in rebalances")
