"""A shop event is looked for on Kafka, and what became of it found out.

Owns: which topics are searched, how far, what is asked besides. Must not: judge an event (domain.story.visits does).
"""

from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaException, Message
from msgspec import Struct

from postcart.adapters.dead_letters.scanning import Scan
from postcart.adapters.topics import Admin, Stage, stage_group
from postcart.codecs.dead_letters import dead_letter
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import Subject
from postcart.domain.story.visits import Arrived, Fate, fate_of
from postcart.errors import TopologyError, UnreadableRecord
from postcart.events.shop import ShopEvent, VisitorEvent, time_ms
from postcart.settings import Settings
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import detect_rules

READERS: Final[dict[Subject, Stage]] = {
    "shop.sessions": "detect",
    "shop.carts": "detect",
    "shop.orders": "journey",
    "shop.profiles": "journey",
}
_TELL_EVERY: Final = 250_000


class Trace(Struct, frozen=True, kw_only=True):
    """An event that was found.

    Attributes:
        happened_ms: By its own clock; None if it can't be read.
        appended_ms: When the broker took it, real time.
        read: Whether the stage that reads it has committed past it; None if that is not known.
        refused: Why it can't be read; it is then a dead letter, ``dead_letter`` its id.
        fate: Of a visitor's event.
    """

    id: str
    kind: str | None
    topic: str
    partition: int
    offset: int
    appended_ms: int
    stage: str
    happened_ms: int | None = None
    visitor_id: str | None = None
    person_id: str | None = None
    read: bool | None = None
    refused: str | None = None
    dead_letter: str | None = None
    fate: Fate | None = None


def trace_event(settings: Settings, event_id: str, *, since_ms: int, progress: Callable[[str], None]) -> Trace | None:
    """Search the shop's topics, from records taken at ``since_ms`` on, for an event; None if it is not there.

    Raises:
        BrokerUnavailable: Kafka can't be reached.
    """
    client = {"bootstrap.servers": settings.bootstrap, "log_level": 0, **settings.kafka.properties()}
    needle = event_id.encode()
    for subject in READERS:
        topic = settings.shop_topic(subject.removeprefix("shop."))
        progress(f"searching {topic}")
        try:
            scan = Scan(client, topic, since_ms=since_ms)
        except TopologyError:
            progress(f"there is no topic {topic}")
            continue
        decoder = ShopEventDecoder(subject, stage=READERS[subject], registry=registry_of(settings))
        for number, message in enumerate(scan, 1):
            if number % _TELL_EVERY == 0:
                progress(f"searching {topic}: {number:,} records")
            value = message.value()
            if value is None or needle not in value:
                continue  # a text stands in JSON and in Avro as its bytes
            try:
                event = decoder.decode(message.key(), value)
            except UnreadableRecord as error:
                return _traced(settings, event_id, message, subject, refused=error)
            if event is not None and event.id == event_id:
                return _traced(settings, event_id, message, subject, event=event, client=client)
    return None


def _traced(
    settings: Settings,
    event_id: str,
    message: Message,
    subject: Subject,
    *,
    event: ShopEvent | None = None,
    refused: UnreadableRecord | None = None,
    client: dict[str, Any] | None = None,
) -> Trace:
    stage = READERS[subject]
    topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
    fate = None
    if isinstance(event, VisitorEvent) and client is not None:
        arrived = _of_visitor(settings, client, event.visitor_id, partition)
        disorder_ms = None if settings.clock == "replay" else settings.disorder_s * 1_000
        fate = fate_of(event_id, arrived, detect_rules(settings), disorder_ms=disorder_ms)
    return Trace(
        id=event_id,
        kind=None if event is None else str(type(event).__struct_config__.tag),
        topic=topic,
        partition=partition,
        offset=offset,
        appended_ms=message.timestamp()[1],
        stage=stage,
        happened_ms=None if event is None else time_ms(event),
        visitor_id=getattr(event, "visitor_id", None),
        person_id=getattr(event, "person_id", None),
        read=_read(settings, stage, (topic, partition), offset),
        refused=None if refused is None else f"{refused.reason}: {refused.detail}",
        dead_letter=None if refused is None else dead_letter(message, refused, stage=stage).id,
        fate=fate,
    )


def _of_visitor(settings: Settings, client: dict[str, Any], visitor_id: str, partition: int) -> list[Arrived]:
    """All events of a visitor: they are on one partition number of both topics."""
    key, found = visitor_id.encode(), []
    subjects: tuple[Subject, ...] = ("shop.sessions", "shop.carts")
    for subject in subjects:
        decoder = ShopEventDecoder(subject, stage="detect", registry=registry_of(settings))
        topic = settings.shop_topic(subject.removeprefix("shop."))
        for message in Scan(client, topic, partitions=frozenset({partition})):
            if message.key() != key:
                continue
            try:
                event = decoder.decode(key, message.value())
            except UnreadableRecord:
                continue
            if isinstance(event, VisitorEvent):
                found.append(Arrived(event, message.timestamp()[1]))
    return found


def _read(settings: Settings, stage: Stage, place: tuple[str, int], offset: int) -> bool | None:
    try:
        committed = Admin(settings).committed(stage_group(settings, stage), [place])
    except KafkaException:
        return None
    return committed[place] > offset if place in committed else None
