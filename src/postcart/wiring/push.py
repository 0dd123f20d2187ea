"""The composition root of the push channel: settings become renderer and services.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from pathlib import Path
from secrets import token_bytes

from postcart.adapters.clock import WallClock
from postcart.adapters.http import HttpClient, HttpOptions
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
from postcart.settings.push import WebPush
from postcart.wiring.channels import Channel, ChannelParts
from postcart.wiring.email import shop_identity


def push_parts(settings: Settings) -> ChannelParts:
    """What the push sender is made of.

    Raises:
        ConfigurationError: Templates, catalogues or keys are wrong, or no service is configured.
    """
    configured = _configured(settings)
    if not configured:
        raise ConfigurationError("the push channel needs POSTCART_WEB_PUSH__KEY_FILE (docs/channels.md)")
    services: dict[str, PushService] = {}
    if settings.web_push.key_file is not None:
        services["web"] = _web_push(settings, settings.web_push, settings.web_push.key_file)
    adapter = PushAdapter(
        PushRenderer(
            TemplateSet(settings.templates_dir),
            shop_identity(settings),
            languages=Languages(settings.locales_dir, settings.shop.locale),
        ),
        services,
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
            # Twice: those that are asked besides, and each of them once more where it wants it shorter.
            send_timeout_s=5 + 4 * max(one.timeout_s for one in configured.values()),
        ),
        able=adapter.able,
    )


def push_kinds(settings: Settings) -> tuple[str, ...]:
    """Kinds of subscriptions that can be reached, by the settings."""
    return tuple(_configured(settings))


def _configured(settings: Settings) -> dict[str, ServiceSettings]:
    return {"web": settings.web_push} if settings.web_push.key_file is not None else {}


def _web_push(settings: Settings, web: WebPush, key_file: Path) -> WebPushProvider:
    sender = WebPushSender(
        key=p256_key(pem_of(key_file), f"POSTCART_WEB_PUSH__KEY_FILE {key_file}"),
        contact=web.contact or f"mailto:{settings.shop.from_address}",
        hosts=web.hosts,
    )
    return WebPushProvider(sender, http_client(web), now_ms=WallClock().real_ms, random=token_bytes)


def http_client(one: ServiceSettings, *, http2: bool = False) -> HttpClient:
    """The client of a service."""
    options = HttpOptions(
        read_s=one.timeout_s,
        whole_s=one.timeout_s,
        connections=one.connections,
        ca_file=one.ca_file,
        http2=http2,
    )
    return HttpClient(options)


def pem_of(file: Path) -> bytes:
    """What is in the file.

    Raises:
        ConfigurationError: It can't be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read: {error.strerror}") from error


CHANNEL = Channel(name="push", build=push_parts, providers=push_kinds, needs=("master_key",))
