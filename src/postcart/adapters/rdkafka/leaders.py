"""Has a consumer know who leads its partitions although it is assigned none.

Owns: that question, and where a partition ends, which only its leader tells. Must not: assign.
"""

import contextlib
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

_METADATA_S = 5.0
_ANSWER_S = 3.0
_AGAIN_S = 0.1


def learn_leaders(consumer: Consumer, *topics: str) -> None:
    """Ask for them once; no answer changes nothing. Blocks.

    A consumer that does not know the leader of what it is assigned waits half a second, or twice that, before it asks.
    """
    for topic in topics:
        with contextlib.suppress(KafkaException):
            consumer.list_topics(topic, timeout=_METADATA_S)


def watermarks_of(consumer: Consumer, topic: str, partition: int, *, within_s: float) -> tuple[int, int]:
    """First and next offset of a partition. Blocks.

    A consumer that is assigned nothing goes on asking the leader that it once heard of, also when that is dead and
    another has taken over (librdkafka 2.16): so after each failure it learns the leaders anew.

    Raises:
        KafkaException: Nobody told within that time.
    """
    place, until = TopicPartition(topic, partition), time.monotonic() + within_s
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=min(_ANSWER_S, within_s))
        except KafkaException:
            learn_leaders(consumer, topic)  # first: whoever asks once more later asks the right one
            if time.monotonic() > until:
                raise
        time.sleep(_AGAIN_S)
