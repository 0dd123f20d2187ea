"""The admin client of the topic commands.

Owns: asking the broker, and saying clearly that it doesn't answer. Must not: know which topics there should be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import contextmanager
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from postcart.adapters.rdkafka.offsets import listed
from postcart.adapters.rdkafka.settings import ADMIN
from postcart.errors import BrokerUnavailable
from postcart.settings import Settings

_REQUEST_S = 15.0
_FIRST_ANSWER_S = 6.0
_SETTLING_S = 60.0
"""Brokers that answer are given longer: several that have just started, on a busy machine, take their time."""
_PAUSE_S = 0.1
_TRY_S = 3.0
"""For one try."""
_UNREACHABLE = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 -- the binding names local errors so

_MOCK = "mockCluster"
"""How librdkafka's mock cluster begins its id."""
_SETTLING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError._WAIT_COORD,  # noqa: SLF001 -- the same
    }
)
"""What brokers answer while they take over a partition: for moments after a topic's creation, too."""

Partitions = dict[tuple[str, int], int]
"""Offset by topic and partition."""


class Admin:
    """What the topic commands ask of a cluster. Every method raises ``BrokerUnavailable`` if nobody answers."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.bootstrap
        self._reasons: list[str] = []
        reasons = self._reasons  # not a method of self: a client in a reference cycle would be freed by the collector
        # at any moment, in the middle of another client's call, which blocked for good
        self._config: dict[str, Any] = {
            "bootstrap.servers": settings.bootstrap,
            "client.id": "postcart.topics",
            "log_level": 0,  # what librdkafka would write to standard error stands in our message
            "error_cb": lambda error: reasons.append(error.str()),
            "socket.connection.setup.timeout.ms": 5000,
            **settings.kafka.properties(),
        }
        try:
            self._client = AdminClient({**self._config, **ADMIN})
        except KafkaException as error:
            raise BrokerUnavailable(f"the Kafka client can't be set up: {error.args[0].str()}") from error

    def unreachable(self) -> BrokerUnavailable:
        """Return the error that says what to check."""
        reason = f" ({self._reasons[-1]})" if self._reasons else ""
        return BrokerUnavailable(
            f"Kafka does not answer at {self._bootstrap}{reason}: check POSTCART_BOOTSTRAP, and that the broker runs;"
            " for a try, `make kafka` starts one"
        )

    def partition_counts(self) -> dict[str, int]:
        """Return all topics and their partition counts."""
        try:
            topics = self._client.list_topics(timeout=_FIRST_ANSWER_S).topics
        except KafkaException as error:
            raise self.unreachable() from error
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def is_mock(self) -> bool:
        """Whether this is librdkafka's mock cluster, which has topics but no settings of them."""
        try:
            return str(self._client.list_topics(timeout=_FIRST_ANSWER_S).cluster_id).startswith(_MOCK)
        except KafkaException as error:
            raise self.unreachable() from error

    def create(self, wanted: Iterable[NewTopic]) -> dict[str, KafkaError | None]:
        """Create topics; returns what became of each. One that exists already is no error."""
        outcomes: dict[str, KafkaError | None] = {}
        for name, future in self._client.create_topics(list(wanted), operation_timeout=_REQUEST_S).items():
            try:
                self._result(future)
                outcomes[name] = None
            except KafkaException as error:
                exists = error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
                outcomes[name] = None if exists else error.args[0]
        return outcomes

    def await_topics(self, wanted: AbstractSet[str]) -> dict[str, int]:
        """As ``partition_counts``, once these are among them: brokers hear of new ones a little after the controller.

        One broker answers, another may hear of them later still: whoever asks once more may be told less.
        """
        deadline = monotonic() + _SETTLING_S
        while True:
            if wanted <= (counts := self.partition_counts()).keys():
                return counts
            if monotonic() > deadline:
                raise self.unreachable()
            self._client.poll(_PAUSE_S)

    def configs(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the configuration of topics that exist; nothing from a mock cluster."""
        if self.is_mock():  # it doesn't answer this question
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        if not resources:
            return {}
        found = self._client.describe_configs(resources, request_timeout=_REQUEST_S)
        return {
            resource.name: {name: entry.value for name, entry in self._result(future).items()}
            for resource, future in found.items()
        }

    def committed(self, group: str, partitions: Iterable[tuple[str, int]]) -> Partitions:
        """Return the offsets that the group has committed for these; those without are absent."""
        wanted = [TopicPartition(topic, number) for topic, number in partitions]
        if not wanted:
            return {}
        with self._bystander(group) as consumer:
            found = self._patiently(lambda: consumer.committed(wanted, timeout=_TRY_S))
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def beginnings(self, partitions: Iterable[tuple[str, int]]) -> Partitions:
        """Return the earliest offset of each partition."""
        earliest: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, earliest)

    def ends(self, partitions: Iterable[tuple[str, int]]) -> Partitions:
        """Return the high watermark of each partition."""
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, latest)

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit for a group that has no members.

        Raises:
            KafkaException: The group is running.
        """
        wanted = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        with self._bystander(group) as consumer:
            self._patiently(lambda: consumer.commit(offsets=wanted, asynchronous=False))

    @contextmanager
    def _bystander(self, group: str) -> Iterator[Consumer]:
        """A consumer that never joins its group, to ask the coordinator by.

        The admin client of librdkafka 2.16 aborts the process when a coordinator answers a question that has timed out.
        """
        consumer = Consumer({**self._config, "group.id": group, "enable.auto.commit": False})
        try:
            yield consumer
        finally:
            consumer.close()

    def _patiently(self, ask: Callable[[], list[TopicPartition] | None]) -> list[TopicPartition]:
        """Ask until there is a coordinator, as there soon will be; an error of a single partition is one of all."""
        began = monotonic()
        while True:
            try:
                found = ask() or []
                trouble = next((one.error for one in found if one.error is not None), None)
            except KafkaException as error:
                found, trouble = [], error.args[0]
            if trouble is None:
                return found
            late = self._is_late(began, trouble.code())
            if late and trouble.code() in _UNREACHABLE:
                raise self.unreachable()
            if late or trouble.code() not in _SETTLING | _UNREACHABLE:
                raise KafkaException(trouble)
            self._client.poll(_PAUSE_S)

    def _offsets(self, partitions: Iterable[tuple[str, int]], spec: OffsetSpec) -> Partitions:
        asked = {TopicPartition(topic, number): spec for topic, number in partitions}
        if not asked:
            return {}
        found = self._settled(lambda: self._client.list_offsets(asked, request_timeout=_TRY_S))
        return {(one.topic, one.partition): offset for one, offset in found.items()}

    def _settled(self, ask: Callable[[], Mapping[Any, Future[Any]]]) -> dict[Any, int]:
        """Ask until every partition has a leader that tells, as it soon will."""
        began = monotonic()
        while True:
            try:
                found = {key: listed(self._result(future)) for key, future in ask().items()}
                told = {key: offset for key, offset in found.items() if offset is not None}
                if len(told) == len(found):
                    return told
                if self._is_late(began, KafkaError._TIMED_OUT):  # noqa: SLF001 -- the binding names local errors so
                    raise self.unreachable()
            except BrokerUnavailable:
                if self._is_late(began, KafkaError._TIMED_OUT):  # noqa: SLF001 -- the binding names local errors so
                    raise
            except KafkaException as error:
                code = error.args[0].code()
                if code not in _SETTLING or self._is_late(began, code):
                    raise
            self._client.poll(_PAUSE_S)

    def _is_late(self, began: float, code: int) -> bool:
        """Whether to give up: with brokers that answer, but take over their partitions yet, only after a while."""
        passed = monotonic() - began
        return passed > _REQUEST_S and (passed > _SETTLING_S or not (code in _SETTLING or self._answers()))

    def _answers(self) -> bool:
        try:
            self._client.list_topics(timeout=_TRY_S)
        except KafkaException:
            return False
        return True

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result(_REQUEST_S * 2)
        except KafkaException as error:
            if error.args[0].code() in _UNREACHABLE:
                raise self.unreachable() from error
            raise
        except TimeoutError as error:
            raise self.unreachable() from error
