"""Has a consumer know who leads its partitions before it is assigned any.

Owns: that one question. Must not: assign, or wait for leaders that are away.
"""

import contextlib

from confluent_kafka import Consumer, KafkaException

_METADATA_S = 5.0


def learn_leaders(consumer: Consumer, *topics: str) -> None:
    """Ask for them once; no answer changes nothing. Blocks.

    A consumer that does not know the leader of what it is assigned waits half a second, or twice that, before it asks.
    """
    for topic in topics:
        with contextlib.suppress(KafkaException):
            consumer.list_topics(topic, timeout=_METADATA_S)
