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
from confluent_kafka import TopicPartition

from postcart.adapters.rdkafka.lane import Lane
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, TransactionExpired, Transactor
from postcart.errors import Fenced

log = structlog.get_logger(__name__)

_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer
_MOST_AGAIN_S = 2.0
_LOOK_S = 0.5  # how often a call that does not come back is looked at
_MOST_LEFT_BEHIND = 20  # producers; each keeps some threads, and its queue's memory
_REBALANCE = frozenset({"ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"})

Partitions = Mapping[tuple[str, int], int]
Cause = Literal["rebalance", "outage", "other"]
Marks = Mapping[tuple[str, int], str | None]


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

    Args:
        make_transactor: Makes a producer.
        poller: Gives fresh metadata; asked for each attempt.
        marks: Asked for the group's marks of partitions; those that stay pending are absent.
        attempts: How often a transaction may be aborted, other than by an outage, before the process ends.
        aborted: Told why, whenever one was not committed and is written again.
    """

    def __init__(
        self,
        make_transactor: Callable[[], Transactor],
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
        self._left_behind: list[Transactor] = []  # kept: the end of one that hangs in a call could block
        self._boot = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._stopped = False
        self.forgetful_broker = False
        """Whether the consumer must commit the offsets too: librdkafka's mock broker drops those of transactions."""

    async def open(self) -> None:
        """Fence a predecessor of the same id. Waits for the broker, for as long as it takes.

        Raises:
            Fenced: There is a successor already, or this committer was stopped meanwhile.
        """
        if self._stopped:
            raise Fenced("stopped before a transaction could be written")
        self._transactor = transactor = self._make_transactor()
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
        refused, after_outage, asked = 0, False, False
        for tries in itertools.count(1):
            try:
                if asked and await self._took_place(offsets, mark):
                    break  # what it left open, if anything, ends by the next commit
                asked = False
                if after_outage:
                    await self._attempt(offsets, lambda it, metadata: it.touch(records(), offsets, metadata))
                    after_outage = False
                await self._attempt(offsets, lambda it, metadata: it.write(records(), offsets, metadata, mark))
                break
            except TransactionAborted as error:
                refused += not error.outage
                after_outage |= error.outage
                self._aborted(_cause(error))
                log.info("transaction_aborted", reason=error.reason, attempt=tries)
                if refused >= self._attempts:
                    raise Fenced(f"a transaction was aborted {refused} times with fresh metadata") from error
                await asyncio.sleep(min(_MOST_AGAIN_S, _AGAIN_S * tries))
            except TransactionExpired as error:
                log.warning("transaction_expired", reason=str(error), attempt=tries)
                self._aborted("outage")
                asked = await self._replace()
                after_outage = True
        if self.forgetful_broker:
            await self._commit_plainly(offsets)

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._stopped = True
        if self._transactor is not None:
            self._transactor.give_up()
        if self._lane is not None:
            self._lane.close()

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

    async def _replace(self) -> bool:
        """Go on with a new producer; returns whether the former had asked for its commit, and may have got it."""
        asked = False
        if self._transactor is not None and self._lane is not None:
            asked = self._transactor.give_up()
            self._lane.close()
            self._left_behind.append(self._transactor)
        if len(self._left_behind) > _MOST_LEFT_BEHIND:
            raise Fenced(f"{len(self._left_behind)} producers had to be left behind")
        began_s = time.monotonic()
        await self.open()
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
        request = self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=True))
        await asyncio.wrap_future(request)


def _cause(error: TransactionAborted) -> Cause:
    if error.outage:
        return "outage"
    return "rebalance" if error.reason in _REBALANCE else "other"
