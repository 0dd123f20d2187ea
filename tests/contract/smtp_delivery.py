"""A delivery by the SMTP adapter to a server of the test.

Owns: envelope and message, the adapter's settings, and what a delivery came to. Must not: judge it.
"""

import asyncio
from collections.abc import Coroutine

import pytest

from postcart.adapters.mail_sink import Drop, MailSink, Script, SinkOptions, Stage
from postcart.adapters.smtp import Accepted, SmtpConfig, SmtpSender
from postcart.errors import DeliveryError
from smtp_sink import sink

FROM, TO = "b-job-tag@bounce.shop.example", "ana.muster@example.com"
MESSAGE = b"From: a@shop.example\r\nMessage-ID: <1@shop.example>\r\n\r\n.dot\r\n..two\r\ntext\r\n.\r\nmore\r\n"


def config(port: int, **changes: object) -> SmtpConfig:
    """A server on this machine, without TLS unless ``changes`` say so."""
    fields: dict[str, object] = {"host": "127.0.0.1", "port": port, "tls": "none", "timeout_s": 20.0}
    return SmtpConfig(**(fields | changes))  # type: ignore[arg-type]


def run(work: Coroutine[object, object, None]) -> None:
    """On an event loop of its own."""
    asyncio.run(work)


async def deliver(server: MailSink, **changes: object) -> Accepted:
    """One message, by a sender of its own."""
    sender = SmtpSender(config(server.port, **changes))
    try:
        return await sender.send(FROM, TO, MESSAGE)
    finally:
        await sender.close()


def outcome(script: Script, *, pipelining: bool = True, **changes: object) -> tuple[DeliveryError, MailSink]:
    """What a scripted server makes of a delivery."""

    async def work() -> tuple[DeliveryError, MailSink]:
        async with sink(SinkOptions(script=script, pipelining=pipelining)) as server:
            with pytest.raises(DeliveryError) as caught:
                await deliver(server, **changes)
            return caught.value, server

    return asyncio.run(work())


def at(stage: Stage, answer: str | Drop) -> Script:
    """A server that answers so at this stage, and else as usual."""
    return lambda reached, _text: answer if reached == stage else None
