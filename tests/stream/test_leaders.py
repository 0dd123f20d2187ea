"""Partitions whose leader has died: another tells where they end, also to a consumer that is assigned nothing."""

from typing import Any

import pytest
from confluent_kafka import Consumer

from postcart.adapters.rdkafka.leaders import watermarks_of

PARTITIONS = 6


@pytest.mark.slow
@pytest.mark.outage
def test_ends_are_told_by_whoever_leads_now(own_kafka: Any) -> None:
    """The consumer has heard of the dead leaders before the others took over."""
    with own_kafka(3) as (brokers, cluster):
        topic = cluster.prefix("ends")
        cluster.create({topic: PARTITIONS})
        consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": topic})
        try:
            for killed in (False, True):
                if killed:
                    brokers.kill(0)
                ends = [watermarks_of(consumer, topic, number, within_s=60) for number in range(PARTITIONS)]
                assert ends == [(0, 0)] * PARTITIONS
        finally:
            consumer.close()
