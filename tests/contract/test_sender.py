"""The sender on every broker that the product runs on: Apache Kafka and librdkafka's mock cluster."""

import signal
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.mail_sink import SinkOptions, running_sink
from stream import sender_rig

pytestmark = pytest.mark.slow


def test_life_of_a_sender(each_broker: Any, tmp_path: Path) -> None:
    """Jobs become mails once, in order; it leaves politely, and its successor repeats nothing and goes on."""
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(each_broker, tmp_path) as rig:
        rig.smtp_port = sink.port
        people = [rig.person(f"p{n}") for n in range(10)]
        jobs = [rig.job(person, step) for step in (1, 2) for person in people]
        rig.emit(*jobs, *jobs[:5], rig.job(rig.person("refused", consent=False)))
        rig.start()
        rig.await_receipts(21)
        rig.processes["one"].send_signal(signal.SIGTERM)
        assert rig.processes["one"].wait(30) == 0, rig.log_of("one")
        rig.start()
        rig.emit(*jobs[5:10], rig.job(people[0], 3))
        rig.await_receipts(22)
        assert rig.outcomes() == {"accepted": 21, "suppressed:no_consent": 1}
        assert len(sink.received) == 21
        rig.processes["one"].send_signal(signal.SIGTERM)
        assert rig.processes["one"].wait(30) == 0, rig.log_of("one")
