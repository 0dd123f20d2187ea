"""The composition root of the email channel: settings become renderer, signer and SMTP servers.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from secrets import token_bytes

from postcart.adapters.providers.smtp import SmtpProvider
from postcart.adapters.smtp import SmtpSender
from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.vault import Vault
from postcart.content.context import ShopIdentity
from postcart.content.dkim import DkimKey, DkimSigner
from postcart.content.email import EmailRenderer
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, UnsubscribeLinks
from postcart.senders.config import SenderLimits
from postcart.senders.email import EmailAdapter
from postcart.settings import Settings
from postcart.settings.model import SmtpServer
from postcart.wiring.channels import Channel, ChannelParts, provider_plan


def shop_identity(settings: Settings) -> ShopIdentity:
    """Who sends, as mails show it."""
    shop = settings.shop
    return ShopIdentity(
        name=shop.name,
        from_address=str(shop.from_address),
        postal_address=tuple(shop.postal_address),
        base_url=str(shop.base_url),
        cart_url=str(shop.cart_url),
        reply_to=str(shop.reply_to) if shop.reply_to else None,
        country=shop.country,
        currency=settings.currency,
        locale=shop.locale,
        time_zone=shop.time_zone,
        accent=shop.accent,
        logo_url=str(shop.logo_url) if shop.logo_url else None,
        orders_url=shop.orders_url,
        tracking_url=shop.tracking_url,
    )


def dkim_signer(settings: Settings) -> DkimSigner | None:
    """Signs by the configured keys; None: mails go out unsigned.

    Raises:
        ConfigurationError: A key can't be read or is too weak.
    """
    dkim = settings.dkim
    if dkim.domain is None or dkim.selector is None or dkim.private_key_file is None:
        return None
    keys = [DkimKey.load(dkim.selector, dkim.private_key_file)]
    if dkim.ed25519_selector and dkim.ed25519_private_key_file:
        keys.append(DkimKey.load(dkim.ed25519_selector, dkim.ed25519_private_key_file))
    return DkimSigner(dkim.domain, *keys)


def email_renderer(settings: Settings) -> EmailRenderer:
    """From jobs to signed mails, by the configured templates and catalogues.

    Raises:
        ConfigurationError: Templates, catalogues or keys are wrong.
    """
    return EmailRenderer(
        TemplateSet(settings.templates_dir),
        shop_identity(settings),
        dkim_signer(settings),
        unsubscribe_links(settings),
        languages=Languages(settings.locales_dir, settings.shop.locale),
        envelope=envelope_senders(settings),
    )


def unsubscribe_links(settings: Settings) -> UnsubscribeLinks:
    """Makes and reads opt-out tokens."""
    unsubscribe = settings.unsubscribe
    return UnsubscribeLinks(str(unsubscribe.base_url), str(unsubscribe.mailto), token_secret(settings))


def envelope_senders(settings: Settings) -> EnvelopeSenders:
    """Makes and reads envelope senders."""
    return EnvelopeSenders(settings.feedback.domain or shop_identity(settings).domain, token_secret(settings))


def token_secret(settings: Settings) -> bytes:
    """What tokens in mails are signed with."""
    return settings.unsubscribe.token_secret.get_secret_value().encode()


def smtp_config(server: SmtpServer) -> SmtpConfig:
    """Where mails go."""
    return SmtpConfig(
        host=server.host,
        port=server.port,
        username=server.username,
        password=server.password.get_secret_value() if server.password else None,
        tls=server.tls,
        ca_file=server.ca_file,
        helo=server.helo or "localhost",
        timeout_s=server.timeout_s,
        message_timeout_s=2 * server.timeout_s,
        connections=server.pool_size,
        pipelining=server.pipelining,
    )


def email_parts(settings: Settings) -> ChannelParts:
    """What the email sender is made of.

    Raises:
        ConfigurationError: Templates, catalogues or keys are wrong.
    """
    smtp = settings.smtp
    return ChannelParts(
        adapter=EmailAdapter(
            email_renderer(settings),
            {server.name: SmtpProvider(SmtpSender(smtp_config(server))) for server in smtp.servers},
            Vault(settings.master_key_bytes, token_bytes),
        ),
        providers=tuple(
            provider_plan(server, server.name, server.claimed_at_once, connections=server.pool_size)
            for server in smtp.servers
        ),
        limits=SenderLimits(
            in_flight=sum(server.claimed_at_once for server in smtp.servers),
            send_timeout_s=4 * max(server.timeout_s for server in smtp.servers),
            first_probe_s=smtp.probe_s,
            most_probe_s=smtp.probe_s,
        ),
    )


CHANNEL = Channel(
    name="email",
    build=email_parts,
    providers=lambda settings: tuple(server.name for server in settings.smtp.servers),
    needs=("master_key", "unsubscribe.token_secret", "shop.from_address"),
)
