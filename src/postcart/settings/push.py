"""Settings of push messages: one group for each kind of subscription.

Owns: these models. Must not: know what they lead to (wiring).
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from postcart.settings.messaging import ApiAddress
from postcart.settings.values import Group


def check_host(value: str) -> str:
    """A host's name, or ``*.`` and one for all below it."""
    if not re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", value):
        raise ValueError(f"{value!r}: write a host in small letters, for example *.push.apple.com")
    return value


def check_vapid_contact(value: str) -> str:
    """Of whom push services may ask (RFC 8292, 2.1)."""
    if not re.fullmatch(r"mailto:[^\s@<>]+@[^\s@<>]+|https://\S+", value):
        raise ValueError(f"{value!r}: write mailto:ADDRESS or an address that begins with https://")
    return value


HostPattern = Annotated[str, AfterValidator(check_host)]
VapidContact = Annotated[str, AfterValidator(check_vapid_contact)]


class PushService(Group):
    """What all kinds have in common."""

    connections: int = Field(16, ge=1, le=1000, description="most messages at a time")
    timeout_s: float = Field(10.0, gt=0, le=120, description="seconds for an answer")
    rate_per_s: float | None = Field(None, gt=0, le=100_000, description="most messages a second; none: no bound")
    ca_file: Path | None = Field(None, description="PEM file of an own authority, for trials; else the system's")


class WebPush(PushService):
    """Push messages to browsers (Web Push with VAPID)."""

    key_file: Path | None = Field(
        None, description="PEM file of the private key on P-256 whose public key your pages subscribe with"
    )
    contact: VapidContact | None = Field(
        None, description="mailto: or https: address for push services; by default that of shop.from_address"
    )
    hosts: tuple[HostPattern, ...] = Field(
        (
            "fcm.googleapis.com",
            "updates.push.services.mozilla.com",
            "*.push.apple.com",
            "*.notify.windows.com",
        ),
        description="push services that are gone to: JSON, or a list in a file",
    )


class Fcm(PushService):
    """Push messages to apps over Firebase Cloud Messaging."""

    credentials_file: Path | None = Field(
        None, description="JSON file of a service account of the Firebase project, as its console gives it out"
    )
    base_url: ApiAddress = Field("https://fcm.googleapis.com", description="another one for trials")


class Apns(PushService):
    """Push messages to apps of Apple's devices."""

    key_file: Path | None = Field(None, description="p8 file of an APNs key of your team")
    key_id: str | None = Field(None, pattern=r"^[A-Z0-9]{10}$", description="its id")
    team_id: str | None = Field(None, pattern=r"^[A-Z0-9]{10}$", description="your team's id")
    topic: str | None = Field(
        None, min_length=1, max_length=200, description="of subscriptions that name no app: its bundle id"
    )
    base_url: ApiAddress = Field(
        "https://api.push.apple.com", description="https://api.sandbox.push.apple.com for apps under development"
    )
