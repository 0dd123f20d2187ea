"""The table of topics agrees with itself."""

import pytest

from postcart.adapters.topics import all_topics, changelog, joined, stage_group, stage_inputs, stages, topic_counts
from postcart.adapters.topics.sampling import murmur2
from postcart.settings import load_settings

SETTINGS = load_settings({"POSTCART_TOPIC_PREFIX": "pc.", "POSTCART_SHOP_PREFIX": "s.", "POSTCART_PARTITIONS": "6"})


def test_whatever_a_stage_joins_is_in_the_table_with_one_count() -> None:
    """Records of one key must meet on one partition number."""
    counts = topic_counts(SETTINGS)
    for stage in stages(SETTINGS):
        assert {counts[name] for name in joined(SETTINGS, stage)} == {6}
        assert set(stage_inputs(SETTINGS, stage)) <= set(joined(SETTINGS, stage))
        assert changelog(SETTINGS, stage) in counts


def test_names_carry_the_prefixes() -> None:
    """Two installations may share a cluster."""
    assert {topic.name.partition(".")[0] for topic in all_topics(SETTINGS)} == {"pc", "s"}
    assert [stage_group(SETTINGS, stage) for stage in stages(SETTINGS)] == [
        "pc.detect",
        "pc.track",
        "pc.journey",
        "pc.email",
    ]


def test_state_is_compacted_and_records_are_not() -> None:
    """A changelog that is deleted by age forgets carts; a job topic that is compacted loses jobs."""
    cleanup = {topic.name: topic.cleanup for topic in all_topics(SETTINGS)}
    compacted = {name for name, policy in cleanup.items() if policy == "compact"}
    own = {"gate", "keys", "consents", "suppressions", "clock"} | {
        f"{stage}.changelog" for stage in ("detect", "track", "journey")
    }
    assert compacted == {f"pc.{name}" for name in own} | {"s.profiles", "s.catalog"}


def test_record_times_are_the_brokers() -> None:
    """The clocks of tasks rely on append times."""
    assert {topic.config["message.timestamp.type"] for topic in all_topics(SETTINGS)} == {"LogAppendTime"}
    assert topic_counts(SETTINGS)["pc.clock"] == 1


def test_three_copies_need_two_in_sync() -> None:
    """One broker may be lost without losing what was acknowledged; a trial's single broker can't promise that."""
    three = load_settings({"POSTCART_REPLICATION": "3"})
    assert {topic.config["min.insync.replicas"] for topic in all_topics(three)} == {"2"}
    assert {topic.config["min.insync.replicas"] for topic in all_topics(SETTINGS)} == {"1"}


@pytest.mark.parametrize(
    ("key", "java"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_javas(key: bytes, java: int) -> None:
    """Values from Apache Kafka's own test of it (UtilsTest.testMurmur2)."""
    assert murmur2(key) == java & 0x7FFFFFFF
