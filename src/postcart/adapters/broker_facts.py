"""What a cluster tells of itself: its settings, what this client may do, and what time it is there.

Owns: asking. Must not: judge (wiring.doctor does), or leave anything behind that somebody reads.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient, ConfigResource, ResourceType

from postcart.adapters.rdkafka.lane import leave_behind
from postcart.adapters.rdkafka.settings import ADMIN
from postcart.errors import BrokerUnavailable

_REQUEST_S: Final = 15.0
_FIRST_ANSWER_S: Final = 6.0
_ANY_TIME_S: Final = 3_600.0
"""An admin client of librdkafka 2.16 aborts the process when a coordinator answers a question that has timed out."""
_FORBIDDEN: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_UNREACHABLE: Final = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001 -- the binding names local errors so

Client = Mapping[str, Any]
"""librdkafka's properties of a client."""


class Appended(NamedTuple):
    """One record: wall time (ms) here before it was sent and after it was acknowledged; when the broker appended it."""

    before_ms: int
    broker_ms: int
    after_ms: int

    @property
    def ahead_ms(self) -> int:
        """At least so far is the clock here ahead of the broker's; negative: behind; 0: they agree, as far as known."""
        if self.broker_ms < self.before_ms:
            return self.before_ms - self.broker_ms
        return min(0, self.after_ms - self.broker_ms)


class Refused(NamedTuple):
    """The cluster said no."""

    reason: str
    forbidden: bool


class BrokerFacts:
    """Asks one cluster.

    Args:
        client: How it is reached.

    Raises:
        BrokerUnavailable: The client can't be set up.
    """

    def __init__(self, client: Client) -> None:
        self._config = {**client, "log_level": 0}
        try:
            self._admin = AdminClient({**self._config, **ADMIN})
        except KafkaException as error:
            raise BrokerUnavailable(f"the Kafka client can't be set up: {error.args[0].str()}") from error

    def brokers(self) -> dict[int, str]:
        """Addresses of the brokers by id.

        Raises:
            BrokerUnavailable: None answers.
        """
        return {number: f"{one.host}:{one.port}" for number, one in self._metadata().brokers.items()}

    def replicas(self, topics: Iterable[str]) -> dict[str, int]:
        """The least number of copies of any partition, by topic that exists."""
        known = self._metadata().topics
        return {
            name: min(len(partition.replicas) for partition in known[name].partitions.values())
            for name in topics
            if name in known and known[name].partitions
        }

    def broker_settings(self) -> dict[str, str] | Refused:
        """The settings of a broker; all are supposed to be alike."""
        number = min(self.brokers())
        asked = self._admin.describe_configs(
            [ConfigResource(ResourceType.BROKER, str(number))], request_timeout=_REQUEST_S
        )
        try:
            (answer,) = [future.result(_REQUEST_S * 2) for future in asked.values()]
        except KafkaException as error:
            return self._refused(error)
        return {name: entry.value for name, entry in answer.items() if entry.value is not None}

    def topic_rights(self, topics: Iterable[str]) -> dict[str, set[str] | Refused]:
        """What this client may do with each topic (``READ``, ``WRITE`` …)."""
        wanted = TopicCollection(list(topics))
        asked = self._admin.describe_topics(wanted, include_authorized_operations=True, request_timeout=_REQUEST_S)
        return {name: self._rights(future) for name, future in asked.items()}

    def group_rights(self, groups: Iterable[str]) -> dict[str, set[str] | Refused]:
        """What this client may do with each consumer group."""
        self._metadata()  # raises if nobody answers
        asked = self._admin.describe_consumer_groups(
            list(groups), include_authorized_operations=True, request_timeout=_ANY_TIME_S
        )
        try:
            return {name: self._rights(future) for name, future in asked.items()}
        finally:
            if not all(future.done() for future in asked.values()):
                leave_behind(self._admin)

    def append(self, topic: str, *, transactional_id: str, real_ms: Callable[[], int]) -> Appended | Refused:
        """Append a record in a transaction that is then aborted: no reader of committed records ever sees it.

        Args:
            topic: With the broker's append times.
            transactional_id: Of nobody else.
            real_ms: Wall time here.
        """
        told: list[int] = []
        errors: list[KafkaError] = []

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error)
                return
            kind, at_ms = message.timestamp()
            if kind == TIMESTAMP_LOG_APPEND_TIME:
                told.append(at_ms)

        try:
            producer = Producer({**self._config, "transactional.id": transactional_id, "linger.ms": 0})
            producer.init_transactions(_REQUEST_S)
            producer.begin_transaction()
            for _ in range(2):  # the first finds the partition's leader; the second tells the time
                before_ms = real_ms()
                producer.produce(topic, b"doctor", b"doctor", on_delivery=acknowledged)
                producer.flush(_REQUEST_S)
                after_ms = real_ms()
            producer.abort_transaction(_REQUEST_S)
        except KafkaException as error:
            return self._refused(error)
        if errors:
            return Refused(errors[-1].str(), errors[-1].code() in _FORBIDDEN)
        if not told:
            return Refused(f"{topic} does not carry the broker's append times", forbidden=False)
        return Appended(before_ms, told[-1], after_ms)

    def _metadata(self) -> Any:
        try:
            return self._admin.list_topics(timeout=_FIRST_ANSWER_S)
        except KafkaException as error:
            raise BrokerUnavailable(
                f"Kafka does not answer at {self._config.get('bootstrap.servers')} ({error.args[0].str()})"
            ) from error

    def _rights(self, future: Any) -> set[str] | Refused:
        try:
            answer = future.result(_REQUEST_S * 2)
        except KafkaException as error:
            return self._refused(error)
        except TimeoutError as error:
            raise BrokerUnavailable(
                f"Kafka at {self._config.get('bootstrap.servers')} does not answer in time"
            ) from error
        return {AclOperation(operation).name for operation in answer.authorized_operations or ()}

    def _refused(self, error: KafkaException) -> Refused:
        """A refusal; a broker that is gone meanwhile is none.

        Raises:
            BrokerUnavailable: It does not answer any more.
        """
        what = error.args[0]
        if what.code() in _UNREACHABLE:
            raise BrokerUnavailable(
                f"Kafka does not answer at {self._config.get('bootstrap.servers')} ({what.str()})"
            ) from error
        return Refused(what.str(), what.code() in _FORBIDDEN)
