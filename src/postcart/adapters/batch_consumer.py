"""A plain consumer of batches for readers whose positions are kept elsewhere than in Kafka.

Owns: membership of a group, fetching, where reading goes on. Must not: decode, or keep positions itself: the caller's
store has them. What it commits to Kafka is for people who look at the group's lag; nothing is ever read from there.

One thread. Ownership changes only within ``poll``, so what a poll returned can be stored before the next one.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from postcart.adapters.rdkafka.awake import Awake
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.grouping import group
from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.adapters.rdkafka.partitions import names_of, partitions_of, seek, spoken
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import verdict
from postcart.errors import ConfigurationError

log = structlog.get_logger(__name__)

Place = tuple[str, int]
Resume = Callable[[Collection[Place]], Mapping[Place, int]]
"""Where to go on, of partitions of which anything is known; the others are read from their beginning."""

_WATERMARKS_S = 10.0


class BatchConsumer:
    """A member of the group; more of them share its partitions.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
        consumer_group: Group to join.
        topics: Subscribed together; they must exist.
        resume: Asked whenever partitions are given to this member; on this thread.
    """

    def __init__(
        self, settings: ClientSettings, *, client_id: str, consumer_group: str, topics: Sequence[str], resume: Resume
    ) -> None:
        self._group = consumer_group
        self._classic = settings.group_protocol == "classic"
        self._resume = resume
        self._positions: dict[Place, int] = {}
        self._failure: Exception | None = None
        self._awake = Awake()
        config = settings.consumer(client_id, consumer_group)
        # What retention has taken away before it was read can't be waited for; ``_begin`` says so in the log.
        config |= {"auto.offset.reset": "earliest", "queued.min.messages": 20_000}
        config.pop("statistics.interval.ms", None)
        self._consumer = Consumer(config)
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    @property
    def positions(self) -> Mapping[Place, int]:
        """Next position of each partition that is owned."""
        return self._positions

    def poll(self, most: int, wait_s: float) -> list[RecordBatch]:
        """Records of up to ``wait_s``, at most ``most``, by partition; also where only the position moved.

        Raises:
            PostcartError: As ``verdict`` says; or what ``resume`` raised: then ``go_on_at`` must come first.
        """
        messages = self._awake.consume(self._consumer, most, wait_s)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        batches, errors = group(messages, self._positions)
        for error, message in errors:
            meaning = verdict(error, topic=message.topic(), partition=message.partition(), group=self._group)
            if meaning is not None:
                raise meaning
            log.warning("consumer_error", code=error.name(), detail=error.str(), topic=message.topic())
        return batches

    def go_on_at(self, positions: Mapping[Place, int | None]) -> None:
        """Read on from there; None is the beginning. Partitions that are not owned are passed over."""
        for place, position in positions.items():
            if place in self._positions:
                seek(self._consumer, place, OFFSET_BEGINNING if position is None else position)
                self._positions[place] = position or 0

    def hold(self) -> None:
        """Fetch nothing, but stay a member as long as ``poll`` is called."""
        self._consumer.pause(partitions_of(self._positions))

    def release(self) -> None:
        """Fetch again."""
        self._consumer.resume(partitions_of(self._positions))

    def show(self, positions: Mapping[Place, int]) -> None:
        """Commit to Kafka, so that the group's lag can be seen; without waiting, and no matter if it fails."""
        mine = [TopicPartition(*place, position) for place, position in positions.items() if place in self._positions]
        if mine:
            with contextlib.suppress(KafkaException):
                self._consumer.commit(offsets=mine, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        taken = names_of(partitions)
        try:
            begin = self._begin(consumer, taken)
        except Exception as error:  # noqa: BLE001 -- must not be swallowed by the C library: ``poll`` raises it
            self._failure = error
            begin = {}
        starts = [TopicPartition(*place, begin.get(place, OFFSET_BEGINNING)) for place in sorted(taken)]
        if self._classic:
            consumer.assign(starts)
        else:
            consumer.incremental_assign(starts)
        self._positions |= {place: begin.get(place, 0) for place in taken}
        log.info("partitions_assigned", partitions=spoken(taken))

    def _begin(self, consumer: Consumer, taken: Collection[Place]) -> dict[Place, int]:
        """Where to begin, where that is known; checked against what the partitions hold."""
        begin = dict(self._resume(taken))
        for (topic, number), position in begin.items():
            low, high = watermarks_of(consumer, topic, number, within_s=_WATERMARKS_S)
            if position > high:
                raise ConfigurationError(
                    f"the read model has read {topic}[{number}] up to {position}, but it ends at {high}: this is "
                    "another Kafka, or its topics were made anew; `postcart project rebuild` begins anew, too"
                )
            if position < low:
                log.error("records_gone", topic=topic, partition=number, records=low - position)
                begin[topic, number] = position
        return begin

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        given = names_of(partitions)
        for place in given:
            self._positions.pop(place, None)
        if self._classic:
            consumer.unassign()
        else:
            consumer.incremental_unassign(partitions)
        log.info("partitions_revoked", partitions=spoken(given))
