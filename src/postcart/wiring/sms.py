"""The composition root of the SMS channel: settings become renderer and providers.

Owns: which collaborator goes where. Must not: hold a rule, or run anything (workers does).
"""

from secrets import token_bytes

from postcart.adapters.clock import WallClock
from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.twilio import TwilioAccount, TwilioProvider
from postcart.adapters.vault import Vault
from postcart.content.languages import Languages
from postcart.content.sms import SmsRenderer
from postcart.content.templates import TemplateSet
from postcart.errors import ConfigurationError
from postcart.gateway.sms_routes import STATUS
from postcart.senders.config import SenderLimits
from postcart.senders.sms import SmsAdapter
from postcart.settings import Settings
from postcart.settings.messaging import SmsProvider
from postcart.wiring.channels import Channel, ChannelParts, provider_plan
from postcart.wiring.email import shop_identity


def sms_parts(settings: Settings) -> ChannelParts:
    """What the SMS sender is made of.

    Raises:
        ConfigurationError: Templates or catalogues are wrong, or a provider is not whole.
    """
    sms = settings.sms
    adapter = SmsAdapter(
        SmsRenderer(
            TemplateSet(settings.templates_dir),
            shop_identity(settings),
            languages=Languages(settings.locales_dir, settings.shop.locale),
            most_segments=sms.max_segments,
        ),
        {one.name: _provider(one, sms.callback_url) for one in sms.providers},
        Vault(settings.master_key_bytes, token_bytes),
    )
    return ChannelParts(
        adapter=adapter,
        providers=tuple(provider_plan(one, one.name, one.connections) for one in sms.providers),
        limits=SenderLimits(
            in_flight=sum(one.connections for one in sms.providers),
            send_timeout_s=3 * max(one.timeout_s for one in sms.providers),
            first_probe_s=sms.probe_s,
            most_probe_s=sms.probe_s,
        ),
        zones=adapter.zones,
    )


def _provider(one: SmsProvider, callback_url: str | None) -> TwilioProvider:
    if one.account is None or one.secret is None or one.sender is None:
        raise ConfigurationError(
            f"SMS provider {one.name} needs account, secret and sender: POSTCART_SMS__ACCOUNT and so on"
        )
    account = TwilioAccount(
        base_url=one.base_url,
        account=one.account,
        key=one.key or one.account,
        secret=one.secret.get_secret_value(),
        sender=one.sender,
        callback_url=None if callback_url is None else f"{callback_url}{STATUS}",
    )
    options = HttpOptions(read_s=one.timeout_s, whole_s=2 * one.timeout_s, connections=one.connections)
    return TwilioProvider(account, HttpClient(options), now_ms=WallClock().real_ms)


CHANNEL = Channel(
    name="sms",
    build=sms_parts,
    providers=lambda settings: tuple(one.name for one in settings.sms.providers),
    needs=("master_key", "sms.account", "sms.secret", "sms.sender"),
)
