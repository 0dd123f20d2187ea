"""Builds the Faust app of a stage.

Owns: how Faust is configured here. Must not: start anything.
"""

from typing import Any, cast

import faust

from postcart.adapters.rdkafka.listener import Listener
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.schema import BatchSchema
from postcart.adapters.rdkafka.transport import Consumer
from postcart.processors.engine.core import Engine
from postcart.processors.engine.metrics import EngineMetrics, NoMetrics
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.task import Clock, StageSpec

_BUFFERED_BATCHES = 2  # between conductor and agent; the bound that counts is the poller's hand-over


class StageApp(faust.App):
    """A Faust app whose one agent feeds an engine; also says to the transport whom to listen to."""

    def __init__(self, spec: StageSpec, settings: EngineSettings, *, clock: Clock, metrics: EngineMetrics) -> None:
        super().__init__(
            spec.group,
            broker=f"rdkafka://{settings.clients.bootstrap.replace(',', ';')}",
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            stream_buffer_maxsize=_BUFFERED_BATCHES,
        )
        self.rdkafka_settings = settings.clients
        self.rdkafka_group = spec.group
        self.rdkafka_client_id = f"{spec.group}.{settings.worker}"
        self.engine = Engine(spec, settings, clock=clock, metrics=metrics, poller=self._poller)
        self.rdkafka_listener: Listener = self.engine
        self.leave_within_ms = settings.leave_within_ms

    def _poller(self) -> Poller | None:
        consumer = cast("Consumer | None", self._consumer)
        return None if consumer is None else consumer.poller

    async def rdkafka_may_join(self) -> None:
        """Wait for the engine's checks: a member that then fails them would have disturbed the group for nothing."""
        await self.engine.checked.wait()

    async def on_start(self) -> None:
        """Start the engine before Faust subscribes."""
        self.engine.start()
        await super().on_start()

    async def leave(self) -> None:
        """Commit what is open and leave the group; returns when the partitions are free."""
        consumer = cast("Consumer | None", self._consumer)
        if consumer is not None:
            await consumer.stop_polling()

    async def on_stop(self) -> None:
        """Stop the engine; ``leave`` comes before, unless the worker is to end without committing."""
        poller = self._poller()
        if poller is not None:
            poller.abandon()
        await self.engine.stop()
        await super().on_stop()

    def _create_directories(self) -> None:
        """Nothing: Faust would make a data directory, and nothing here writes to disk."""

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:  # noqa: ARG002, N802 -- Faust's name
        """A queue that keeps its batches over a rebalance: Faust empties those of partitions that stay as well."""
        return super().FlowControlQueue(maxsize, clear_on_resume=False)


def build_app(
    spec: StageSpec, settings: EngineSettings, *, clock: Clock, metrics: EngineMetrics | None = None
) -> StageApp:
    """Faust app of a stage, ready for ``run_worker``.

    Args:
        spec: The stage.
        settings: Intervals, clients, the worker's name.
        clock: Wall time for the tasks.
        metrics: Told what happens; by default nobody.

    Returns:
        The app; its ``engine.health`` has the facts for live and ready endpoints.
    """
    app = StageApp(spec, settings, clock=clock, metrics=metrics or NoMetrics())
    topic = app.topic(*spec.inputs, schema=BatchSchema(), acks=False, allow_empty=True)

    async def feed(batches: Any) -> None:
        async for batch in batches:
            await app.engine.take(batch)

    app.agent(topic, name=f"{spec.name}.feed")(feed)
    return app
