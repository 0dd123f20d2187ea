"""How the SMTP server is reached.

Owns: those values and the TLS context. Must not: connect.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from postcart.errors import ConfigurationError

TlsMode = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, kw_only=True)
class SmtpConfig:
    """Where and how to deliver.

    Attributes:
        tls: ``starttls`` and ``tls`` (from the first byte) are required to succeed; ``none`` is for local servers only.
        ca_file: PEM file of the authorities to trust instead of the system's.
        helo: Our name in EHLO; must resolve to our address for strict servers.
        timeout_s: For each answer of the server; ``message_timeout_s`` for the whole dialogue about one message, which
            is the longest that ``send`` takes once it has a connection.
        connections: At most so many at once, each sends one message at a time.
        idle_s: An idle connection older than that is closed; after ``check_after_s`` it is asked (RSET) before use.
        messages_per_connection: Then a new one is opened, as providers want it.
        pipelining: Say envelope and DATA at once where the server offers it; some that do can't.
    """

    host: str
    port: int = 587
    username: str | None = None
    password: str | None = None
    tls: TlsMode = "starttls"
    ca_file: Path | None = None
    helo: str = "localhost"
    timeout_s: float = 30.0
    message_timeout_s: float = 60.0
    connections: int = 8
    idle_s: float = 60.0
    check_after_s: float = 5.0
    messages_per_connection: int = 500
    pipelining: bool = True

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that checks certificate and host name; None without TLS.

        Raises:
            ConfigurationError: The file of authorities can't be read.
        """
        if self.tls == "none":
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"POSTCART_SMTP__CA_FILE {self.ca_file}: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
