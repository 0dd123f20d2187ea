"""What is asked about partitions while a leader is away: nothing may be taken for an answer that is none."""

import asyncio
import resource

import pytest
from confluent_kafka import Producer

from contract.rig import asking
from postcart.adapters.mock_broker import MockBroker
from postcart.adapters.rdkafka import offsets as module
from postcart.adapters.topics import client
from postcart.errors import BrokerUnavailable
from postcart.settings import load_settings

PARTITIONS, EACH, AWAY = 6, 10, 2


def filled(bootstrap: str) -> None:
    """So many records in each partition."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for number in range(PARTITIONS * EACH):
        producer.produce("events", b"x", partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def test_partitions_of_a_leader_that_is_away_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Librdkafka answers for them without an error; as a watermark it would say that all has been read."""
    names = [("events", number) for number in range(PARTITIONS)]

    async def ask(broker: MockBroker) -> None:
        with asking(broker.bootstrap) as offsets:
            assert await offsets.ends(names) == dict.fromkeys(names, EACH)
            broker.down(AWAY)
            monkeypatch.setattr(module, "_REQUEST_S", 1.0)  # only now: an answer may take longer on a busy machine
            told = await offsets.ends(names)
            assert 0 < len(told) < PARTITIONS
            assert set(told.values()) == {EACH}
            broker.up(AWAY)
            (lacking, *_) = set(names) - told.keys()
            assert await offsets.end(*lacking) == EACH

    with MockBroker({"events": PARTITIONS}, brokers=3) as broker:
        filled(broker.bootstrap)
        asyncio.run(ask(broker))


def test_waiting_for_a_leader_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two threads of the client wake each other as fast as they can: a slow machine may miss that, none errs."""
    names = [("events", number) for number in range(PARTITIONS)]

    async def woken(broker: MockBroker) -> int:
        with asking(broker.bootstrap) as offsets:
            await offsets.ends(names)
            broker.down(AWAY)
            monkeypatch.setattr(module, "_REQUEST_S", 2.0)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
            assert len(await offsets.ends(names)) < PARTITIONS
            return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before

    with MockBroker({"events": PARTITIONS}, brokers=3) as broker:
        filled(broker.bootstrap)
        assert asyncio.run(woken(broker)) < 5_000


def test_topic_commands_wait_for_a_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """And say so in the end."""
    with MockBroker({"events": PARTITIONS}, brokers=3) as broker:
        filled(broker.bootstrap)
        admin = client.Admin(load_settings({"POSTCART_BOOTSTRAP": broker.bootstrap}, None))
        names = [("events", number) for number in range(PARTITIONS)]
        assert admin.ends(names) == dict.fromkeys(names, EACH)
        broker.down(AWAY)
        for name in ("_REQUEST_S", "_SETTLING_S", "_TRY_S"):  # only now: an answer may take longer on a busy machine
            monkeypatch.setattr(client, name, 1.0)
        with pytest.raises(BrokerUnavailable):
            admin.ends(names)
