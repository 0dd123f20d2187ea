"""Settings of the channels beside email.

Owns: these models. Must not: know what they lead to (wiring).
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from postcart.settings.values import Group, HttpsAddress, WebhookSecret, check_web_address

PROVIDER_NAME = r"^[a-z][a-z0-9_-]{0,30}$"


def check_names(names: Sequence[str]) -> None:
    """Providers of a channel are told apart by name."""
    if len(set(names)) < len(names):
        raise ValueError(f"each provider needs a name of its own, found {', '.join(names)}")


def check_api_address(value: str) -> str:
    """``https``; ``http`` only on this machine, for trials."""
    value = check_web_address(value)
    host = value.partition("://")[2].partition("/")[0].rpartition(":")[0] or value.partition("://")[2]
    if not value.startswith("https://") and host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise ValueError(f"{value!r}: must begin with https://: a password is not sent in clear")
    return value


ApiAddress = Annotated[str, AfterValidator(check_api_address)]


class ProviderGroup(Group):
    """What all providers of all channels have in common, beside the channel's other ones."""

    order: int = Field(0, ge=0, le=100, description="a higher one gets messages only while none of a lower order works")
    weight: float = Field(1.0, gt=0, le=1000, description="share among those of one order")
    rate_per_s: float | None = Field(None, gt=0, le=100_000, description="most messages a second; none: no bound")


class TwilioApi(Group):
    """An account with Twilio, or with another that has the same API."""

    base_url: ApiAddress = Field("https://api.twilio.com", description="another one with the same API, if wanted")
    account: str | None = Field(None, pattern=r"^[A-Za-z0-9]{2,64}$", description="the account's SID")
    key: str | None = Field(None, description="SID of an API key; without it the account and its auth token")
    secret: SecretStr | None = Field(None, description="of the API key, or the account's auth token")
    sender: str | None = Field(
        None,
        min_length=1,
        max_length=40,
        description="number in E.164, short code, name, or MG… of a messaging service",
    )
    connections: int = Field(16, ge=1, le=1000, description="most messages at a time")
    timeout_s: float = Field(10.0, gt=0, le=120, description="seconds for its answer")

    @property
    def is_whole(self) -> bool:
        """Whether there is all that it takes to send."""
        return None not in {self.account, self.secret, self.sender}


class SmsProvider(ProviderGroup, TwilioApi):
    """Who sends our text messages."""

    name: str = Field("twilio", pattern=PROVIDER_NAME, description="for receipts and metrics")

    def __str__(self) -> str:
        return f"{self.name}={self.base_url}"


class Sms(SmsProvider):
    """Who sends our text messages, and others beside it."""

    more: tuple[SmsProvider, ...] = Field((), description="further providers, each with a name: a list, or JSON of one")
    max_segments: int = Field(3, ge=1, le=10, description="a longer text is refused")
    probe_s: float = Field(60.0, gt=0, le=3600, description="seconds between tries while a provider is out of order")
    callback_url: ApiAddress | None = Field(
        None, description="the gateway's public address: providers tell there what became of messages"
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(
        (), description="auth tokens that providers sign with, a new one beside the old; secret is always one"
    )
    replies: bool = Field(default=True, description="answer STOP, START and HELP; false where the provider does")

    @property
    def providers(self) -> tuple[SmsProvider, ...]:
        """All providers."""
        return self, *self.more

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names([one.name for one in self.providers])
        return self


def check_network(value: str) -> str:
    """An IP network."""
    ipaddress.ip_network(value)
    return value


IpNetwork = Annotated[str, AfterValidator(check_network)]


class Webhook(Group):
    """Where webhooks go out to: one endpoint, signed as Standard Webhooks say."""

    url: HttpsAddress | None = Field(None, description="the endpoint; https, on a port of webhook.ports")
    secret: WebhookSecret | None = Field(None, description="whsec_… that signs")
    former_secret: WebhookSecret | None = Field(None, description="signs too, while receivers change over")
    ports: tuple[int, ...] = Field((443, 8443), description="that may be connected to: JSON, or a list in a file")
    allowed_networks: tuple[IpNetwork, ...] = Field(
        (), description="that are not the Internet's and may be gone to: JSON, or a list in a file"
    )
    ca_file: Path | None = Field(None, description="PEM file of an own authority; else the system's are trusted")
    connections: int = Field(16, ge=1, le=1000, description="most webhooks at a time")
    timeout_s: float = Field(15.0, gt=0, le=120, description="seconds for its answer; 15 to 30 is usual")


class Gateway(Group):
    """Where Postcart answers over HTTP (`postcart worker gateway`); a proxy in front of it speaks TLS."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(8480, ge=0, le=65535, description="to listen on")
