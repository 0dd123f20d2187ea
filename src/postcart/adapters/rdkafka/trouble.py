"""What a Kafka error means for this process.

Owns: the map from the client's error codes to Postcart's error tree. Must not: retry.
"""

from confluent_kafka import KafkaError

from postcart.errors import BrokerUnavailable, ConfigurationError, Fenced, PostcartError, TopologyError

_NO_POSITION = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001
_NO_TOPIC = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
    }
)
_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
_UNREACHABLE = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT})  # noqa: SLF001


def no_position(topic: str | None, partition: int | None, group: str) -> TopologyError:
    """A group without a committed offset, or one that retention has overtaken."""
    return TopologyError(
        f"consumer group {group} has no valid committed offset for {topic}[{partition}]: on a new installation run "
        "`postcart topics create`, which commits the earliest offsets; on a running one, records were deleted before "
        "they were read"
    )


def verdict(error: KafkaError, *, topic: str | None, partition: int | None, group: str) -> PostcartError | None:
    """What an error that polling returned means: an exception that ends the process, or ``None`` to poll on.

    librdkafka reconnects and retries by itself, so whatever is not listed is only worth a line in the log.
    ``_FATAL`` must be recognised by its code: its ``fatal()`` is false.
    """
    code = error.code()
    if code in _NO_POSITION:
        return no_position(topic, partition, group)
    if code in _NO_TOPIC:
        return TopologyError(f"topic {topic} does not exist ({error.str()}): run `postcart topics create`")
    if code in _FORBIDDEN:
        return ConfigurationError(f"Kafka refuses {topic or group}: {error.str()}; check credentials and ACLs")
    if code == KafkaError._FATAL or error.fatal():  # noqa: SLF001
        return Fenced(f"the consumer can't go on: {error.str()}")
    return None


def fences(error: KafkaError) -> bool:
    """Whether an error of the producer says that another process took over, or that it can never go on."""
    return bool(error.fatal()) or error.code() in _FENCED or error.code() == KafkaError._FATAL  # noqa: SLF001


def unreachable(error: KafkaError) -> BrokerUnavailable | None:
    """The error as ``BrokerUnavailable`` if it only says that no broker answers."""
    return BrokerUnavailable(error.str()) if error.code() in _UNREACHABLE or error.retriable() else None
