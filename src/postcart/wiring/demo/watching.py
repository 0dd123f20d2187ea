"""Reads the pipeline's own topics while it runs.

Owns: the consumer and its thread. Must not: join a group, commit, or count (tally).
"""

import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from postcart.errors import BrokerUnavailable

_POLL_S: Final = 0.1
_BATCH: Final = 2_000
_REQUEST_S: Final = 15.0


class Watcher:
    """Hands every committed record of some topics, from their beginnings, to functions, on a thread of its own.

    Args:
        client: librdkafka's properties of a client, ``bootstrap.servers`` among them.
        sinks: Topic → what is called with each value.
    """

    def __init__(self, client: Mapping[str, Any], sinks: Mapping[str, Callable[[bytes], None]]) -> None:
        self._client = dict(client)
        self._sinks = dict(sinks)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="demo-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """See that it still reads.

        Raises:
            BrokerUnavailable: Kafka can't be reached.
        """
        if self._failure is not None:
            raise BrokerUnavailable(f"the demo can't read what was decided: {self._failure}") from self._failure

    def _run(self) -> None:
        consumer = Consumer(
            {
                "log_level": 0,
                **self._client,
                "group.id": "postcart-demo-watcher",  # required by the library; never joined
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        try:
            known = consumer.list_topics(timeout=_REQUEST_S).topics
            consumer.assign(
                [TopicPartition(topic, number, 0) for topic in self._sinks for number in known[topic].partitions]
            )
            while not self._stop.is_set():
                for message in consumer.consume(_BATCH, _POLL_S):
                    self._take(message)
        except Exception as error:  # noqa: BLE001 -- told by ``check``, on the main thread
            self._failure = error
        finally:
            consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._sinks[message.topic() or ""](message.value() or b"")
        elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(error)
