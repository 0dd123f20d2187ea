"""Every setting there is, with its unit, its default and what it is for.

Owns: the models; the descriptions are the documentation. Must not: read the environment or a file (``load`` does).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, HttpUrl, SecretStr, model_validator

from postcart.settings.alerts import Alerts
from postcart.settings.caps import Frequency
from postcart.settings.feed import Feed
from postcart.settings.feedback import Feedback
from postcart.settings.kafka import Kafka
from postcart.settings.messaging import PROVIDER_NAME, Gateway, ProviderGroup, Sms, Webhook, check_names
from postcart.settings.polling import Polling
from postcart.settings.push import Apns, Fcm, WebPush
from postcart.settings.tracking import Tracking
from postcart.settings.values import (
    Band,
    Bands,
    Bootstrap,
    Channels,
    Country,
    Currency,
    Group,
    HttpsAddress,
    Lines,
    MailAddress,
    MasterKey,
    ReadModelUrl,
    Seasons,
    Secret,
    TimeZone,
    WebAddress,
    master_key_bytes,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
"""Names of this machine: what is only meant for it need not be secret."""
_NAME = r"[a-zA-Z0-9._-]*"


class Shop(Group):
    """Who sends: law and mailbox providers want to see it in every message."""

    name: str = Field("Example Shop", min_length=1, description="sender's name, also in the text")
    postal_address: Lines = Field(("1 Example Street", "Example Town"), description="lines, in one line split by |")
    country: Country = Field("US", description="ISO 3166; its hours count where a recipient's zone is not known")
    base_url: WebAddress = Field("https://shop.example", description="the shop's home page")
    cart_url: WebAddress = Field("https://shop.example/cart", description="where the button of a reminder leads")
    from_address: MailAddress = Field("shop@shop.example", description="From; its domain also makes the Message-ID")
    reply_to: MailAddress | None = Field(None, description="where answers go, if not to the From address")
    locale: str = Field("en", pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]+)*$", description="the shop's own language")
    time_zone: TimeZone = Field("UTC", description="IANA name; for recipients of whom nothing is known")
    accent: str = Field("#0f62fe", pattern=r"^#[0-9a-fA-F]{6}$", description="colour of the button")
    logo_url: WebAddress | None = Field(None, description="picture at the top of a mail")
    orders_url: WebAddress | None = Field(
        None, description="page of an order; {order} stands for its id; by default the home page"
    )
    tracking_url: WebAddress | None = Field(
        None, description="page of a parcel; {carrier}, {number} and {order}; by default that of the order"
    )


_CLAIMED_FOR_EACH = 4
"""Mails for each connection: one under way, the others rendered, or between two transactions."""


class SmtpAddress(Group):
    """How a server that takes our mail is reached."""

    host: str = Field("localhost", min_length=1, description="name or address")
    port: int = Field(587, ge=1, le=65535, description="587 with starttls, 465 with tls, 25 between servers")
    username: str | None = Field(None, description="login, if the server wants one")
    password: SecretStr | None = Field(None, description="of the login")
    tls: Literal["starttls", "tls", "none"] = Field("starttls", description="none only on this machine or a closed net")
    ca_file: Path | None = Field(None, description="PEM file of an own authority; else the system's are trusted")
    pool_size: int = Field(8, ge=1, le=1000, description="connections; each carries one message at a time")
    timeout_s: float = Field(30.0, gt=0, le=600, description="seconds for each step of the conversation")
    helo: str | None = Field(None, description="our name in EHLO, if not this machine's")
    probe_s: float = Field(
        60.0, gt=0, le=3600, description="seconds between tries while the server is out of order or refuses the login"
    )

    @model_validator(mode="after")
    def _login_is_whole_and_safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: set both or none")
        if self.username and self.tls == "none" and self.host not in LOOPBACK:
            raise ValueError("a password is not sent in clear: set tls to starttls or tls")
        return self


class SmtpServer(ProviderGroup, SmtpAddress):
    """A server that takes our mail."""

    name: str = Field("smtp", pattern=PROVIDER_NAME, description="for receipts and metrics")
    in_flight: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="mails claimed at once, and what a kill may leave uncertain; by default four for each connection",
    )
    pipelining: bool = Field(default=True, description="say envelope and DATA at once where the server offers it")

    def __str__(self) -> str:
        return f"{self.name}={self.host}:{self.port}"

    @property
    def claimed_at_once(self) -> int:
        """Most mails that are claimed and not finished."""
        return self.in_flight or _CLAIMED_FOR_EACH * self.pool_size


class Smtp(SmtpServer):
    """The server that takes our mail, and others beside it."""

    more: tuple[SmtpServer, ...] = Field((), description="further servers, each with a name: a list, or JSON of one")

    @property
    def servers(self) -> tuple[SmtpServer, ...]:
        """All servers."""
        return self, *self.more

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names([one.name for one in self.servers])
        return self


class Dkim(Group):
    """The signature under our mail. Without it large providers refuse it."""

    domain: str | None = Field(None, description="d= of the signature; aligned with the From address")
    selector: str | None = Field(None, description="name of the key's DNS record")
    private_key_file: Path | None = Field(None, description="PEM file, RSA of 2048 bits or more")
    ed25519_selector: str | None = Field(None, description="of a second signature, if wanted")
    ed25519_private_key_file: Path | None = Field(None, description="PEM file of the second key")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len({value is None for value in (self.domain, self.selector, self.private_key_file)}) > 1:
            raise ValueError("domain, selector and private_key_file go together: set all or none")
        if (self.ed25519_selector is None) != (self.ed25519_private_key_file is None):
            raise ValueError("ed25519_selector and ed25519_private_key_file go together: set both or none")
        if self.ed25519_selector and self.domain is None:
            raise ValueError("a second signature needs the first: set domain, selector and private_key_file")
        return self


class Unsubscribe(Group):
    """Where people who want no more mail go, by one click."""

    base_url: HttpsAddress = Field("https://shop.example/u", description="https, as one-click needs (RFC 8058)")
    mailto: MailAddress = Field("unsubscribe@shop.example", description="for mail programs that write instead")
    token_secret: Secret = Field(
        SecretStr("for-trials-only-token-secret"), description="signs the links; keep it, old mails carry them"
    )


class Log(Group):
    """What a process tells while it runs."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is written")
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else json")


