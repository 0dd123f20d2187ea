"""Writes records together with the markers that say so, in one transaction.

Owns: that producer. Must not: decide what is written.

The transactional id is one per topic of dead letters: whoever opens it ends what another one has begun, and from then
on sees every marker that the other one wrote. So nothing is written twice, however many try at the same time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from postcart.adapters.dead_letters.scanning import mapped
from postcart.errors import BrokerUnavailable, ConfigurationError, Fenced, PostcartError

_CALL_S: Final = 30.0
_BY_KEY: Final = -1
Headers = list[tuple[str, str | bytes | None]]


class Output(NamedTuple):
    """A record to be written; partition -1: by murmur2 of the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = _BY_KEY
    headers: Headers | None = None


class Writer:
    """Writes transactions. Whatever an interrupted predecessor left open is aborted when this is made.

    Raises:
        BrokerUnavailable: Kafka does not answer.
    """

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._fenced: Fenced | None = None
        self._producer = Producer({**_properties(client), "transactional.id": f"{topic}.redrive"})
        try:
            self._producer.init_transactions(_CALL_S)
        except KafkaException as error:
            raise _judged(error.args[0], topic) from error

    def write(self, outputs: Sequence[Output]) -> None:
        """One transaction. After an error it is not known whether it was committed; its markers will tell.

        Raises:
            Fenced: Another redrive or edit of this topic began.
            BrokerUnavailable: Kafka did not take it.
            ConfigurationError: A topic refuses a record, because of its size or because it does not exist.
        """
        if self._fenced is not None:
            raise self._fenced
        if not outputs:
            return
        trouble: list[PostcartError] = []
        try:
            self._producer.begin_transaction()
            _produce(self._producer, outputs, trouble)
            self._producer.commit_transaction(_CALL_S)
        except KafkaException as error:
            judged = trouble[0] if trouble else _judged(error.args[0], self._topic)
            behind = None if isinstance(judged, Fenced) else self._abort()
            self._fenced = next((one for one in (judged, behind) if isinstance(one, Fenced)), None)
            raise self._fenced or judged from error

    def _abort(self) -> PostcartError | None:
        """None, or why not: of an error that is only called fatal elsewhere this tells the true one."""
        try:
            self._producer.abort_transaction(_CALL_S)
        except KafkaException as error:  # the next one's init_transactions, or the time-out, aborts it
            return _judged(error.args[0], self._topic)
        return None


def write_plainly(client: Mapping[str, Any], output: Output) -> None:
    """One record without a transaction, which would end a redrive that is running.

    Raises:
        BrokerUnavailable: Kafka did not take it.
        ConfigurationError: The topic refuses it.
    """
    trouble: list[PostcartError] = []
    producer = Producer({**_properties(client), "delivery.timeout.ms": round(_CALL_S * 1_000)})
    try:
        _produce(producer, [output], trouble)
        left = producer.flush(_CALL_S)
    except KafkaException as error:
        raise _judged(error.args[0], output.topic) from error
    if trouble:
        raise trouble[0]
    if left:
        raise BrokerUnavailable(f"{output.topic}: not acknowledged within {_CALL_S:.0f} s")


def _produce(producer: Producer, outputs: Sequence[Output], trouble: list[PostcartError]) -> None:
    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            trouble.append(_judged(error, message.topic()))

    for one in outputs:
        producer.produce(
            one.topic, one.value, one.key, partition=one.partition, headers=one.headers or [], on_delivery=delivered
        )
        producer.poll(0)


def _properties(client: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **client,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # Java's default; librdkafka's own is CRC32
        "message.max.bytes": 64_000_000,  # what the topic allows is for the broker to say
        "transaction.timeout.ms": 60_000,
    }


def _judged(error: KafkaError, topic: str) -> PostcartError:
    if error.code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}:  # noqa: SLF001 -- librdkafka's name for it
        return Fenced(f"{topic}: another redrive or edit has begun; run it again: nothing is redriven twice")
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return ConfigurationError(
            f"{topic}: a record is larger than the topic's max.message.bytes; raise that, or leave its letter out"
        )
    judged = mapped(error, topic)
    if isinstance(judged, BrokerUnavailable):
        return BrokerUnavailable(f"{judged}; run it again: nothing is redriven twice")
    return judged
