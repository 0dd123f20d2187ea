"""The lag exporter shows what is known, and nothing else."""

import pytest
from prometheus_client import CollectorRegistry

from postcart.adapters.lag import GroupLag, Measured, PartitionLag
from postcart.errors import ConfigurationError
from postcart.metrics.instruments import Instruments
from postcart.metrics.server import MetricsServer
from postcart.metrics.stage import StageFigures
from postcart.settings import load_settings
from postcart.wiring.lag_exporter import LagCollector, Pulse, group_topics, serve_lag
from postcart.wiring.restore_progress import Restoring, restoring


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def collector(registry: CollectorRegistry) -> LagCollector:
    made = LagCollector()
    registry.register(made)
    return made


def measured(members: int | None, *partitions: PartitionLag) -> Measured:
    group = GroupLag(group="g", state="stable", members=members, partitions=partitions)
    return Measured(at_ms=0, groups=(group,))


def value(registry: CollectorRegistry, name: str, partition: int | None = None) -> float | None:
    labels = {"group": "g"} | ({} if partition is None else {"topic": "t", "partition": str(partition)})
    return registry.get_sample_value(f"postcart_consumer_group_{name}", labels)


def test_known_unknown_and_no_commit(registry: CollectorRegistry, collector: LagCollector) -> None:
    """Only what is known has a series: 0 is a fact, not a default."""
    collector.measured = measured(
        2,
        PartitionLag(topic="t", partition=0, state="known", records=0, seconds=0.0),
        PartitionLag(topic="t", partition=1, state="known", records=7, seconds=None),
        PartitionLag(topic="t", partition=2, state="unknown"),
        PartitionLag(topic="t", partition=3, state="no_commit"),
    )
    assert [value(registry, "lag", number) for number in range(4)] == [0, 7, None, None]
    assert [value(registry, "lag_seconds", number) for number in range(4)] == [0, None, None, None]
    assert value(registry, "members") == 2


def test_a_measurement_replaces_the_former_as_a_whole(registry: CollectorRegistry, collector: LagCollector) -> None:
    """Partitions that are gone have no series, and without a broker there are none at all."""
    one = PartitionLag(topic="t", partition=1, state="known", records=1, seconds=1.0)
    collector.measured = measured(1, one)
    collector.measured = measured(None)
    assert value(registry, "lag", 1) is None
    assert value(registry, "members") is None
    assert registry.get_sample_value("postcart_lag_measured_timestamp_seconds") == 0
    collector.measured = None
    assert not [sample for family in registry.collect() for sample in family.samples]


def test_dead_letters_are_shown_once_they_are_counted(registry: CollectorRegistry, collector: LagCollector) -> None:
    """0 is a fact here too, and other than unknown."""
    labels = {"topic": "shop.carts", "reason": "decode"}
    assert registry.get_sample_value("postcart_dead_letters_pending", labels) is None
    collector.dead = {("shop.carts", "decode"): 0}
    assert registry.get_sample_value("postcart_dead_letters_pending", labels) == 0


def test_a_loop_that_hangs_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow broker is no reason."""
    pulse = Pulse()
    assert pulse.lives()
    monkeypatch.setattr("postcart.wiring.lag_exporter.LATE_S", -1.0)
    assert not pulse.lives()


@pytest.mark.parametrize("address", ["worker", ":9100", "worker:http", ""])
def test_a_worker_is_named_by_host_and_port(address: str) -> None:
    """Anything else is a typing error."""
    with pytest.raises(ConfigurationError, match="host:port"):
        restoring(address)


def test_how_far_a_worker_has_restored_is_what_it_says() -> None:
    """By stage and partition; a worker that does not answer is unknown, not done."""
    instruments = Instruments()
    with MetricsServer(instruments.registry, live={}, ready={}, port=0, host="127.0.0.1") as server:
        address = f"127.0.0.1:{server.port}"
        assert restoring(address) == []
        figures = StageFigures(instruments, "detect")
        figures.restoring(3, 10, 30)
        figures.restored(4, 5, 0.1)
        said = {(one.stage, one.partition): one.remaining for one in restoring(address)}
        assert said == {("detect", 3): 20, ("detect", 4): 0}
    assert restoring(address) == [Restoring(worker=address)]


def test_groups_and_topics_are_our_own_by_the_settings() -> None:
    """Prefixes count; gate, which is read whole and never committed, is left out."""
    groups = group_topics(load_settings({"POSTCART_TOPIC_PREFIX": "x.", "POSTCART_SHOP_PREFIX": "s."}))
    assert groups["x.detect"] == ("s.sessions", "s.carts")
    assert groups["x.email"] == ("x.jobs.email.transactional", "x.jobs.email.marketing")


def test_without_a_port_it_does_not_start() -> None:
    """The message names the setting."""
    with pytest.raises(ConfigurationError, match="POSTCART_METRICS_PORT"):
        serve_lag(load_settings({}), now_ms=lambda: 0)
