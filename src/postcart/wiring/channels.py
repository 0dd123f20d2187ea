"""The table of channels: which there are, and what each brings.

Owns: that table, and a sender's configuration from what a channel brings. Must not: know any channel.

A channel is one module with a ``CHANNEL``, one template per message (``templates/NAME/CHANNEL.*.j2``) and its name in
the setting ``channels``. Topics, groups, lag, metrics, dead letters and ``postcart worker send NAME`` follow from that;
see docs/channels.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, NamedTuple

from postcart.adapters.topics import changelog, job_topics, stage_group
from postcart.errors import ConfigurationError
from postcart.senders.backoff import Retries
from postcart.senders.config import SenderConfig, SenderLimits, SenderTopics
from postcart.senders.gate import GateRules
from postcart.senders.metrics import SenderMetrics
from postcart.senders.provider import ChannelAdapter
from postcart.senders.providers import ProviderPlan
from postcart.settings import Settings
from postcart.settings.model import ProviderGroup
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import active_campaign
from postcart.wiring.stages import Clock, client_settings
from postcart.wiring.worker_name import worker_name

BUILT_IN: Final = {"email": "postcart.wiring.email"}
"""Module of each channel that Postcart brings itself."""


class ChannelParts(NamedTuple):
    """What a channel's sender is made of.

    Attributes:
        endpoint: Opaque id of the one endpoint that all messages go to, of a channel that has one.
    """

    adapter: ChannelAdapter[Any]
    providers: tuple[ProviderPlan, ...] = ()
    limits: SenderLimits = SenderLimits()
    retries: Retries = Retries()
    endpoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One entry: what a channel's module says of itself, in ``CHANNEL``.

    Attributes:
        name: As in topics, groups and campaigns.
        build: Makes its parts of the settings. Raises ConfigurationError.
        providers: Names of its providers by the settings: labels of metrics.
        needs: Settings whose defaults are not good enough where Kafka is not on this machine.
        personal: Whether messages go to contact points of persons.
    """

    name: str
    build: Callable[[Settings], ChannelParts]
    providers: Callable[[Settings], tuple[str, ...]]
    needs: tuple[str, ...] = field(default=())
    personal: bool = True


def provider_plan(group: ProviderGroup, name: str, in_flight: int) -> ProviderPlan:
    """A provider as its settings have it."""
    return ProviderPlan(
        name=name, order=group.order, weight=group.weight, in_flight=in_flight, rate_per_s=group.rate_per_s
    )


def channel(settings: Settings, name: str) -> Channel:
    """The entry of that name.

    Raises:
        ConfigurationError: There is none, or its module has no ``CHANNEL`` of that name.
    """
    entries = dict(one.partition("=")[::2] for one in settings.channels)
    if name not in entries:
        raise ConfigurationError(
            f"there is no channel {name!r}, there are {', '.join(entries)}; POSTCART_CHANNELS=…,{name} adds it"
        )
    module = entries[name] or BUILT_IN.get(name)
    if module is None:
        raise ConfigurationError(
            f"channel {name!r} is none that Postcart brings ({', '.join(BUILT_IN)}): name its module, {name}=MODULE"
        )
    try:
        found = getattr(import_module(module), "CHANNEL", None)
    except ImportError as error:
        raise ConfigurationError(f"channel {name!r}: module {module} can't be imported: {error}") from error
    if not isinstance(found, Channel) or found.name != name:
        raise ConfigurationError(f"channel {name!r}: {module} has no CHANNEL of that name (docs/channels.md)")
    return found


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
        metrics=metrics,
        registry=registry_of(settings),
    )
