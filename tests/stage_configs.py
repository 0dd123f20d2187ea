"""DETECT and JOURNEY as tests configure them, and the names of their topics there.

Owns: those names. Must not: run anything.
"""

from typing import Final

from postcart.codecs.records import RecordDecoder
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.events.jobs import ReceiptRecord
from postcart.events.milestones import MilestoneRecord
from postcart.events.signals import AnySignal, TaskClock
from postcart.processors.detect import DetectConfig
from postcart.processors.journey import JourneyConfig
from postcart.processors.journey_outputs import JourneyTopics
from postcart.processors.stage_metrics import NoStageMetrics

PARTITIONS = 2
DISORDER_MS = 300_000
SHOP_SESSIONS: Final = "shop.sessions"
SHOP_CARTS: Final = "shop.carts"
SHOP_ORDERS: Final = "shop.orders"
SHOP_PROFILES: Final = "shop.profiles"
SIGNALS, RECEIPTS, DECISIONS, JOBS, DEAD = "signals", "receipts", "decisions", "jobs", "dead"
MILESTONES: Final = "milestones"


class NoSealer:
    """Leaves contact points readable; what sealing is worth is tested elsewhere."""

    def new_key(self) -> bytes:
        """A wrapped key."""
        return b"key"

    def seal(self, wrapped_key: bytes, person_id: str, text: str) -> str:  # noqa: ARG002 -- the port's signature
        """The text as it is."""
        return text


def detect_config(rules: Rules, *, exact_idle: bool) -> DetectConfig:
    """DETECT under these rules."""
    return DetectConfig(
        rules=rules,
        decoders={
            SHOP_SESSIONS: ShopEventDecoder(SHOP_SESSIONS, stage="detect"),
            SHOP_CARTS: ShopEventDecoder(SHOP_CARTS, stage="detect"),
        },
        topic_of=lambda event: SHOP_CARTS if event.OF_CART else SHOP_SESSIONS,
        signals_topic=SIGNALS,
        decisions_topic=DECISIONS,
        dead_topic=DEAD,
        partitions=PARTITIONS,
        disorder_ms=DISORDER_MS,
        exact_idle=exact_idle,
        clock_interval_ms=1,
        metrics=NoStageMetrics(),
    )


def journey_config(context: Context, *, exact_idle: bool) -> JourneyConfig:
    """JOURNEY with the context's campaign."""
    return JourneyConfig(
        context=context,
        topics=JourneyTopics(
            signals=SIGNALS,
            orders=SHOP_ORDERS,
            profiles=SHOP_PROFILES,
            milestones=MILESTONES,
            receipts=RECEIPTS,
            alerts="alerts",
            consents="consents",
            suppressions="suppressions",
            decisions=DECISIONS,
            gate="gate",
            keys="keys",
            dead=DEAD,
            jobs=lambda _channel, _purpose: JOBS,
        ),
        decoders={
            SIGNALS: RecordDecoder(AnySignal, stage="journey"),
            SHOP_ORDERS: ShopEventDecoder(SHOP_ORDERS, stage="journey"),
            SHOP_PROFILES: ShopEventDecoder(SHOP_PROFILES, stage="journey"),
            MILESTONES: RecordDecoder(MilestoneRecord | TaskClock, stage="journey"),
            RECEIPTS: RecordDecoder(ReceiptRecord, stage="journey"),
        },
        sealer=NoSealer(),
        contact_id=lambda channel, point: f"{channel}:{point}",
        partitions=PARTITIONS,
        track_tasks=1,
        disorder_ms=DISORDER_MS,
        exact_idle=exact_idle,
        progress_interval_ms=1 << 60,
        metrics=NoStageMetrics(),
    )
