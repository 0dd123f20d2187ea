"""The composition root of senders: what a channel brings becomes a sender's configuration, and runs.

Owns: what is the same for all channels. Must not: know any channel.
"""

from contextlib import ExitStack

from postcart.adapters.topics import changelog, job_topics, require_topics, stage_group
from postcart.domain import zones
from postcart.metrics.sending import ChannelFigures
from postcart.metrics.server import Facts, MetricsServer
from postcart.senders.config import SenderConfig, SenderTopics
from postcart.senders.gate import GateRules
from postcart.senders.metrics import SenderMetrics
from postcart.settings import Settings
from postcart.wiring.channels import channel
from postcart.wiring.instruments import process_instruments
from postcart.wiring.process import Clock, client_settings, require_own_keys, worker_clock
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import active_campaign
from postcart.wiring.worker_name import worker_name
from postcart.workers.send import run_sender


def sender_topics(settings: Settings, name: str) -> SenderTopics:
    """Names of the topics of a channel's sender."""
    transactional, marketing = job_topics(settings, name)
    return SenderTopics(
        transactional=transactional,
        marketing=marketing,
        gate=settings.topic("gate"),
        keys=settings.topic("keys"),
        claims=changelog(settings, name),
        receipts=settings.topic("receipts"),
        dead=settings.topic("dead"),
        decisions=settings.topic("decisions"),
        catalog=settings.shop_topic("catalog"),
        suppressions=settings.topic("suppressions"),
    )


def sender_config(settings: Settings, name: str, *, clock: Clock, metrics: SenderMetrics) -> SenderConfig:
    """Everything that a channel's sender is given.

    Raises:
        ConfigurationError: There is no such channel, or its templates, catalogues, keys or the campaign are wrong.
    """
    entry, campaign = channel(settings, name), active_campaign(settings)
    parts = entry.build(settings)
    rules = GateRules(
        quiet_hours={campaign.name: campaign.quiet_hours},
        shop_country=settings.shop.country,
        currency=settings.currency,
        personal=entry.personal,
        keyed=entry.keyed,
        endpoint=parts.endpoint,
    )
    return SenderConfig(
        client=client_settings(settings),
        group=stage_group(settings, name),
        worker_name=worker_name(settings),
        topics=sender_topics(settings, name),
        adapter=parts.adapter,
        clock=clock,
        providers=parts.providers,
        retries=parts.retries,
        rules=rules,
        limits=parts.limits,
        zones=parts.zones,
        able=parts.able,
        metrics=metrics,
        registry=registry_of(settings),
    )


def run_send(settings: Settings, name: str) -> int:
    """Run a sender of a channel until it is told to stop; returns the exit code.

    Raises:
        TopologyError: Topics are missing or don't fit together.
        BrokerUnavailable: Kafka can't be reached.
        ConfigurationError: Anything else that must be changed first.
    """
    entry = channel(settings, name)
    require_own_keys(settings, *entry.needs)
    require_topics(settings, name)
    instruments = process_instruments()
    zones.read_all()
    topics = sender_topics(settings, name)
    figures = ChannelFigures(
        instruments,
        channel=name,
        providers=entry.providers(settings),
        topics={"transactional": topics.transactional, "marketing": topics.marketing},
    )
    with worker_clock(settings) as clock, ExitStack() as stack:
        config = sender_config(settings, name, clock=clock, metrics=figures)
        if settings.metrics_port:
            live: Facts = {"loops": config.health.live}
            ready: Facts = {"restored": config.health.ready}
            stack.enter_context(MetricsServer(instruments.registry, live=live, ready=ready, port=settings.metrics_port))
        return run_sender(config)
