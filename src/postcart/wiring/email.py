"""The composition root of the email sender: settings become renderer, signer, SMTP client and the sender's config.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from secrets import token_bytes

from postcart.adapters.smtp import SmtpSender
from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.vault import Vault
from postcart.content.context import ShopIdentity
from postcart.content.dkim import DkimKey, DkimSigner
from postcart.content.email import EmailRenderer
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, UnsubscribeLinks
from postcart.senders.config import SenderConfig, SenderLimits, SenderTopics
from postcart.senders.email import EmailAdapter
from postcart.senders.gate import GateRules
from postcart.senders.metrics import SenderMetrics
from postcart.settings import Settings
from postcart.wiring.registry import registry_of
from postcart.wiring.rules import active_campaign
from postcart.wiring.stages import Clock, client_settings
from postcart.wiring.worker_name import worker_name


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


def smtp_config(settings: Settings) -> SmtpConfig:
    """Where mails go."""
    smtp = settings.smtp
    return SmtpConfig(
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password.get_secret_value() if smtp.password else None,
        tls=smtp.tls,
        ca_file=smtp.ca_file,
        helo=smtp.helo or "localhost",
        timeout_s=smtp.timeout_s,
        message_timeout_s=2 * smtp.timeout_s,
        connections=smtp.pool_size,
    )


def sender_topics(settings: Settings) -> SenderTopics:
    """Names of the email sender's topics."""
    return SenderTopics(
        transactional=settings.topic("jobs.email.transactional"),
        marketing=settings.topic("jobs.email.marketing"),
        gate=settings.topic("gate"),
        keys=settings.topic("keys"),
        claims=settings.topic("claims.email"),
        receipts=settings.topic("receipts"),
        dead=settings.topic("dead"),
        decisions=settings.topic("decisions"),
        catalog=settings.shop_topic("catalog"),
        suppressions=settings.topic("suppressions"),
    )


def email_sender_config(settings: Settings, *, clock: Clock, metrics: SenderMetrics) -> SenderConfig:
    """Everything that the email sender is given.

    Raises:
        ConfigurationError: Templates, catalogues, keys or the campaign are wrong.
    """
    campaign = active_campaign(settings)
    adapter = EmailAdapter(
        email_renderer(settings), SmtpSender(smtp_config(settings)), Vault(settings.master_key_bytes, token_bytes)
    )
    rules = GateRules(
        quiet_hours={campaign.name: campaign.quiet_hours},
        shop_country=settings.shop.country,
        currency=settings.currency,
    )
    return SenderConfig(
        client=client_settings(settings),
        group=settings.topic("email"),
        worker_name=worker_name(settings),
        topics=sender_topics(settings),
        adapter=adapter,
        clock=clock,
        rules=rules,
        limits=SenderLimits(
            in_flight=settings.smtp.pool_size,
            send_timeout_s=4 * settings.smtp.timeout_s,
            first_probe_s=settings.smtp.probe_s,
            most_probe_s=settings.smtp.probe_s,
        ),
        metrics=metrics,
        registry=registry_of(settings),
    )
