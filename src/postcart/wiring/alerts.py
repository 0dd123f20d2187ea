"""The composition root of alerts to employees: settings become destinations, topics become alerts.

Owns: which collaborator goes where. Must not: hold a rule.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

import structlog

from postcart.adapters.clock import WallClock
from postcart.adapters.http import HttpClient
from postcart.adapters.providers.slack import SlackWebhook
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.smtp import SmtpSender
from postcart.adapters.topics import Admin, alert_group, alert_inputs
from postcart.codecs.records import RecordDecoder
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.domain.troubles import stock_alert
from postcart.errors import ConfigurationError
from postcart.events.alerts import Alert, AlertKind
from postcart.events.shop import VariantUpdated
from postcart.metrics.instruments import Instruments
from postcart.senders.alert_destinations import Chat, Mailboxes
from postcart.senders.alerts import AlertDesk, Told
from postcart.settings import Settings
from postcart.wiring.email import shop_identity, smtp_config
from postcart.wiring.instruments import process_instruments
from postcart.wiring.looping import committed, member, probed, require_topics
from postcart.wiring.registry import registry_of
from postcart.workers.alerts import AlertsConfig, run_alerts

log = structlog.get_logger(__name__)


def run_alert_worker(settings: Settings) -> int:
    """Run a worker that tells employees of trouble until it is told to stop; returns the exit code.

    Raises:
        ConfigurationError: There is no destination.
        TopologyError: Topics are missing.
        BrokerUnavailable: Kafka can't be reached.
    """
    destinations = alert_destinations(settings)
    topics, group, admin = alert_inputs(settings), alert_group(settings), Admin(settings)
    require_topics(admin.partition_counts(), topics)
    instruments = process_instruments()
    config = AlertsConfig(
        desk=AlertDesk(destinations, wait_s=settings.alerts.group_s, metrics=_Figures(instruments)),
        open_consumer=member(settings, "alerts", group, topics),
        committed=committed(admin, group),
        read=alert_reader(settings, instruments),
        close=partial(_close, destinations),
    )
    with probed(settings, instruments, config.health):
        return run_alerts(config)


def alert_destinations(settings: Settings) -> list[Chat | Mailboxes]:
    """Where employees read.

    Raises:
        ConfigurationError: There is nowhere.
    """
    alerts, found = settings.alerts, list[Chat | Mailboxes]()
    now_ms = WallClock().real_ms
    if alerts.slack_url is not None:
        webhook = SlackWebhook(alerts.slack_url.get_secret_value(), HttpClient(), now_ms=now_ms)
        found.append(Chat(webhook, alerts.slack_kinds))
    if alerts.email:
        servers = [SmtpSender(smtp_config(server)) for server in settings.smtp.servers]
        found.append(Mailboxes(servers, alerts.email, shop_identity(settings), kinds=alerts.email_kinds, now_ms=now_ms))
    if not found:
        raise ConfigurationError("alerts need POSTCART_ALERTS__SLACK_URL or POSTCART_ALERTS__EMAIL (docs/alerts.md)")
    return found


def alert_reader(settings: Settings, instruments: Instruments) -> Callable[[RecordBatch], Sequence[tuple[int, Alert]]]:
    """From a batch of any of the topics to alerts with their positions."""
    decode_alerts = RecordDecoder(Alert, stage="alerts").decode_batch
    decode_catalog = ShopEventDecoder("shop.catalog", stage="alerts", registry=registry_of(settings)).decode_batch
    below, catalog = settings.alerts.stock_below, settings.shop_topic("catalog")

    def read(batch: RecordBatch) -> Sequence[tuple[int, Alert]]:
        found: list[tuple[int, Alert]] = []
        for message in batch.records:
            events, letters = (decode_catalog if batch.topic == catalog else decode_alerts)([message])
            for letter in letters:
                instruments.counter("dead_letters_total", topic=batch.topic, reason=letter.reason).inc()
                log.error("alert_unreadable", topic=batch.topic, partition=batch.partition, reason=letter.reason)
            offset = message.offset() or 0
            for event in events:
                if isinstance(event, VariantUpdated) and below is not None:
                    found.append((offset, stock_alert(event, below)))
                elif isinstance(event, Alert):
                    found.append((offset, event))
        return found

    return read


async def _close(destinations: Collection[Chat | Mailboxes]) -> None:
    for one in destinations:
        await one.close()


class _Figures:
    """What the worker tells of itself."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def told(self, destination: str, kind: AlertKind, outcome: Told) -> None:
        """An attempt at one message ended."""
        self._instruments.counter("alert_messages_total", destination=destination, kind=kind, outcome=outcome).inc()
