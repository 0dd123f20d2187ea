"""The in-app feed's place in the gateway: settings become its routes and what they need.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from collections.abc import Callable
from functools import partial
from secrets import token_bytes
from time import monotonic

from postcart.adapters.read_model import SqlFeed, open_feed
from postcart.adapters.read_model.feed_pool import FeedPool
from postcart.adapters.record_log import RecordLog
from postcart.adapters.topics import partition_count
from postcart.adapters.vault import Vault
from postcart.codecs.feed_token import Holder, mint
from postcart.events.ids import person_id
from postcart.gateway.feed_access import FeedAccess
from postcart.gateway.feed_desk import FeedDesk
from postcart.gateway.feed_hub import FeedHub
from postcart.gateway.feed_routes import FeedRoutes
from postcart.metrics.gateway import GatewayFigures
from postcart.settings import Settings
from postcart.wiring.process import client_settings
from postcart.wiring.read_model import read_model, read_model_url
from postcart.wiring.worker_name import worker_name


class FeedParts:
    """The routes of the feed, and what they need.

    Raises:
        ConfigurationError: There is no read model, or no topic of the feed.
        BrokerUnavailable: Kafka can't be reached.
    """

    def __init__(self, settings: Settings, *, now_ms: Callable[[], int], figures: GatewayFigures) -> None:
        feed = settings.feed
        read_model_url(settings)
        topics = {name: settings.topic(name) for name in ("feed", "receipts")}
        counts = {topic: partition_count(settings, topic) for topic in topics.values()}
        self.records = RecordLog(client_settings(settings), f"gateway.feed.{worker_name(settings)}", counts)
        self.pool = FeedPool(partial(_opened, settings), size=feed.connections)
        self.hub = FeedHub(self.pool, topics["feed"])
        figures.streams(lambda: self.hub.open_streams)
        desk = FeedDesk(
            pool=self.pool,
            hub=self.hub,
            records=self.records,
            topic=topics["feed"],
            receipts=topics["receipts"],
            vault=Vault(settings.master_key_bytes, token_bytes),
            now_ms=now_ms,
            metrics=figures,
        )
        access = FeedAccess(
            _secrets(settings),
            partial(person_id, settings.tenant, settings.identity_key.get_secret_value().encode()),
            rate_per_s=feed.rate_per_s,
            burst=feed.burst,
            now_ms=now_ms,
            now_s=monotonic,
        )
        self.routes = FeedRoutes(
            desk,
            self.hub,
            access,
            origins=feed.origins,
            metrics=figures,
            now_ms=now_ms,
            streams=feed.streams,
            streams_all=feed.streams_all,
            heartbeat_s=feed.heartbeat_s,
        )


def feed_token(settings: Settings, holder: Holder, *, now_ms: int, locale: str | None = None) -> str:
    """A token as the shop's server mints them."""
    return mint(holder, _secrets(settings)[0], now_ms=now_ms, locale=locale)


def _secrets(settings: Settings) -> list[bytes]:
    feed = settings.feed
    return [one.get_secret_value().encode() for one in (feed.secret, feed.former_secret) if one is not None]


def _opened(settings: Settings) -> SqlFeed:
    """Raises ReadModelUnavailable: It can't be reached, or has no feeds yet."""
    read_model(settings).close()
    return open_feed(read_model_url(settings))