class Settings(Group):
    """All settings of a process. Made by ``load_settings``; what is not set has a default that a trial can live with.

    ``require`` says which of them a trial's default is not good enough for.
    """

    bootstrap: Bootstrap = Field("localhost:9092", description="Kafka's addresses")
    kafka: Kafka = Field(default_factory=Kafka)
    group_protocol: Literal["consumer", "classic"] = Field("consumer", description="classic only before Kafka 4")
    topic_prefix: str = Field("postcart.", pattern=f"^{_NAME}$", description="begins Postcart's own topics and groups")
    shop_prefix: str = Field("shop.", pattern=f"^{_NAME}$", description="begins the shop's topics")
    partitions: int = Field(4, ge=1, le=10_000, description="of new topics; fixed for a topic's life")
    replication: int = Field(1, ge=1, le=7, description="copies of new topics; 3 in production")
    schema_registry_url: HttpUrl | None = Field(None, description="if records are framed by a schema registry")
    tenant: UUID = Field(
        UUID("0d9a4f4e-6b0f-5d2a-9a51-6f0f4f7a3c10"), description="begins every person's id; never change it"
    )
    identity_key: Secret = Field(
        SecretStr("for-trials-only-identity-key"), description="makes person ids opaque; never change it"
    )
    master_key: MasterKey = Field(
        SecretStr("Zm9yLXRyaWFscy1vbmx5LW1hc3Rlci1rZXkhISEhISE="),
        description="wraps each person's key; base64 of 32 bytes",
    )
    clock: Literal["wall", "replay"] = Field("wall", description="replay: time comes from the clock topic")
    worker_name: str | None = Field(
        None,
        pattern=f"^{_NAME}$",
        description="differs between workers, stays over a restart; default: host and process",
    )
    transaction_output_ms: int = Field(100, ge=1, le=5000, description="age at which one with outputs is committed")
    transaction_idle_ms: int = Field(1000, ge=1, le=5000, description="age at which any other is committed")
    watermark_interval_ms: int = Field(1000, ge=10, le=10_000, description="how often an idle partition is looked at")
    disorder_s: int = Field(300, ge=0, le=3600, description="how late an event may come and still count in order")
    channels: Channels = Field(
        ("email",), description="ways to send; NAME=MODULE adds one of your own (docs/channels.md)"
    )
    campaigns_dir: Path = Field(Path("campaigns"), description="folder of campaign files")
    messages_file: Path | None = Field(
        None, description="file that says what is told of orders and parcels (messages.yaml); none: nothing is"
    )
    templates_dir: Path = Field(Path("templates"), description="folder of templates")
    locales_dir: Path = Field(Path("locales"), description="folder of translations")
    currency: Currency = Field("USD", description="ISO 4217; of carts that name none")
    value_bands: Bands = Field(
        (
            Band.model_validate({"name": "low", "below": 50}),
            Band.model_validate({"name": "medium", "below": 200}),
            Band(name="high"),
        ),
        description="tag of an abandonment, by the cart's value",
    )
    peak: Seasons = Field((), description="peak seasons, UTC days: 2026-11-20..2026-12-26, ...")
    shop: Shop = Field(default_factory=Shop)
    smtp: Smtp = Field(default_factory=Smtp)
    dkim: Dkim = Field(default_factory=Dkim)
    sms: Sms = Field(default_factory=Sms)
    web_push: WebPush = Field(default_factory=WebPush)
    fcm: Fcm = Field(default_factory=Fcm)
    apns: Apns = Field(default_factory=Apns)
    webhook: Webhook = Field(default_factory=Webhook)
    alerts: Alerts = Field(default_factory=Alerts)
    gateway: Gateway = Field(default_factory=Gateway)
    feed: Feed = Field(default_factory=Feed)
    unsubscribe: Unsubscribe = Field(default_factory=Unsubscribe)
    feedback: Feedback = Field(default_factory=Feedback)
    tracking: Tracking = Field(default_factory=Tracking)
    polling: Polling = Field(default_factory=Polling)
    caps: Frequency = Field(default_factory=Frequency)
    log: Log = Field(default_factory=Log)
    read_model_url: ReadModelUrl | None = Field(
        None, description="where `worker project` writes and `why` reads: postgresql://... or sqlite:///FILE"
    )
    read_model_months: int = Field(13, ge=1, le=120, description="what is older than so many whole months is forgotten")
    metrics_port: int = Field(0, ge=0, le=65535, description="serves /metrics, /live and /ready; 0: off")
    broker: Literal["mock", "kafka"] = Field("mock", description="what the demo runs on")

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels' names."""
        return tuple(one.partition("=")[0] for one in self.channels)

    @property
    def master_key_bytes(self) -> bytes:
        """The master key itself, 32 bytes."""
        return master_key_bytes(self.master_key)

    def topic(self, name: str) -> str:
        """Name of one of Postcart's own topics: ``signals`` becomes ``postcart.signals``."""
        return f"{self.topic_prefix}{name}"

    def shop_topic(self, name: str) -> str:
        """Name of one of the shop's topics: ``carts`` becomes ``shop.carts``."""
        return f"{self.shop_prefix}{name}"

    def is_set(self, path: str) -> bool:
        """Whether the setting at ``path`` (``smtp.host``) was set by anybody."""
        group, _, name = path.rpartition(".")
        owner: Group = getattr(self, group) if group else self
        return (not group or group in self.model_fields_set) and name in owner.model_fields_set

    def with_values(self, values: Mapping[str, object]) -> "Settings":
        """Return a copy with other top-level values, validated. For the demo and tests."""
        data = {name: getattr(self, name) for name in self.model_fields_set}
        return Settings.model_validate({**data, **values})
