"""Partitions come and go: restored before their first job, drained before they are given up.

Owns: the answers to a rebalance. Must not: claim or write (the cycle does).

A partition number is worked on only while both of its jobs topics are owned.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import structlog

from postcart.adapters.rdkafka.listener import TopicPartition
from postcart.adapters.rdkafka.poller import Poller
from postcart.errors import Fenced
from postcart.senders.config import SenderConfig
from postcart.senders.desk import Desk
from postcart.senders.gate_reader import GateReader
from postcart.senders.restore import Restorer
from postcart.senders.state import SenderState

log = structlog.get_logger(__name__)


class Ownership:
    """The poller's listener.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        restorer: Makes partitions ready.
        gates: Told which partitions are no longer needed.
    """

    def __init__(self, config: SenderConfig, state: SenderState, *, restorer: Restorer, gates: GateReader) -> None:
        self._config = config
        self._state = state
        self._restorer = restorer
        self._gates = gates
        self._loop = asyncio.get_running_loop()
        self._restores: dict[int, asyncio.Task[None]] = {}
        self._joined = False
        self.poller: Poller
        """Set once, before it starts: poller and listener know each other."""

    @property
    def ready(self) -> bool:
        """Whether this sender has joined the group, and all that it owns is restored."""
        return self._joined and not self._restores

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Restore every number whose topics are complete now."""
        self._joined = True
        owned = self.poller.owned
        for number in sorted({number for _, number in partitions}):
            complete = all((topic, number) in owned for topic in self._config.topics.jobs)
            if complete and number not in self._restores and number not in self._state.desks:
                self._restores[number] = self._loop.create_task(self._restore(number))
        self._config.metrics.rebalanced()
        self._count()

    async def revoking(self, partitions: frozenset[TopicPartition]) -> None:
        """Stop taking, let sends finish, commit what became of them, give up."""
        numbers = {number for _, number in partitions}
        await self._cancel_restores(numbers)
        leaving = [self._state.desks[number] for number in numbers & self._state.desks.keys()]
        for desk in leaving:
            desk.leaving = True
            self._state.scheduler.drop(desk.number)
        await self._finish_sends(leaving)
        while any(desk.unwritten for desk in leaving) and not self._state.failure.done():
            await self._state.next_round()
        if leaving and not self._state.failure.done():
            self._state.flush = True
            await self._state.next_round()
        kept = {(topic, number) for number in numbers for topic in self._config.topics.jobs} - partitions
        self.poller.stop_reading(kept)
        for number in numbers:
            self._drop(number)
        self._config.metrics.rebalanced()
        self._count()

    async def lost(self, partitions: frozenset[TopicPartition]) -> None:
        """Another member has them. What was under way for them can't be written any more: start afresh."""
        numbers = {number for _, number in partitions}
        await self._cancel_restores(numbers)
        for number in numbers:
            desk = self._state.desks.get(number)
            if desk is not None and desk.busy:
                self._state.fail(Fenced(f"partition {number} was lost with work under way"))
            self._drop(number)
        self._config.metrics.rebalanced()
        self._count()

    def failed(self, error: BaseException) -> None:
        """Take note that a thread has ended by an error; may be called on any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended before: nobody is left to care
            self._loop.call_soon_threadsafe(self._state.fail, error)

    async def _restore(self, number: int) -> None:
        try:
            desk = await self._restorer.restore(number)
            for silent in desk.silent:
                self._state.scheduler.block(silent.claim.person_id, number)
            self._state.desks[number] = desk
            self._seek(desk, self._config.topics.jobs)
        except asyncio.CancelledError:
            self._gates.close_partition(number)
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the process must end by it
            self._state.fail(error)
        finally:
            self._restores.pop(number, None)
            self._count()

    async def _cancel_restores(self, numbers: set[int]) -> None:
        tasks = [self._restores[number] for number in numbers & self._restores.keys()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _seek(self, desk: Desk, topics: Iterable[str]) -> Any:
        return self.poller.start_at({(topic, desk.number): desk.positions[topic].next for topic in topics})

    async def _finish_sends(self, desks: list[Desk]) -> None:
        """Wait for sockets in flight, within bounds. What is cut off stays claimed: the next owner declares it."""
        sends = {task for desk in desks for task in desk.sends}
        if not sends:
            return
        _, late = await asyncio.wait(sends, timeout=self._config.limits.drain_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("sends_cut_off", count=len(late))
            await asyncio.wait(late)

    def _drop(self, number: int) -> None:
        if self._state.desks.pop(number, None) is not None:
            self._state.scheduler.drop(number)
            self._config.metrics.partition_closed(number)
        self._gates.close_partition(number)

    def _count(self) -> None:
        self._config.metrics.partitions("restoring", len(self._restores))
        self._config.metrics.partitions("running", len(self._state.desks))
