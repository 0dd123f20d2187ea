"""The read model's place among the others: settings become its connection, and the worker that fills it.

Owns: which topics are projected, and the worker's figures. Must not: know SQL, or run the loop (workers does).
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import partial
from math import nan
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaException

from postcart.adapters.clock import WallClock
from postcart.adapters.read_model import Place, ReadModel, Size, Standing, kept_from_ms, open_read_model
from postcart.adapters.topics import Admin, job_topics, project_group, project_inputs, stage_group
from postcart.codecs.facts import Source
from postcart.errors import BrokerUnavailable, ConfigurationError
from postcart.metrics.instruments import Instruments
from postcart.metrics.stage import StageFigures
from postcart.processors.accounting import Accounting, Glimpse
from postcart.processors.projection import Projection
from postcart.settings import Settings
from postcart.wiring.instruments import process_instruments
from postcart.wiring.looping import member, probed, require_topics
from postcart.workers.project import ProjectConfig, run_projection

log = structlog.get_logger(__name__)

_GLIMPSE_EVERY_S = 5.0
_REPLAYED_GLIMPSE_EVERY_S = 1.0


def read_model_url(settings: Settings) -> str:
    """Where the read model is.

    Raises:
        ConfigurationError: It is not set.
    """
    if settings.read_model_url is None:
        raise ConfigurationError(
            "POSTCART_READ_MODEL_URL is not set: name the database of the read model, for example "
            "postgresql://postcart@localhost/postcart, or sqlite:///postcart.db on a single machine"
        )
    return settings.read_model_url.get_secret_value()


def read_model(settings: Settings) -> ReadModel:
    """The read model, to be asked.

    Raises:
        ConfigurationError: It is not set, or a newer release made it.
        ReadModelUnavailable: It can't be reached, or nothing is in it yet.
    """
    store = open_read_model(read_model_url(settings))
    with ExitStack() as failing:
        failing.callback(store.close)
        store.require_schema()
        failing.pop_all()
    return store


def writable_read_model(settings: Settings) -> ReadModel:
    """The read model, made or brought up to date where need be, for this installation's topics."""
    store = open_read_model(read_model_url(settings), create=True)
    with ExitStack() as failing:
        failing.callback(store.close)
        for name in store.migrate():
            log.info("read_model_migrated", migration=name)
        store.bind(settings.topic_prefix)
        failing.pop_all()
    return store


def projected_topics(settings: Settings) -> dict[str, Source]:
    """Topics that are projected, and what each holds."""
    sources: dict[str, Source] = {}
    for topic in project_inputs(settings):
        kind = topic.removeprefix(settings.topic_prefix).partition(".")[0]
        sources[topic] = kind  # type: ignore[assignment]  # named after what they hold
    return sources


class RebuildPlan(NamedTuple):
    """What a rebuild would do.

    Attributes:
        size: What is stored.
        lost: Facts that Kafka does not hold any more.
        held: Positions that would be read again.
    """

    size: Size
    lost: int
    held: int


def plan_rebuild(settings: Settings) -> RebuildPlan:
    """What dropping the read model and filling it again comes to; changes nothing.

    Raises:
        BrokerUnavailable: Kafka can't be reached.
        ReadModelUnavailable: The database can't be reached, or holds nothing yet.
    """
    store, admin = read_model(settings), Admin(settings)
    try:
        counts = admin.partition_counts()
        places = [(topic, number) for topic in project_inputs(settings) for number in range(counts.get(topic, 0))]
        beginnings, ends = admin.beginnings(places), admin.ends(places)
        held = sum(ends[place] - beginnings[place] for place in places)
        return RebuildPlan(store.size(), store.count_before(beginnings), held)
    finally:
        store.close()


def rebuild_read_model(settings: Settings) -> None:
    """Drop the read model; workers fill it again."""
    store = writable_read_model(settings)
    try:
        store.rebuild()
        store.bind(settings.topic_prefix)
    finally:
        store.close()


def run_project(settings: Settings) -> int:
    """Run a worker that keeps the read model up to date until it is told to stop; returns the exit code.

    Raises:
        ConfigurationError: No database is set, or another installation's is.
        TopologyError: Topics are missing.
        BrokerUnavailable: Kafka can't be reached.
        ReadModelUnavailable: The database can't be reached.
    """
    read_model_url(settings)
    admin = Admin(settings)
    counts = admin.partition_counts()
    sources = projected_topics(settings)
    require_topics(counts, sources)
    places = [(topic, number) for topic in sources for number in range(counts[topic])]
    writable_read_model(settings).close()
    instruments, clock = process_instruments(), WallClock()
    config = ProjectConfig(
        projection=Projection(sources, StageFigures(instruments, "project")),
        open_store=partial(writable_read_model, settings),
        open_consumer=member(settings, "project", project_group(settings), tuple(sources)),
        glimpse=partial(_glimpse, settings, admin, places, clock.real_ms),
        glimpse_every_s=_REPLAYED_GLIMPSE_EVERY_S if settings.clock == "replay" else _GLIMPSE_EVERY_S,
        kept_from_ms=lambda: kept_from_ms(clock.real_ms(), settings.read_model_months),
        on_look=_Figures(instruments, settings, clock.real_ms).show,
        now_ms=clock.real_ms,
    )
    with probed(settings, instruments, config.health, ready="joined_and_stored"):
        return run_projection(config)


def _glimpse(settings: Settings, admin: Admin, places: list[Place], real_ms: Callable[[], int]) -> Glimpse:
    """Committed offsets first, then the ends: see processors.accounting."""
    at_ms = real_ms()
    committed: dict[Place, int] = {}
    try:
        for channel in settings.channel_names:
            jobs = [place for place in places if place[0] in job_topics(settings, channel)]
            committed |= admin.committed(stage_group(settings, channel), jobs)
        return Glimpse(at_ms, committed, admin.ends(places))
    except KafkaException as error:
        raise BrokerUnavailable(str(error)) from error


class _Figures:
    """What the worker tells of itself."""

    def __init__(self, instruments: Instruments, settings: Settings, now_ms: Callable[[], int]) -> None:
        self._instruments = instruments
        self._teller: Place = (settings.topic("receipts"), 0)
        """The number of jobs is the same seen from every worker: the owner of this one tells it."""
        self._now_ms = now_ms
        self._tells = False
        self._told: tuple[str, ...] = ()

    def show(self, accounting: Accounting, owned: Collection[Place], standings: Mapping[Place, Standing]) -> None:
        """Set the gauges; unaccounted jobs are also logged, once."""
        instruments = self._instruments
        complete = [standings[place].complete_ms or 0 for place in owned if place in standings]
        if complete:
            instruments.gauge("read_model_age_seconds").set(max(0.0, (self._now_ms() - min(complete)) / 1_000))
        if accounting.unaccounted is None:
            return
        if self._teller in owned:
            self._tells = True
            instruments.gauge("jobs_unaccounted").set(accounting.unaccounted)
        elif self._tells:
            instruments.gauge("jobs_unaccounted").set(nan)  # another worker tells it now
        if accounting.examples != self._told:
            self._told = accounting.examples
            say = log.error if accounting.unaccounted else log.info
            say("jobs_unaccounted", count=accounting.unaccounted, examples=list(accounting.examples))
