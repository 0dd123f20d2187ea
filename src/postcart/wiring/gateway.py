"""The composition root of the gateway: what answers over HTTP.

Owns: which routes there are, and what each is given. Must not: hold a rule.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.record_log import RecordLog
from postcart.adapters.topics import partition_count
from postcart.adapters.topics.table import FEED_CHANNEL
from postcart.adapters.web_server import WebServer
from postcart.content.languages import Languages
from postcart.content.sms_replies import SmsReplies
from postcart.content.templates import TemplateSet
from postcart.errors import BrokerUnavailable, ConfigurationError
from postcart.events.ids import contact_id
from postcart.gateway.feed_page import page_routes
from postcart.gateway.feed_routes import not_found
from postcart.gateway.phone_book import PhoneBook
from postcart.gateway.sms import Known
from postcart.gateway.sms_desk import SmsDesk
from postcart.gateway.sms_routes import SmsRoutes
from postcart.metrics.gateway import GatewayFigures
from postcart.metrics.server import Facts, MetricsServer
from postcart.senders.table_reader import TableReader
from postcart.senders.tables import Proof, Suppressions
from postcart.settings import Settings
from postcart.wiring.email import shop_identity
from postcart.wiring.feed import FeedParts
from postcart.wiring.instruments import process_instruments
from postcart.wiring.process import client_settings, require_own_keys, worker_clock
from postcart.wiring.worker_name import worker_name
from postcart.workers.gateway import GatewayConfig, run_server

_TABLES_EVERY_S = 2.0
_LOADING_EVERY_S = 0.1


def run_gateway(settings: Settings) -> int:
    """Answer over HTTP until told to stop; returns the exit code.

    Raises:
        TopologyError: A topic that it writes to is missing.
        BrokerUnavailable: Kafka can't be reached.
        ConfigurationError: Anything else that must be changed first.
    """
    wanted = {"sms", FEED_CHANNEL} & set(settings.channel_names)
    if not wanted:
        raise ConfigurationError("the gateway serves the channels sms and inapp: POSTCART_CHANNELS=email,sms,inapp")
    feed_keys = ("master_key", "feed.secret") if FEED_CHANNEL in wanted else ()
    require_own_keys(settings, "identity_key", *feed_keys)
    instruments = process_instruments()
    figures = GatewayFigures(instruments)
    with worker_clock(settings) as clock, ExitStack() as stack:
        texts = feed = None
        if "sms" in wanted:
            texts = _Texts(settings, now_ms=lambda: clock.now_ms() or clock.real_ms(), figures=figures)
        if FEED_CHANNEL in wanted:
            feed = FeedParts(settings, now_ms=clock.real_ms, figures=figures)
        server = WebServer(_app(settings, texts, feed), host=settings.gateway.host, port=settings.gateway.port)
        producers = [part.records for part in (texts, feed) if part is not None]
        if settings.metrics_port:
            live: Facts = {"producer": lambda: all(one.failed is None for one in producers)}
            ready: Facts = {"loaded": texts.is_loaded} if texts is not None else {}
            stack.enter_context(MetricsServer(instruments.registry, live=live, ready=ready, port=settings.metrics_port))
        if texts is not None:
            texts.reader.start()

        def failed() -> BaseException | None:
            gone = next((one.failed for one in producers if one.failed is not None), None)
            if gone is not None:
                return BrokerUnavailable(f"the producer can't go on: {gone.str()}")
            return texts.failure() if texts is not None else None

        config = GatewayConfig(
            server=server,
            watches=((texts.reader.watch, texts.load) if texts else ()) + ((feed.hub.watch,) if feed else ()),
            failed=failed,
            leave=(feed.hub.stop,) if feed else (),
            close=((texts.reader.stop,) if texts else ()) + ((feed.pool.close,) if feed else ()),
        )
        return run_server(config)


def _app(settings: Settings, texts: "_Texts | None", feed: FeedParts | None) -> ASGIApp:
    routes: list[BaseRoute] = [*texts.routes.routes()] if texts is not None else []
    if feed is None:
        return Starlette(routes=routes)
    routes += feed.routes.routes()
    if settings.feed.page:
        routes += page_routes()
    return feed.routes.with_origins(Starlette(routes=routes, exception_handlers={HTTPException: not_found}))


class _Texts:
    """The routes of text messages, and what they need.

    Raises:
        ConfigurationError: There is no public address, or no token.
    """

    def __init__(self, settings: Settings, *, now_ms: Callable[[], int], figures: GatewayFigures) -> None:
        sms, client = settings.sms, client_settings(settings)
        name = f"gateway.{worker_name(settings)}"
        tokens = [one.secret.get_secret_value() for one in sms.providers if one.secret is not None and one.key is None]
        tokens += [secret.get_secret_value() for secret in sms.webhook_secrets]
        if sms.callback_url is None or not tokens:
            raise ConfigurationError(
                "the gateway needs POSTCART_SMS__CALLBACK_URL, and POSTCART_SMS__SECRET or __WEBHOOK_SECRETS to verify"
            )
        topics = {name: settings.topic(name) for name in ("gate", "suppressions", "receipts", "consents")}
        counts = {topics[name]: partition_count(settings, topics[name]) for name in topics if name != "gate"}
        self.records = RecordLog(client, name, counts)
        self._book, self._suppressions, self._proof = PhoneBook(), Suppressions(), Proof()
        self._failure: BaseException | None = None
        self._loaded = threading.Event()
        self.reader = TableReader(
            client,
            client_id=f"{name}.tables",
            tables={topics["gate"]: self._book, topics["suppressions"]: self._suppressions},
            proof=self._proof,
            offsets=Offsets(client, client_id=f"{name}.offsets"),
            every_s=_TABLES_EVERY_S,
            failed=self._failed,
        )
        self._contact_id = partial(contact_id, settings.identity_key.get_secret_value().encode(), "sms")
        replies = SmsReplies(
            TemplateSet(settings.templates_dir),
            shop_identity(settings),
            languages=Languages(settings.locales_dir, settings.shop.locale),
        )
        desk = SmsDesk(
            records=self.records,
            receipts=topics["receipts"],
            consents=topics["consents"],
            suppressions=topics["suppressions"],
            known=self._known,
            replies=replies if sms.replies else None,
            now_ms=now_ms,
            metrics=figures,
        )
        self.routes = SmsRoutes(desk, public_url=sms.callback_url, tokens=tokens, metrics=figures)

    def is_loaded(self) -> bool:
        """Whether it knows whose numbers are; may be asked on any thread."""
        return self._loaded.is_set()

    async def load(self) -> None:
        """Wait until everything has been read once."""
        while self._proof.proven_s is None:  # noqa: ASYNC110 -- it is known by asking
            await asyncio.sleep(_LOADING_EVERY_S)
        self._loaded.set()

    def failure(self) -> BaseException | None:
        """What ends the process, besides the producer."""
        return self._failure

    def _failed(self, error: BaseException) -> None:
        self._failure = error

    def _known(self, number: str) -> Known:
        """Raises BrokerUnavailable: Not everything has been read yet."""
        if not self.is_loaded():
            raise BrokerUnavailable("whose numbers are has not been read yet")
        found = self._contact_id(number)
        return Known(found, self._suppressions.reason("sms", found), self._book.holders(found))
