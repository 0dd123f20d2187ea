"""A whole Postcart on a broker: topics, workers as real processes, a mail sink, a replay.

Owns: starting and ending them, and reading back what was decided. Must not: import anything that decides.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from confluent_kafka import Consumer, TopicPartition

from postcart.adapters.clock import ClockWriter
from postcart.adapters.mail_sink import Received, SinkOptions, running_sink
from postcart.adapters.replay import ReplayOptions, replay
from postcart.adapters.topics import create
from postcart.events.decisions import Decision, DecisionRecord
from postcart.events.jobs import Receipt
from postcart.events.shop import ShopEvent
from postcart.settings import Settings, load_settings
from waiting import wait_for

ROOT = Path(__file__).parents[2]
WORKERS = {"detect": ["detect"], "journey": ["journey"], "email": ["send", "email"]}
BESIDE = {"feedback": ["feedback"], "track": ["track"]}
"""Workers that the way of a cart does not need."""


class Shop:
    """One installation under a prefix of its own."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = {
            "POSTCART_BOOTSTRAP": bootstrap,
            "POSTCART_TOPIC_PREFIX": f"{prefix}postcart.",
            "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
            "POSTCART_CLOCK": "replay",
            "POSTCART_WATERMARK_INTERVAL_MS": "100",
            "POSTCART_CAMPAIGNS_DIR": str(ROOT / "campaigns"),
            "POSTCART_TEMPLATES_DIR": str(ROOT / "templates"),
            "POSTCART_LOCALES_DIR": str(ROOT / "locales"),
            "POSTCART_SMTP__HOST": "127.0.0.1",
            "POSTCART_SMTP__TLS": "none",
            "POSTCART_SMTP__PROBE_S": "1",
            **variables,
        }
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        """The settings that the workers have too."""
        return load_settings(self.variables, None)

    def __enter__(self) -> Self:
        create(self.settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()

    def start(self, kind: str, name: str | None = None) -> None:
        """Start a worker process; its output goes to a file of its name."""
        name = name or kind
        environment = {**os.environ, **self.variables, "POSTCART_WORKER_NAME": name}  # noqa: TID251
        with (self.folder / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(  # noqa: S603 -- our own command
                [sys.executable, "-m", "postcart", "worker", *(WORKERS | BESIDE)[kind]],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )

    def kill_and_restart(self, kind: str) -> None:
        """End a worker as a power failure would, and start it again at once under its name."""
        worker = self.workers.pop(kind)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.start(kind)

    def assert_alive(self) -> None:
        """Fail with its log if a worker has ended by itself."""
        for name, worker in self.workers.items():
            if worker.poll() is not None:
                log = (self.folder / f"{name}.log").read_text()[-4000:]
                raise AssertionError(f"worker {name} ended with {worker.returncode}:\n{log}")

    def replay(
        self,
        events: Iterable[ShopEvent],
        *,
        run_on_ms: int,
        speed: float | None = None,
        on_clock: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Replay a history and its clock, to the end; ``on_clock`` is called with each value that was told."""
        settings = self.settings
        client = {"bootstrap.servers": settings.bootstrap}
        options = ReplayOptions(
            client=client,
            topics={
                f"shop.{name}": settings.shop_topic(name)  # type: ignore[misc]  # these subjects
                for name in ("sessions", "carts", "orders", "profiles", "shipments")
            },
            speed=speed,
            run_on_ms=run_on_ms,
        )
        replay(
            events,
            options=options,
            clock=ClockWriter(client, settings.topic("clock")),
            on_progress=lambda progress: on_clock(progress.clock_ms or 0),
            stopped=lambda: any(worker.poll() is not None for worker in self.workers.values()),
        )
        self.assert_alive()

    def read(self, topic: str) -> list[bytes]:
        """Every committed value of a topic, up to now."""
        return list(read_all(self.settings.bootstrap, self.settings.topic(topic)))

    def decisions(self) -> Counter[bytes]:
        """Every decision so far; what only says why is left out."""
        decode = msgspec.json.Decoder(DecisionRecord).decode
        return Counter(value for value in self.read("decisions") if isinstance(decode(value), Decision))

    def receipts(self) -> list[Receipt]:
        """Every receipt so far."""
        return [msgspec.json.decode(value, type=Receipt) for value in self.read("receipts")]

    def decided(self, wanted: Counter[bytes], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until exactly these decisions were made."""
        found: Counter[bytes] = Counter()

        def reached() -> bool:
            nonlocal found
            self.assert_alive()
            meanwhile()
            found = self.decisions()
            return not wanted - found

        wait_for(reached, lambda: f"missing {list((wanted - found).elements())[:5]}")
        assert not list((found - wanted).elements())[:5]


def read_all(bootstrap: str, topic: str) -> Iterator[bytes]:
    """Every committed value of a topic from its beginning to its end now."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        open_partitions = set(partitions)
        while open_partitions:
            for message in consumer.consume(10_000, 1.0):
                if message.error() is not None:
                    open_partitions.discard(message.partition())
                elif message.value() is not None:
                    yield message.value()
    finally:
        consumer.close()


@contextmanager
def sink(folder: Path) -> Iterator[tuple[int, Callable[[], Sequence[Received]]]]:
    """A mail server; its port, and what it has accepted so far."""
    with running_sink(SinkOptions(folder=folder), lambda: int(time.time() * 1000)) as server:  # noqa: TID251
        yield server.port, lambda: tuple(server.received)
