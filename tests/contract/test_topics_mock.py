"""The demo's mock cluster passes the same check before a worker starts as a real one."""

import pytest

from postcart.adapters.mock_broker import MockBroker
from postcart.adapters.topics import check, commit_beginnings, require_topics, topic_counts
from postcart.errors import TopologyError
from postcart.settings import load_settings


@pytest.mark.slow
def test_a_mock_cluster_made_from_the_table_is_ready_for_workers() -> None:
    """Topics from the table, first offsets by the command's own code."""
    plain = load_settings({"POSTCART_PARTITIONS": "3"})
    with MockBroker(topic_counts(plain)) as broker:
        settings = plain.with_values({"bootstrap": broker.bootstrap})
        with pytest.raises(TopologyError, match="has no place to begin"):
            require_topics(settings, "detect")
        assert commit_beginnings(settings) == [
            "postcart.detect",
            "postcart.track",
            "postcart.journey",
            "postcart.email",
        ]
        assert commit_beginnings(settings) == []
        assert check(settings) == []
