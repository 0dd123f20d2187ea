"""A sender of email as a process of its own, for tests that kill it.

Owns: putting a real sender together with a plain renderer, and the faults that a test asks for. Must not: be imported
by the product.

Usage: ``python sender_process.py SETTINGS`` with a JSON object, see ``Settings``.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

sys.path.insert(0, str(Path(__file__).parents[1]))  # what tests share: this is a program of its own

from halting import halt
from postcart.adapters.providers.smtp import SmtpProvider
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.smtp import SmtpSender
from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.vault import Vault
from postcart.content import sample
from postcart.content.dkim import DkimKey, DkimSigner
from postcart.content.email import EmailRenderer, OutgoingEmail, Recipient
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, UnsubscribeLinks
from postcart.errors import RenderError
from postcart.events.jobs import Job
from postcart.senders.config import SenderConfig, SenderLimits, SenderTopics
from postcart.senders.email import EmailAdapter
from postcart.senders.gate import GateRules
from postcart.senders.item import FaultPoint
from postcart.workers.send import run_sender

ROOT = Path(__file__).parents[2]
MASTER_KEY = bytes(range(32))


class Settings(msgspec.Struct, kw_only=True):
    """What a test tells the process."""

    bootstrap: str
    prefix: str
    name: str
    smtp_port: int
    credentials: tuple[str, str] | None = None
    limits: dict[str, float] = {}
    fault: tuple[FaultPoint, int, str] | None = None
    """Point, how often it is passed before, and ``kill`` or ``stop``."""
    replay: bool = False
    group_protocol: str = "consumer"
    real_mails: bool = False
    """Render the product's templates and sign by DKIM, instead of a short text."""


class Clock:
    """Wall time; in a replay jobs are judged by their due times."""

    def __init__(self, *, is_replay: bool) -> None:
        self.is_replay = is_replay

    def now_ms(self) -> int | None:
        """As ``SenderClock``."""
        return self.real_ms()

    def real_ms(self) -> int:
        """As ``SenderClock``."""
        return time.time_ns() // 1_000_000


class PlainRenderer:
    """A short text: what is under test is the sending."""

    def render(self, job: Job, recipient: Recipient, *, date_ms: int) -> OutgoingEmail:
        """As ``EmailRenderer.render``."""
        if job.template == "broken":
            raise RenderError("broken.txt:1: unknown variable 'nmae'")
        message = EmailMessage(policy=SMTP)
        message["Message-ID"] = f"<{job.job_id}@shop.example>"
        message["From"], message["To"], message["Subject"] = "shop@shop.example", recipient.address, f"step {job.step}"
        lines = ", ".join(f"{line.quantity} x {line.variant_id} {line.unit_price}" for line in job.lines)
        message.set_content(f"{recipient.name} {date_ms}\n{lines}\n{job.value}\n")
        return OutgoingEmail(
            message_id=message["Message-ID"],
            envelope_from="bounce@shop.example",
            recipient=recipient.address,
            data=message.as_bytes(),
            subject=message["Subject"],
        )


def real_renderer() -> EmailRenderer:
    """As the wiring builds it, with the samples' shop."""
    secret = b"sixteen bytes or more"
    key = DkimKey("s1", generate_private_key(65537, 2048))
    return EmailRenderer(
        TemplateSet(ROOT / "templates"),
        sample.SHOP,
        DkimSigner("lumen-leaf.example", key),
        UnsubscribeLinks("https://shop.example/u", "out@shop.example", secret),
        languages=Languages(ROOT / "locales"),
        envelope=EnvelopeSenders("bounce.shop.example", secret),
    )


def topics(prefix: str) -> SenderTopics:
    return SenderTopics(
        transactional=f"{prefix}jobs.email.transactional",
        marketing=f"{prefix}jobs.email.marketing",
        gate=f"{prefix}gate",
        keys=f"{prefix}keys",
        claims=f"{prefix}claims.email",
        receipts=f"{prefix}receipts",
        dead=f"{prefix}dead",
        decisions=f"{prefix}decisions",
        catalog=f"{prefix}catalog",
        suppressions=f"{prefix}suppressions",
    )


def fault_of(settings: Settings) -> Callable[[FaultPoint], None]:
    passed: Counter[FaultPoint] = Counter()

    def fault(point: FaultPoint) -> None:
        passed[point] += 1
        if settings.fault and settings.fault[0] == point and settings.fault[1] == passed[point]:
            halt(signal.SIGKILL if settings.fault[2] == "kill" else signal.SIGSTOP)

    return fault


def main() -> int:
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    limits = {key: int(value) if key in {"in_flight", "held"} else value for key, value in settings.limits.items()}
    bounds = SenderLimits(**{"in_flight": 8, "send_timeout_s": 4.0, "grace_s": 1.0, "first_probe_s": 0.2, **limits})
    user, password = settings.credentials or (None, None)
    smtp = SmtpSender(
        SmtpConfig(
            host="127.0.0.1",
            port=settings.smtp_port,
            tls="none",
            connections=bounds.in_flight,
            username=user,
            password=password,
        )
    )
    vault = Vault(MASTER_KEY, os.urandom)
    servers = {"smtp": SmtpProvider(smtp)}
    config = SenderConfig(
        client=ClientSettings(bootstrap=settings.bootstrap, group_protocol=settings.group_protocol),
        group=f"{settings.prefix}email",
        worker_name=settings.name,
        topics=topics(settings.prefix),
        adapter=EmailAdapter(real_renderer() if settings.real_mails else PlainRenderer(), servers, vault),
        clock=Clock(is_replay=settings.replay),
        rules=GateRules(quiet_hours={"cart-reminder": None}),
        limits=bounds,
        fault=fault_of(settings),
    )
    return run_sender(config)


if __name__ == "__main__":
    sys.exit(main())
