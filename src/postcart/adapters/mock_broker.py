"""librdkafka's own mock cluster: a broker without Java, for the demo and for quick tests.

Owns: its life, its topics, and the few C calls these take (Python's binding offers the cluster only as a setting of a
client, which can't say how many partitions a topic has). Must not: be used to show durability (it forgets all at its
end, and keeps at most 100,000 records or 5 MB per partition).
"""

import ctypes
from collections.abc import Mapping
from typing import Self

from confluent_kafka import cimpl

from postcart.errors import BrokerUnavailable

_PRODUCER = 0
"""``rd_kafka_type_t``: the cluster needs some client to live in."""

_PRODUCE, _UNKNOWN = 0, -1
_ALREADY_EXISTS = 36
"""Kafka's error code TOPIC_ALREADY_EXISTS."""

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    # rdkafka.h and rdkafka_mock.h of librdkafka 2.x
    "rd_kafka_conf_new": (_POINTER, ()),
    "rd_kafka_conf_set": (_INT, (_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t)),
    "rd_kafka_new": (_POINTER, (_INT, _POINTER, _TEXT, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_new": (_POINTER, (_POINTER, _INT)),
    "rd_kafka_mock_cluster_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, (_POINTER,)),
    "rd_kafka_mock_topic_create": (_INT, (_POINTER, _TEXT, _INT, _INT)),
    "rd_kafka_mock_broker_set_down": (_INT, (_POINTER, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": (_INT, (_POINTER, ctypes.c_int32)),
    "rd_kafka_mock_push_request_errors_array": (None, (_POINTER, ctypes.c_int16, ctypes.c_size_t, _POINTER)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (_POINTER, ctypes.c_int32)),
    "rd_kafka_mock_set_group_consumer_session_timeout_ms": (None, (_POINTER, _INT)),
    "rd_kafka_mock_set_group_consumer_heartbeat_interval_ms": (None, (_POINTER, _INT)),
}


class MockBroker:
    """A mock cluster for the time of a ``with`` block, reachable by other processes while this one lives.

    Args:
        topics: Topics to create, with their partition counts. Others appear at their first use, with 4 partitions.
        brokers: How many brokers the cluster pretends to have.
        session_timeout_ms: After how long without a heartbeat a group's member is gone.
    """

    def __init__(
        self, topics: Mapping[str, int] | None = None, *, brokers: int = 1, session_timeout_ms: int = 10_000
    ) -> None:
        self._topics = dict(topics or {})
        self._brokers = brokers
        self._session_timeout_ms = session_timeout_ms
        self._library = _library()
        self._client: int | None = None
        self._cluster: int | None = None
        self.bootstrap = ""

    def __enter__(self) -> Self:
        """Start the cluster.

        Raises:
            BrokerUnavailable: librdkafka refused.
        """
        library = self._library
        reason = ctypes.create_string_buffer(512)
        settings = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(settings, b"log_level", b"0", reason, len(reason))
        self._client = library.rd_kafka_new(_PRODUCER, settings, reason, len(reason))
        if not self._client:
            raise BrokerUnavailable(f"librdkafka's mock cluster did not start: {reason.value.decode()}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, self._brokers)
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        library.rd_kafka_mock_set_group_consumer_session_timeout_ms(self._cluster, self._session_timeout_ms)
        library.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self._cluster, self._session_timeout_ms // 5)
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.create(self._topics)
        return self

    def __exit__(self, *_: object) -> None:
        """End the cluster; everything in it is gone."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        self.bootstrap = ""
        if cluster:
            self._library.rd_kafka_mock_cluster_destroy(cluster)
        if client:
            self._library.rd_kafka_destroy(client)

    def down(self, number: int) -> None:
        """Broker ``number``, from 1, refuses connections; it stays the leader of its partitions."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, number)

    def up(self, number: int) -> None:
        """It is back."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, number)

    def refuse(self, count: int) -> None:
        """The next ``count`` requests to produce are answered by "unknown error"."""
        errors = (_INT * count)(*[_UNKNOWN] * count)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, _PRODUCE, count, errors)

    def create(self, topics: Mapping[str, int]) -> None:
        """Create ``topics`` with the partition counts given; leaves alone what exists.

        Raises:
            BrokerUnavailable: The cluster is not running, or refused.
        """
        if not self._cluster:
            raise BrokerUnavailable("the mock cluster is not running")
        for name, count in topics.items():
            code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), count, 1)
            if code not in {0, _ALREADY_EXISTS}:
                raise BrokerUnavailable(f"the mock cluster did not create {name}: error {code}")


def _library() -> ctypes.CDLL:
    """Return the very librdkafka that ``confluent_kafka`` runs on: looked up through the module that links it."""
    library = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
