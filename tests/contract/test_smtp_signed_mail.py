"""From a job to a mailbox: rendered, signed, sent, kept; then verified by another DKIM implementation."""

import asyncio
import base64
import email
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postcart.adapters.smtp import SmtpConfig, SmtpSender
from postcart.content import sample
from postcart.content.dkim import DkimKey, DkimSigner
from postcart.content.email import EmailRenderer, Recipient
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, Sent, UnsubscribeLinks
from smtp_sink import sink

ROOT = Path(__file__).parents[2]
SECRET = b"sixteen bytes or more"
KEY = generate_private_key(65537, 2048)


def _renderer() -> EmailRenderer:
    return EmailRenderer(
        TemplateSet(ROOT / "templates"),
        sample.SHOP,
        DkimSigner(sample.SHOP.domain, DkimKey("s1", KEY)),
        UnsubscribeLinks("https://shop.example/u", "out@shop.example", SECRET),
        languages=Languages(ROOT / "locales"),
        envelope=EnvelopeSenders("bounce.lumen-leaf.example", SECRET),
    )


def _dns(name: bytes, **_options: object) -> bytes:
    assert name == b"s1._domainkey.lumen-leaf.example."
    der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; p=" + base64.b64encode(der)


def test_what_arrives_verifies() -> None:
    """In every language; the ledger knows the job by Message-ID and envelope sender."""
    recipients = [Recipient(f"{tag}@example.com", "Zoë 🌿 زينب", tag) for tag in ("en", "de", "ar")]
    job = sample.sample_job("cart-reminder-incentive")

    async def work() -> list[bytes]:
        async with sink() as server:
            sender = SmtpSender(SmtpConfig(host="127.0.0.1", port=server.port, tls="none"))
            for recipient in recipients:
                mail = _renderer().render(job, recipient, date_ms=sample.DATE_MS)
                await sender.send(mail.envelope_from, mail.recipient, mail.data)
            await sender.close()
            for received, recipient in zip(server.received, recipients, strict=True):
                assert received.entry.message_id == f"<{job.job_id}@{sample.SHOP.domain}>"
                assert received.entry.recipient == recipient.address
                envelope = EnvelopeSenders("bounce.lumen-leaf.example", SECRET)
                assert envelope.read(received.entry.envelope_from) == Sent(job.job_id, job.person_id)
            return [received.data for received in server.received]

    for data in asyncio.run(work()):
        assert dkim.verify(data, dnsfunc=_dns)
        message = email.message_from_bytes(data, policy=SMTP)
        assert isinstance(message, EmailMessage)
        assert not message.defects
        assert message["To"].addresses[0].display_name == "Zoë 🌿 زينب"
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert all(not part.defects for part in message.iter_parts())
