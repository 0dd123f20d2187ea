"""The composition root of the push channel: settings become renderer and services.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from collections.abc import Callable
from pathlib import Path
from secrets import token_bytes
from typing import Final, NamedTuple, TypeVar

from postcart.adapters.clock import WallClock
from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.apns import ApnsProvider, ApnsTeam
from postcart.adapters.providers.fcm import FcmProvider
from postcart.adapters.providers.google_token import service_account
from postcart.adapters.providers.web_push import WebPushProvider, WebPushSender
from postcart.adapters.vault import Vault
from postcart.codecs.jwt import p256_key
from postcart.content.languages import Languages
from postcart.content.push import PushRenderer
from postcart.content.templates import TemplateSet
from postcart.errors import ConfigurationError
from postcart.senders.config import SenderLimits
from postcart.senders.providers import ProviderPlan
from postcart.senders.push import PushAdapter, PushService
from postcart.settings import Settings
from postcart.settings.push import PushService as ServiceSettings
from postcart.wiring.channels import Channel, ChannelParts
from postcart.wiring.email import shop_identity

T = TypeVar("T")


def push_parts(settings: Settings) -> ChannelParts:
    """What the push sender is made of.

    Raises:
        ConfigurationError: Templates, catalogues or keys are wrong, or no service is configured.
    """
    configured = _configured(settings)
    if not configured:
        raise ConfigurationError(
            "the push channel needs one at least of POSTCART_WEB_PUSH__KEY_FILE, POSTCART_FCM__CREDENTIALS_FILE and "
            "POSTCART_APNS__KEY_FILE (docs/channels.md)"
        )
    adapter = PushAdapter(
        PushRenderer(
            TemplateSet(settings.templates_dir),
            shop_identity(settings),
            languages=Languages(settings.locales_dir, settings.shop.locale),
        ),
        {kind: _SERVICES[kind].build(settings) for kind in configured},
        Vault(settings.master_key_bytes, token_bytes),
    )
    return ChannelParts(
        adapter=adapter,
        providers=tuple(
            ProviderPlan(name=name, in_flight=one.connections, rate_per_s=one.rate_per_s)
            for name, one in configured.items()
        ),
        limits=SenderLimits(
            in_flight=sum(one.connections for one in configured.values()),
            # Twice: those that are asked besides, and each of them once more where it wants something else.
            send_timeout_s=5 + 4 * max(one.timeout_s for one in configured.values()),
        ),
        able=adapter.able,
    )


def push_kinds(settings: Settings) -> tuple[str, ...]:
    """Kinds of subscriptions that can be reached, by the settings."""
    return tuple(_configured(settings))


def _configured(settings: Settings) -> dict[str, ServiceSettings]:
    return {kind: service.group(settings) for kind, service in _SERVICES.items() if service.is_set(settings)}


def _web_push(settings: Settings) -> WebPushProvider:
    web = settings.web_push
    key_file = _given(web.key_file, "POSTCART_WEB_PUSH__KEY_FILE")
    sender = WebPushSender(
        key=p256_key(_content_of(key_file), f"POSTCART_WEB_PUSH__KEY_FILE {key_file}"),
        contact=web.contact or f"mailto:{settings.shop.from_address}",
        hosts=web.hosts,
    )
    return WebPushProvider(sender, _http(web), now_ms=WallClock().real_ms, random=token_bytes)


def _fcm(settings: Settings) -> FcmProvider:
    fcm = settings.fcm
    file = _given(fcm.credentials_file, "POSTCART_FCM__CREDENTIALS_FILE")
    account = service_account(_content_of(file), f"POSTCART_FCM__CREDENTIALS_FILE {file}")
    return FcmProvider(account, _http(fcm, http2=True), now_ms=WallClock().real_ms, base_url=fcm.base_url)


def _apns(settings: Settings) -> ApnsProvider:
    apns = settings.apns
    file = _given(apns.key_file, "POSTCART_APNS__KEY_FILE")
    team = ApnsTeam(
        base_url=apns.base_url,
        team_id=_given(apns.team_id, "POSTCART_APNS__TEAM_ID"),
        key_id=_given(apns.key_id, "POSTCART_APNS__KEY_ID"),
        key=p256_key(_content_of(file), f"POSTCART_APNS__KEY_FILE {file}"),
        topic=apns.topic,
    )
    return ApnsProvider(team, _http(apns, http2=True), now_ms=WallClock().real_ms)


def _http(one: ServiceSettings, *, http2: bool = False) -> HttpClient:
    options = HttpOptions(
        read_s=one.timeout_s,
        whole_s=one.timeout_s,
        connections=one.connections,
        ca_file=one.ca_file,
        http2=http2,
    )
    return HttpClient(options)


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise ConfigurationError(f"{name} is not set (docs/channels.md)")
    return value


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read: {error.strerror}") from error


class _Service(NamedTuple):
    """A kind of subscriptions by the settings."""

    group: Callable[[Settings], ServiceSettings]
    is_set: Callable[[Settings], bool]
    build: Callable[[Settings], PushService]


_SERVICES: Final = {
    "web": _Service(lambda of: of.web_push, lambda of: of.web_push.key_file is not None, _web_push),
    "fcm": _Service(lambda of: of.fcm, lambda of: of.fcm.credentials_file is not None, _fcm),
    "apns": _Service(lambda of: of.apns, lambda of: of.apns.key_file is not None, _apns),
}

CHANNEL = Channel(name="push", build=push_parts, providers=push_kinds, needs=("master_key",))
