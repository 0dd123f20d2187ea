"""Runs the workers of Faust stages: settings in, exit code out.

Owns: putting engine, metrics server and clock around a stage's specification. Must not: decide or parse anything.
"""

from contextlib import ExitStack

from postcart.adapters.topics import partition_count, require_topics
from postcart.domain import zones
from postcart.metrics.instruments import Instruments
from postcart.metrics.server import MetricsServer
from postcart.metrics.stage import StageFigures
from postcart.processors.engine.app import build_app
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.task import StageSpec
from postcart.processors.engine.worker import run_worker
from postcart.settings import Settings
from postcart.wiring.instruments import process_instruments
from postcart.wiring.process import Clock, client_settings, require_own_keys, worker_clock
from postcart.wiring.stages import detect_spec, journey_spec, track_spec
from postcart.wiring.worker_name import worker_name


def run_detect(settings: Settings) -> int:
    """Run a DETECT worker until it is told to stop; returns the exit code.

    Raises:
        TopologyError: Topics are missing or don't fit together.
        BrokerUnavailable: Kafka can't be reached.
        ConfigurationError: Anything else that must be changed first.
    """
    require_topics(settings, "detect")
    instruments = process_instruments()
    figures = StageFigures(instruments, "detect")
    with worker_clock(settings) as clock:
        signals = partition_count(settings, settings.topic("signals"))
        spec = detect_spec(settings, signal_partitions=signals, metrics=figures)
        return _run_stage(settings, spec, clock, figures, instruments)


def run_track(settings: Settings) -> int:
    """Run a TRACK worker until it is told to stop; returns the exit code. Raises as ``run_detect``."""
    require_topics(settings, "track")
    instruments = process_instruments()
    figures = StageFigures(instruments, "track")
    with worker_clock(settings) as clock:
        lanes = partition_count(settings, settings.topic("lanes"))
        milestones = partition_count(settings, settings.topic("milestones"))
        spec = track_spec(settings, lane_partitions=lanes, milestone_partitions=milestones, metrics=figures)
        return _run_stage(settings, spec, clock, figures, instruments)


def run_journey(settings: Settings) -> int:
    """Run a JOURNEY worker until it is told to stop; returns the exit code. Raises as ``run_detect``."""
    require_own_keys(settings, "identity_key", "master_key")
    require_topics(settings, "journey")
    instruments = process_instruments()
    figures = StageFigures(instruments, "journey", channels=settings.channel_names)
    zones.read_all()
    with worker_clock(settings) as clock:
        tasks = partition_count(settings, settings.shop_topic("sessions"))
        parcels = partition_count(settings, settings.shop_topic("shipments"))
        spec = journey_spec(settings, detect_tasks=tasks, track_tasks=parcels, clock=clock, metrics=figures)
        return _run_stage(settings, spec, clock, figures, instruments)


def engine_settings(settings: Settings) -> EngineSettings:
    """The engine's intervals as configured."""
    return EngineSettings(
        clients=client_settings(settings),
        worker=worker_name(settings),
        commit_outputs_ms=settings.transaction_output_ms,
        commit_rows_ms=settings.transaction_idle_ms,
        watermark_interval_ms=settings.watermark_interval_ms,
    )


def _run_stage(
    settings: Settings, spec: StageSpec, clock: Clock, figures: StageFigures, instruments: Instruments
) -> int:
    app = build_app(spec, engine_settings(settings), clock=clock, metrics=figures)
    with ExitStack() as stack:
        if settings.metrics_port:
            health = app.engine.health
            server = MetricsServer(
                instruments.registry,
                live={"loops_tick": health.live},
                ready={"joined_and_restored": health.ready},
                port=settings.metrics_port,
            )
            stack.enter_context(server)
        return run_worker(app)
