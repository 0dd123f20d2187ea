"""The gateway's in-app feed without Kafka: what it writes is projected at once, into SQLite.

Owns: that surrounding. Must not: stand in for anything but the broker and the worker that projects.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from postcart.adapters.read_model import Move, open_feed, open_read_model
from postcart.adapters.read_model.feed_pool import FeedPool
from postcart.adapters.record_log import LogRecord, Written
from postcart.adapters.vault import Vault
from postcart.adapters.web_server import WebServer
from postcart.codecs.feed_token import Holder, mint
from postcart.codecs.marks import ItemMark, KeyMark, Mark, StateMark
from postcart.events.feed import FeedContent, FeedItem, FeedMark, FeedRecord
from postcart.events.ids import POSTCART, uuid5
from postcart.events.jobs import DeliveryReport
from postcart.gateway.feed_access import FeedAccess
from postcart.gateway.feed_desk import FeedDesk
from postcart.gateway.feed_hub import FeedHub
from postcart.gateway.feed_page import page_routes
from postcart.gateway.feed_routes import FeedRoutes, not_found

SECRET = b"a secret of thirty-two bytes ----"
TOPIC = "p.feed"


def now_ms() -> int:
    """Real time."""
    return time.time_ns() // 1_000_000


class Figures:
    """Counts nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_named: None


class Projected:
    """Topic and projection in one: what is appended is stored; see ``RecordLog``."""

    failed = None

    def __init__(self, url: str) -> None:
        self._model = open_read_model(url, create=True)
        self._model.migrate()
        self._lock = threading.Lock()
        self._next = 0
        self.reports: list[DeliveryReport] = []

    def partition_of(self, _topic: str, _key: bytes) -> int:
        """There is one."""
        return 0

    def append(self, records: Sequence[LogRecord]) -> list[Written]:
        """Store them."""
        found = []
        for one in records:
            if one.topic != TOPIC:
                self.reports.append(msgspec.json.decode(one.value or b"", type=DeliveryReport))
                found.append(Written(0, 0))
                continue
            record = msgspec.json.decode(one.value or b"", type=FeedRecord)
            found.append(Written(0, self.apply(record)))
        return found

    def apply(self, record: FeedItem | FeedMark | KeyMark) -> int:
        """Store one; returns its position."""
        with self._lock:
            position = self._next
            mark: Mark
            if isinstance(record, FeedItem):
                mark = ItemMark(record, 0, position, now_ms())
            else:
                mark = StateMark(record, position) if isinstance(record, FeedMark) else record
            self._next += 1
            move = Move(position or None, self._next)
            assert not self._model.apply([], [mark], {(TOPIC, 0): move}, now_ms=now_ms())
            return position

    def close(self) -> None:
        """Let go of the database."""
        self._model.close()


class FeedGateway:
    """It runs, with whatever ``more`` says otherwise, and ``beside`` its own routes some of a test's."""

    def __init__(self, folder: Path, beside: "Beside" = lambda _: [], **more: Any) -> None:
        url = f"sqlite:///{folder}/feed.db"
        self.records = Projected(url)
        self.vault = Vault(bytes(32), os.urandom)
        self.pool = FeedPool(partial(open_feed, url), size=2)
        self.hub = FeedHub(self.pool, TOPIC, every_s=0.02)
        desk = FeedDesk(
            pool=self.pool, hub=self.hub, records=self.records, topic=TOPIC, receipts="p.receipts", vault=self.vault,
            now_ms=now_ms, metrics=Figures(),
        )  # fmt: skip
        access = FeedAccess(
            [SECRET], lambda one: f"person of {one}", rate_per_s=1_000, burst=1_000, now_ms=now_ms, now_s=time.monotonic
        )
        options = {"streams": 2, "streams_all": 100, "heartbeat_s": 0.2} | more
        self.routes = FeedRoutes(
            desk, self.hub, access, origins=(), metrics=Figures(), now_ms=now_ms, **options
        )  # fmt: skip
        app = Starlette(
            routes=[*self.routes.routes(), *page_routes(), *beside(self)], exception_handlers={HTTPException: not_found}
        )
        self.server = WebServer(self.routes.with_origins(app), drain_s=2)
        self._keys: dict[str, bytes] = {}

    def add(self, customer: str, name: str, **texts: Any) -> str:
        """An item of a customer; returns its id."""
        person = f"person of {customer}"
        if person not in self._keys:
            self._keys[person] = self.vault.new_key()
            self.records.apply(KeyMark(person, 0, self._keys[person]))
        content = FeedContent(**({"title": f"Title {name}", "body": f"Body {name}", "language": "en"} | texts))
        sealed = self.vault.seal(self._keys[person], person, msgspec.json.encode(content).decode())
        item_id = uuid5(POSTCART, f"{customer}/{name}")
        self.records.apply(
            FeedItem(
                item_id=item_id, person_id=person, at_ms=now_ms(), kind=name, purpose="transactional", sealed=sealed
            )
        )
        return item_id

    def token(self, customer: str, *, seconds: float = 600, locale: str | None = None) -> str:
        """As the shop mints it."""
        holder = Holder(customer, None, now_ms() + int(seconds * 1000))
        return mint(holder, SECRET, now_ms=now_ms(), locale=locale)


Beside = Callable[[FeedGateway], list[Route]]


@contextmanager
def feed_gateway(folder: Path, beside: Beside = lambda _: [], **more: Any) -> Iterator[FeedGateway]:
    """One, while the block lasts."""
    gateway = FeedGateway(folder, beside, **more)
    with gateway.server.running(beside=gateway.hub.watch, leave=gateway.hub.stop):
        yield gateway
    gateway.records.close()
