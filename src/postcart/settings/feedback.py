"""Settings of mails that come back.

Owns: the model. Must not: know what it leads to (wiring).
"""

from typing import Literal

from pydantic import Field

from postcart.settings.values import DomainName, Group, MailAddress


class Feedback(Group):
    """Where mails that come back are taken in: bounces, complaints, opt-outs by mail (`postcart worker feedback`)."""

    host: str = Field("localhost", min_length=1, description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(2525, ge=1, le=65535, description="to listen on; the mail server of the domain relays to it")
    protocol: Literal["smtp", "lmtp"] = Field("smtp", description="lmtp beside a mail server on the same machine")
    domain: DomainName | None = Field(
        None,
        description="of envelope senders, its MX leads here; below the From address's domain, which is the default",
    )
    complaints: MailAddress | None = Field(None, description="address that feedback loops are told to report to")
    max_bytes: int = Field(5_000_000, ge=10_000, le=50_000_000, description="of a mail; larger ones are refused")
    connections: int = Field(50, ge=1, le=1000, description="at a time; each may hold a mail in memory")
    timeout_s: float = Field(120.0, ge=1, le=600, description="seconds for each step of the conversation")
