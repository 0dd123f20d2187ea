"""The doctor looks at mail: does the server let us in, does the signature's key fit what the DNS says.

Owns: those checks. Must not: send a message.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from postcart.adapters.dns_txt import DnsSilent
from postcart.adapters.smtp import SmtpSender
from postcart.content.dkim import DkimKey
from postcart.errors import ChannelUnavailable, ConfigurationError, CredentialsRejected, DeliveryError
from postcart.settings import Settings
from postcart.settings.model import LOOPBACK, SmtpServer
from postcart.wiring.doctor.finding import Finding, fail, ok, warn
from postcart.wiring.email import dkim_signer, smtp_config

Lookup = Callable[[str], list[str]]
"""TXT records of a name; raises DnsSilent."""


def mail_findings(settings: Settings, *, lookup: Lookup | None) -> Iterator[Finding]:
    """All of them, in order.

    Args:
        settings: As loaded.
        lookup: Asks the DNS; None: it is not asked.
    """
    for server in settings.smtp.servers:
        yield asyncio.run(_server(server))
    yield _dkim(settings)
    if lookup is not None:
        yield from _dns(settings, lookup)


async def _server(smtp: SmtpServer) -> Finding:
    where = f"{smtp.host}:{smtp.port}"
    try:
        sender = SmtpSender(smtp_config(smtp))
        try:
            await sender.check()
        finally:
            await sender.close()
    except ConfigurationError as error:
        return fail("mail server", "; ".join(error.problems), "mend POSTCART_SMTP__*")
    except CredentialsRejected as error:
        todo = "check POSTCART_SMTP__USERNAME and POSTCART_SMTP__PASSWORD"
        return fail("mail server", f"{where} refuses our login: {error}", todo)
    except ChannelUnavailable as error:
        todo = "check POSTCART_SMTP__HOST, __PORT and __TLS, and that this machine reaches it"
        return fail("mail server", f"{where} can't be reached: {error}", todo, unreachable=True)
    except DeliveryError as error:
        return fail("mail server", f"{where} does not want us: {error}", "ask whoever runs it")
    how = {"none": "in clear", "tls": "over TLS", "starttls": "over STARTTLS"}[smtp.tls]
    login = "logged in" if smtp.username else "without a login"
    if smtp.tls == "none" and smtp.host not in LOOPBACK:
        return warn("mail server", f"{where} answers, {how}, {login}", "set POSTCART_SMTP__TLS to starttls or tls")
    return ok("mail server", f"{where} answers, {how}, {login}")


def _dkim(settings: Settings) -> Finding:
    try:
        signer = dkim_signer(settings)
    except ConfigurationError as error:
        return fail("DKIM", "; ".join(error.problems), "mend POSTCART_DKIM__*")
    if signer is None:
        detail, todo = "mails are not signed: Gmail, Yahoo and Outlook refuse them", "set POSTCART_DKIM__*"
        return warn("DKIM", detail, todo)
    domain, sender = str(settings.dkim.domain).lower(), _sender_domain(settings)
    if sender != domain and not sender.endswith(f".{domain}") and not domain.endswith(f".{sender}"):
        return warn(
            "DKIM",
            f"signs for {domain}, but mails come from {sender}: DMARC does not count it",
            "sign for the From address's domain",
        )
    return ok("DKIM", f"signs for {domain} by {settings.dkim.selector}")


def _dns(settings: Settings, lookup: Lookup) -> Iterator[Finding]:
    dkim, sender = settings.dkim, _sender_domain(settings)
    try:
        for selector, file in (
            (dkim.selector, dkim.private_key_file),
            (dkim.ed25519_selector, dkim.ed25519_private_key_file),
        ):
            if selector and file:
                yield _published(lookup, DkimKey.load(selector, file), f"{selector}._domainkey.{dkim.domain}")
        yield _policy(lookup, "SPF", sender, "v=spf1", f"publish one for {sender} that lists the mail server")
        todo = f'publish "v=DMARC1; p=none; rua=mailto:…" at _dmarc.{sender}, later p=quarantine'
        yield _policy(lookup, "DMARC", f"_dmarc.{sender}", "v=DMARC1", todo)
    except DnsSilent as error:
        yield fail("DNS", str(error), "check this machine's DNS server (/etc/resolv.conf)", unreachable=True)
    except ConfigurationError:
        return  # the key can't be read: said above


def _sender_domain(settings: Settings) -> str:
    return str(settings.shop.from_address).rpartition("@")[2].lower()


def _published(lookup: Lookup, key: DkimKey, name: str) -> Finding:
    records = lookup(name)
    if not records:
        return fail("DKIM in DNS", f"there is no TXT record {name}", f'publish "{public_record(key)}" there')
    if any(_same_key(record, key) for record in records):
        return ok("DKIM in DNS", f"{name} holds the key that signs")
    todo = f'publish "{public_record(key)}", or sign by the key that is published'
    return fail("DKIM in DNS", f"{name} holds another key than the one that signs: every signature fails", todo)


def _policy(lookup: Lookup, check: str, name: str, begins: str, todo: str) -> Finding:
    found = [record for record in lookup(name) if record.lower().startswith(begins.lower())]
    if len(found) == 1:
        return ok(check, f"{name}: {found[0]}")
    detail = f"{name} has no record {begins}" if not found else f"{name} has {len(found)} records {begins}: none counts"
    return warn(check, detail, todo)


def public_record(key: DkimKey) -> str:
    """What the DNS is to hold for this key (RFC 6376, 3.6.1; RFC 8463)."""
    public = key.private.public_key()
    if isinstance(public, RSAPublicKey):
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


def _same_key(record: str, key: DkimKey) -> bool:
    tags = dict(part.strip().partition("=")[::2] for part in record.split(";"))
    try:
        published = base64.b64decode("".join(tags.get("p", "").split()))
        public = key.private.public_key()
        if not isinstance(public, RSAPublicKey):
            return published == public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        found = load_der_public_key(published)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(found, RSAPublicKey) and found.public_numbers() == public.public_numbers()
