"""The composition root of senders: what a channel brings becomes a sender's configuration.

Owns: what is the same for all channels. Must not: know any channel, or run anything (workers does).
"""

from postcart.adapters.topics import changelog, job_topics, stage_group
from postcart.senders.config import SenderConfig, SenderTopics
from postcart.senders.gate import GateRules
from postcart.senders.metrics import SenderMetrics
from postcart.settings import Settings
from postcart.wiring.channels import channel
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import active_campaign
from postcart.wiring.stages import Clock, client_settings
from postcart.wiring.worker_name import worker_name


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
