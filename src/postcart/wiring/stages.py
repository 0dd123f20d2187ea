"""The composition root of the Faust stages: settings become DETECT's and JOURNEY's specifications.

Owns: which topic, decoder, sealer and rule goes where. Must not: hold a rule, or run anything (workers does).
"""

from functools import partial
from secrets import token_bytes

from postcart.adapters.vault import Vault
from postcart.codecs.records import RecordDecoder
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import Subject
from postcart.content.phones import normal_phone
from postcart.domain.track.estimate_days import DayTold
from postcart.events.consents import ConsentRecorded
from postcart.events.ids import contact_id
from postcart.events.jobs import ReceiptRecord
from postcart.events.milestones import MilestoneRecord
from postcart.events.signals import AnySignal, TaskClock
from postcart.processors.detect import DetectConfig, DetectTask
from postcart.processors.engine.task import StageSpec
from postcart.processors.journey import JourneyConfig, JourneyTask
from postcart.processors.journey_outputs import JourneyTopics
from postcart.processors.stage_metrics import StageMetrics
from postcart.processors.track import STAGE as TRACK
from postcart.processors.track import TrackConfig, TrackTask
from postcart.settings import Settings
from postcart.wiring.process import Clock
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import active_campaign, decision_context, detect_rules
from postcart.wiring.tracking import track_context, vocabularies

_PROGRESS_INTERVAL_MS = 2_000
"""JOURNEY's word on how far orders were read; senders accept one of at most 10 s."""


def detect_spec(settings: Settings, *, signal_partitions: int, metrics: StageMetrics) -> StageSpec:
    """DETECT: sessions and carts in, signals out. ``signal_partitions``: each is told the tasks' clocks."""
    registry = registry_of(settings)
    topics: dict[Subject, str] = {
        "shop.sessions": settings.shop_topic("sessions"),
        "shop.carts": settings.shop_topic("carts"),
    }
    config = DetectConfig(
        rules=detect_rules(settings),
        decoders={
            topic: ShopEventDecoder(subject, stage="detect", registry=registry) for subject, topic in topics.items()
        },
        topic_of=lambda event: topics["shop.carts" if event.OF_CART else "shop.sessions"],
        signals_topic=settings.topic("signals"),
        decisions_topic=settings.topic("decisions"),
        dead_topic=settings.topic("dead"),
        partitions=signal_partitions,
        disorder_ms=settings.disorder_s * 1_000,
        exact_idle=settings.clock == "replay",
        clock_interval_ms=settings.watermark_interval_ms,
        metrics=metrics,
    )
    return StageSpec(
        name="detect",
        inputs=tuple(topics.values()),
        changelog=settings.topic("detect.changelog"),
        task=lambda partition: DetectTask(config, partition),
        group=settings.topic("detect"),
        dead=settings.topic("dead"),
    )


def track_spec(
    settings: Settings, *, lane_partitions: int, milestone_partitions: int, metrics: StageMetrics
) -> StageSpec:
    """TRACK: parcels in, milestones out.

    ``lane_partitions``: each is told what was delivered; ``milestone_partitions``: each is told the tasks' clocks.

    Raises:
        ConfigurationError: A file of carriers' words is wrong.
    """
    shipments, lanes = settings.shop_topic("shipments"), settings.topic("lanes")
    config = TrackConfig(
        context=track_context(settings),
        vocabularies=vocabularies(settings),
        shipments=shipments,
        shipment_decoder=ShopEventDecoder("shop.shipments", stage=TRACK, registry=registry_of(settings)),
        lanes=lanes,
        lane_decoder=RecordDecoder(DayTold, stage=TRACK),
        milestones_topic=settings.topic("milestones"),
        decisions_topic=settings.topic("decisions"),
        polls_topic=settings.topic("polls"),
        dead_topic=settings.topic("dead"),
        tasks=lane_partitions,
        milestone_partitions=milestone_partitions,
        clock_interval_ms=settings.watermark_interval_ms,
        disorder_ms=settings.disorder_s * 1_000,
        exact_idle=settings.clock == "replay",
        metrics=metrics,
    )
    return StageSpec(
        name=TRACK,
        inputs=(shipments, lanes),
        changelog=settings.topic("track.changelog"),
        task=lambda partition: TrackTask(config, partition),
        group=settings.topic(TRACK),
        dead=settings.topic("dead"),
    )


def journey_topics(settings: Settings) -> JourneyTopics:
    """The names of JOURNEY's topics."""
    return JourneyTopics(
        signals=settings.topic("signals"),
        orders=settings.shop_topic("orders"),
        profiles=settings.shop_topic("profiles"),
        milestones=settings.topic("milestones"),
        receipts=settings.topic("receipts"),
        alerts=settings.topic("alerts"),
        consents=settings.topic("consents"),
        suppressions=settings.topic("suppressions"),
        decisions=settings.topic("decisions"),
        gate=settings.topic("gate"),
        keys=settings.topic("keys"),
        dead=settings.topic("dead"),
        jobs=lambda channel, purpose: settings.topic(f"jobs.{channel}.{purpose}"),
    )


def journey_spec(
    settings: Settings, *, detect_tasks: int, track_tasks: int, clock: Clock, metrics: StageMetrics
) -> StageSpec:
    """JOURNEY: signals, milestones, orders, profiles, receipts and consents in, jobs, alerts and gate out.

    ``detect_tasks``: as many clocks make the cart clock; ``track_tasks``: and that of parcels.

    Raises:
        ConfigurationError: The campaign is wrong.
    """
    topics = journey_topics(settings)
    registry = registry_of(settings)
    config = JourneyConfig(
        context=decision_context(settings, active_campaign(settings)),
        topics=topics,
        decoders={
            topics.signals: RecordDecoder(AnySignal, stage="journey"),
            topics.orders: ShopEventDecoder("shop.orders", stage="journey", registry=registry),
            topics.profiles: ShopEventDecoder("shop.profiles", stage="journey", registry=registry),
            topics.milestones: RecordDecoder(MilestoneRecord | TaskClock, stage="journey"),
            topics.receipts: RecordDecoder(ReceiptRecord, stage="journey"),
            topics.consents: RecordDecoder(ConsentRecorded, stage="journey"),
        },
        sealer=Vault(settings.master_key_bytes, token_bytes),
        contact_id=partial(contact_id, settings.identity_key.get_secret_value().encode()),
        partitions=detect_tasks,
        track_tasks=track_tasks,
        disorder_ms=settings.disorder_s * 1_000,
        exact_idle=clock.is_replay,
        progress_interval_ms=_PROGRESS_INTERVAL_MS,
        metrics=metrics,
        phone=lambda text, country: normal_phone(text, country or settings.shop.country),
    )
    return StageSpec(
        name="journey",
        inputs=tuple(config.decoders),
        changelog=settings.topic("journey.changelog"),
        task=lambda partition: JourneyTask(config, partition),
        group=settings.topic("journey"),
        dead=settings.topic("dead"),
    )
