"""Settings of the in-app feed, as the gateway serves it.

Owns: this model. Must not: know a route, or a token's form.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from postcart.settings.values import Group, check_web_address

_SECRET_LEAST = 32
"""Bytes: what HMAC-SHA256 needs (RFC 7518, 3.2)."""


def check_token_secret(value: SecretStr) -> SecretStr:
    """Long enough to sign with."""
    size = len(value.get_secret_value().encode())
    if size < _SECRET_LEAST:
        raise ValueError(f"has {size} bytes, tokens are signed with {_SECRET_LEAST} at least: openssl rand -base64 32")
    return value


def check_origin(value: str) -> str:
    """Scheme and host as browsers send them, without a path."""
    value = check_web_address(value).rstrip("/")
    if value.partition("://")[2].count("/"):
        raise ValueError(f"{value!r}: an origin is https://HOST, without a path")
    return value


TokenSecret = Annotated[SecretStr, AfterValidator(check_token_secret)]
Origin = Annotated[str, AfterValidator(check_origin)]


class Feed(Group):
    """The in-app feed: who may see whose (docs/feed.md)."""

    secret: TokenSecret = Field(
        SecretStr("for-trials-only-secret-of-feed-tokens"), description="signs tokens (HS256); the shop's server has it"
    )
    former_secret: TokenSecret | None = Field(None, description="is taken, too, while the secret is being replaced")
    origins: tuple[Origin, ...] = Field(
        (), description="web pages that may ask, for example https://shop.example: JSON, or a list in a file"
    )
    page: bool = Field(default=False, description="serve a page to try it, at /feed")
    rate_per_s: float = Field(10.0, gt=0, le=1000, description="most requests of one person, over the long run")
    burst: int = Field(50, ge=1, le=10_000, description="most at once")
    streams: int = Field(8, ge=1, le=100, description="open streams of one person: its tabs and devices")
    streams_all: int = Field(10_000, ge=1, le=1_000_000, description="open streams of this process")
    heartbeat_s: float = Field(15.0, ge=0.1, le=60, description="between two signs of life on a stream")
    connections: int = Field(4, ge=1, le=100, description="to the read model")
