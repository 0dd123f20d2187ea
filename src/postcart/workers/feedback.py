"""``postcart worker feedback``: takes returned mails in until it is told to stop.

Owns: signals, exit codes and the order in which the process ends. Must not: build collaborators (the wiring does).
"""

import asyncio
import signal
from collections.abc import Callable

import structlog

from postcart.adapters.mail_intake import IntakeHandler, IntakeOptions, MailIntake
from postcart.errors import EXIT_OK, BrokerUnavailable, exit_code
from postcart.gateway.desk import FeedbackDesk

log = structlog.get_logger(__name__)


def run_intake(desk: FeedbackDesk, options: IntakeOptions, *, listening: Callable[[bool], None]) -> int:
    """Run until SIGTERM, SIGINT, or until the producer can't go on.

    On a signal: no new mails, those whose text has come are dealt with.

    Args:
        desk: Deals with mails.
        options: Where it listens.
        listening: Told when it begins and ends to listen, for the probes.

    Returns:
        0 after a signal, 75 (start it again) after a failure of the producer.

    Raises:
        ConfigurationError: The port is taken.
    """
    failure = asyncio.run(_until_told(desk, options, listening))
    if failure is None:
        return EXIT_OK
    log.error("feedback intake failed", error=failure.code)
    return exit_code(failure)


async def _until_told(
    desk: FeedbackDesk, options: IntakeOptions, listening: Callable[[bool], None]
) -> BrokerUnavailable | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def take(recipient: str, data: bytes) -> None:
        try:
            await asyncio.to_thread(desk.take, data, recipient=recipient, source="smtp")
        finally:
            if desk.records.failed is not None:
                stop.set()

    def refused(reason: str) -> None:
        desk.metrics.received("smtp", reason)

    intake = MailIntake(options, IntakeHandler(accepts=desk.reader.accepts, take=take, refused=refused))
    await intake.start()
    listening(True)  # noqa: FBT003 -- the one thing that it tells
    await stop.wait()
    listening(False)  # noqa: FBT003 -- the same
    await intake.stop()
    failed = desk.records.failed
    return None if failed is None else BrokerUnavailable(f"the producer can't go on: {failed.str()}")
