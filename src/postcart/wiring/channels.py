"""The table of channels: which there are, and what each brings.

Owns: that table. Must not: know any channel, or import its module before it is asked for.

A channel is one module with a ``CHANNEL``, one template per message (``templates/NAME/CHANNEL.*.j2``) and its name in
the setting ``channels``. Topics, groups, lag, metrics, dead letters and ``postcart worker send NAME`` follow from that;
see docs/channels.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, NamedTuple

from postcart.errors import ConfigurationError
from postcart.events.gate import GatePerson
from postcart.senders.backoff import Retries
from postcart.senders.config import SenderLimits, all_able, no_zones
from postcart.senders.provider import ChannelAdapter
from postcart.senders.providers import ProviderPlan
from postcart.settings import Settings
from postcart.settings.messaging import ProviderGroup

BUILT_IN: Final = {
    "email": "postcart.wiring.email",
    "sms": "postcart.wiring.sms",
    "inapp": "postcart.wiring.inapp",
    "push": "postcart.wiring.push",
    "webhook": "postcart.wiring.webhook",
}
"""Module of each channel that Postcart brings itself."""


class ChannelParts(NamedTuple):
    """What a channel's sender is made of.

    Attributes:
        endpoint: Opaque id of the one endpoint that all messages go to, of a channel that has one.
        zones: Where contact points may be; see ``SenderConfig``.
        able: Which providers reach a person; see there.
    """

    adapter: ChannelAdapter[Any]
    providers: tuple[ProviderPlan, ...] = ()
    limits: SenderLimits = SenderLimits()
    retries: Retries = Retries()
    endpoint: str | None = None
    zones: Callable[[GatePerson, bytes], tuple[str, ...]] = no_zones
    able: Callable[[GatePerson, bytes], frozenset[str] | None] = all_able


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One entry: what a channel's module says of itself, in ``CHANNEL``.

    Attributes:
        name: As in topics, groups and campaigns.
        build: Makes its parts of the settings. Raises ConfigurationError.
        providers: Names of its providers by the settings: labels of metrics.
        needs: Settings whose defaults are not good enough where Kafka is not on this machine.
        personal: Whether messages go to contact points of persons.
        keyed: Whether a message is sealed with the person's key, also where no contact point is opened with it.
    """

    name: str
    build: Callable[[Settings], ChannelParts]
    providers: Callable[[Settings], tuple[str, ...]]
    needs: tuple[str, ...] = field(default=())
    personal: bool = True
    keyed: bool = False


def provider_plan(group: ProviderGroup, name: str, in_flight: int, *, connections: int | None = None) -> ProviderPlan:
    """A provider as its settings have it."""
    return ProviderPlan(
        name=name,
        order=group.order,
        weight=group.weight,
        in_flight=in_flight,
        connections=connections,
        rate_per_s=group.rate_per_s,
    )


def unknown(settings: Settings, name: str) -> str:
    """What to say of a channel that the settings don't name."""
    known = ", ".join(settings.channel_names)
    return f"there is no channel {name!r}, there are {known}; POSTCART_CHANNELS=…,{name} adds it"


def channel(settings: Settings, name: str) -> Channel:
    """The entry of that name.

    Raises:
        ConfigurationError: There is none, or its module has no ``CHANNEL`` of that name.
    """
    entries = dict(one.partition("=")[::2] for one in settings.channels)
    if name not in entries:
        raise ConfigurationError(unknown(settings, name))
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


def impersonal(settings: Settings) -> frozenset[str]:
    """Channels whose messages need no contact point of a person.

    Raises:
        ConfigurationError: A channel's module is not as it must be.
    """
    return frozenset(name for name in settings.channel_names if not channel(settings, name).personal)
