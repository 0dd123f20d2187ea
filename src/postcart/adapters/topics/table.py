"""Which topics there are, how each is kept, and who joins what.

Owns: names, keys' co-partitioning, retention and clean-up of every topic. Must not: talk to Kafka.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from postcart.events.times import DAY_MS, HOUR_MS
from postcart.settings import Settings

Stage = str
"""``detect``, ``track``, ``journey``, or the name of a channel."""
_PIPELINE: Final[tuple[Stage, ...]] = ("detect", "track", "journey")
PURPOSES: Final = ("transactional", "marketing")
FEED_CHANNEL: Final = "inapp"
"""The channel whose messages lie in the topic ``feed`` and, projected, in the read model."""

_DEAD_LETTER_BYTES = 8 * 1024 * 1024
"""A dead letter holds the original bytes in base64: room for 5 MB of them."""

_SEGMENT_BYTES = 64 * 1024 * 1024
"""Of compacted topics. Only closed segments are compacted, and restores read what isn't."""


class Topic(NamedTuple):
    """One topic as it has to be.

    Attributes:
        name: With its prefix.
        partitions: For a new one.
        config: Kafka's own settings of it.
    """

    name: str
    partitions: int
    config: Mapping[str, str]

    @property
    def cleanup(self) -> str:
        """Kafka's ``cleanup.policy`` of it."""
        return self.config["cleanup.policy"]


def stages(settings: Settings) -> tuple[Stage, ...]:
    """Return the names of all kinds of workers that share a group: those of the pipeline, then one per channel."""
    return *_PIPELINE, *settings.channel_names


def job_topics(settings: Settings, channel: str) -> tuple[str, str]:
    """Return the topics with a channel's jobs: transactional before marketing."""
    transactional, marketing = (settings.topic(f"jobs.{channel}.{purpose}") for purpose in PURPOSES)
    return transactional, marketing


def all_topics(settings: Settings) -> tuple[Topic, ...]:
    """Return every topic of the stages that exist, the shop's own included."""
    shop, own, count = settings.shop_topic, settings.topic, settings.partitions
    names = {
        shop("sessions"): _kept(7),
        shop("carts"): _kept(7),
        shop("orders"): _kept(7),
        shop("profiles"): _compacted(),
        shop("catalog"): _compacted(),
        shop("shipments"): _kept(7),
        own("signals"): _kept(7),
        own("milestones"): _kept(7),
        own("lanes"): _kept(30),
        own("polls"): _kept(7),
        own("gate"): _compacted(),
        **{name: _kept(30) for channel in settings.channel_names for name in _of_channel(settings, channel)},
        own("receipts"): _kept(30),
        **({own("feed"): _kept(30)} if FEED_CHANNEL in settings.channel_names else {}),
        own("alerts"): _kept(30),
        own("decisions"): _kept(30),
        # A destroyed key must be gone from the disk within a day, also if nothing is written after it.
        own("keys"): _compacted({"segment.ms": str(HOUR_MS), "max.compaction.lag.ms": str(DAY_MS)}),
        own("consents"): _compacted(),
        own("suppressions"): _compacted(),
        changelog(settings, "detect"): _compacted(),
        changelog(settings, "track"): _compacted(),
        changelog(settings, "journey"): _compacted(),
        own("dead"): {**_kept(30), "max.message.bytes": str(_DEAD_LETTER_BYTES)},
    }
    durability = {"min.insync.replicas": "2" if settings.replication > 2 else "1"}  # noqa: PLR2004 -- two of three
    topics = [Topic(name, count, {**config, **durability}) for name, config in names.items()]
    topics.append(Topic(own("clock"), 1, {**_compacted(), **durability}))
    return tuple(topics)


def topic_counts(settings: Settings) -> dict[str, int]:
    """Return every topic's name and partition count, as ``MockBroker`` takes them."""
    return {topic.name: topic.partitions for topic in all_topics(settings)}


def stage_inputs(settings: Settings, stage: Stage) -> tuple[str, ...]:
    """Return the topics that the stage's group subscribes to."""
    shop, own = settings.shop_topic, settings.topic
    if stage == "detect":
        return shop("sessions"), shop("carts")
    if stage == "track":
        return shop("shipments"), own("lanes")
    if stage == "journey":
        return (
            own("signals"),
            shop("orders"),
            shop("profiles"),
            own("milestones"),
            own("receipts"),
            own("consents"),
        )
    return *job_topics(settings, stage), own("gate")


def whole_copies(settings: Settings, stage: Stage) -> tuple[str, ...]:
    """Return the compacted topics of which each of the stage's workers keeps all partitions."""
    return () if stage in _PIPELINE else (settings.shop_topic("catalog"), settings.topic("suppressions"))


def stage_group(settings: Settings, stage: Stage) -> str:
    """Return the stage's consumer group."""
    return settings.topic(stage)


def project_inputs(settings: Settings) -> tuple[str, ...]:
    """Return the topics that are projected into the read model, in no stage's way."""
    own = settings.topic
    begins = (own("jobs."), own("claims."))
    known = (topic.name for topic in all_topics(settings))
    of_feed = (own("feed"), own("keys")) if FEED_CHANNEL in settings.channel_names else ()
    return own("decisions"), own("receipts"), *of_feed, *(name for name in known if name.startswith(begins))


def project_group(settings: Settings) -> str:
    """Return the consumer group of the workers that project."""
    return settings.topic("project")


def alert_inputs(settings: Settings) -> tuple[str, ...]:
    """Return the topics that employees are told from."""
    stock = () if settings.alerts.stock_below is None else (settings.shop_topic("catalog"),)
    return settings.topic("alerts"), *stock


def alert_group(settings: Settings) -> str:
    """Return the consumer group of the workers that tell employees."""
    return settings.topic("alerting")


def poll_inputs(settings: Settings) -> tuple[str, ...]:
    """Return the topic that says what carriers are to be asked."""
    return (settings.topic("polls"),)


def poll_group(settings: Settings) -> str:
    """Return the consumer group of the workers that ask carriers."""
    return settings.topic("polling")


def changelog(settings: Settings, stage: Stage) -> str:
    """Return the topic that the stage's state is restored from."""
    return settings.topic(f"{stage}.changelog" if stage in _PIPELINE else f"claims.{stage}")


def _of_channel(settings: Settings, channel: str) -> tuple[str, ...]:
    return *job_topics(settings, channel), changelog(settings, channel)


def joined(settings: Settings, stage: Stage) -> tuple[str, ...]:
    """Return the topics whose partitions of one number belong together in the stage: their counts must be equal."""
    beside = () if stage in _PIPELINE else (settings.topic("keys"),)
    return (*stage_inputs(settings, stage), *beside, changelog(settings, stage))


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS), **_TIMES}


def _compacted(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        "segment.bytes": str(_SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.2",
        **_TIMES,
        **(more or {}),
    }


_TIMES = {"message.timestamp.type": "LogAppendTime"}
"""Record times are the broker's: no device's fast clock moves a watermark or outlives the retention."""
