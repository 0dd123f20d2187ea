"""The composition root of the webhook channel: settings become the endpoint.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from postcart.adapters.clock import WallClock
from postcart.adapters.destination import Unsafe, check_url, system_resolve
from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.webhook import Endpoint, WebhookProvider, networks
from postcart.errors import ConfigurationError
from postcart.events.ids import contact_id
from postcart.senders.config import SenderLimits
from postcart.senders.webhook import RETRIES, WebhookAdapter
from postcart.settings import Settings
from postcart.settings.values import webhook_key
from postcart.wiring.channels import Channel, ChannelParts
from postcart.wiring.email import shop_identity

_NAME = "endpoint"


def endpoint_id(settings: Settings) -> str:
    """Opaque id of the endpoint: what suppressions name.

    Raises:
        ConfigurationError: None is configured.
    """
    if settings.webhook.url is None:
        raise ConfigurationError("POSTCART_WEBHOOK__URL is not set: where webhooks go")
    return contact_id(settings.identity_key.get_secret_value().encode(), "webhook", settings.webhook.url)


def webhook_parts(settings: Settings) -> ChannelParts:
    """What the webhook sender is made of.

    Raises:
        ConfigurationError: The endpoint is not whole, or not one that may be gone to.
    """
    webhook = settings.webhook
    if webhook.url is None or webhook.secret is None:
        raise ConfigurationError("webhooks need POSTCART_WEBHOOK__URL and POSTCART_WEBHOOK__SECRET")
    try:
        check_url(webhook.url, ports=webhook.ports)
    except Unsafe as error:
        raise ConfigurationError(f"POSTCART_WEBHOOK__URL: {error}") from None
    secrets = (webhook.secret, webhook.former_secret)
    endpoint = Endpoint(
        url=webhook.url,
        keys=tuple(webhook_key(secret) for secret in secrets if secret is not None),
        ports=frozenset(webhook.ports),
        allowed=networks(webhook.allowed_networks),
    )
    http = HttpClient(
        HttpOptions(
            read_s=webhook.timeout_s,
            whole_s=webhook.timeout_s + 10,
            connections=webhook.connections,
            keep_alive_s=0,
            ca_file=webhook.ca_file,
        )
    )
    provider = WebhookProvider(endpoint, http, resolve=system_resolve, now_ms=WallClock().real_ms)
    return ChannelParts(
        adapter=WebhookAdapter(shop_identity(settings), provider, name=_NAME),
        limits=SenderLimits(in_flight=webhook.connections, send_timeout_s=2 * webhook.timeout_s + 20),
        retries=RETRIES,
        endpoint=endpoint_id(settings),
    )


CHANNEL = Channel(
    name="webhook",
    build=webhook_parts,
    providers=lambda _: (_NAME,),
    needs=("identity_key", "webhook.secret"),
    personal=False,
)
