"""What errors of the client mean."""

import pytest
from confluent_kafka import KafkaError

from postcart.adapters.rdkafka.trouble import fences, verdict
from postcart.errors import ConfigurationError, Fenced, TopologyError


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (KafkaError._FATAL, Fenced),
        (KafkaError._AUTO_OFFSET_RESET, TopologyError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopologyError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, ConfigurationError),
        (KafkaError._TRANSPORT, None),
        (KafkaError._ALL_BROKERS_DOWN, None),
        (KafkaError._MAX_POLL_EXCEEDED, None),
    ],
)
def test_what_errors_mean(code: int, meaning: type[Exception] | None) -> None:
    """``_FATAL`` ends the process although its ``fatal()`` is false; what librdkafka mends by itself does not."""
    error = KafkaError(code)
    assert not error.fatal()
    found = verdict(error, topic="t", partition=0, group="g")
    assert type(found) is (meaning or type(None))


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.UNKNOWN_MEMBER_ID])
def test_what_fences(code: int) -> None:
    """A producer that hears one of these can never write again."""
    assert fences(KafkaError(code))
    assert not fences(KafkaError(KafkaError.ILLEGAL_GENERATION))
