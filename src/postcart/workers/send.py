"""``postcart worker send CHANNEL``: runs a sender in this process.

Owns: signals, exit codes and the order in which the process ends. Must not: build collaborators (the wiring does).
"""

import asyncio
import os
import signal
import sys

import structlog

from postcart.adapters import collector
from postcart.errors import EXIT_OK, exit_code
from postcart.senders.config import SenderConfig
from postcart.senders.sender import Sender

log = structlog.get_logger(__name__)


def run_sender(config: SenderConfig) -> int:
    """Run until SIGTERM, SIGINT or a failure.

    On a signal: no new claims, sends in flight finish, receipts are committed, the group is left.

    Returns:
        0 after a signal. On a failure it does not return: threads that hang in a call to the broker can't be joined
        then, so the process ends hard, with 75 (start it again), 78 (mend the configuration) or 70 (a bug).
    """
    collector.collect_rarely()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    failure = loop.run_until_complete(_until_signal(config))
    if failure is None:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        return EXIT_OK
    log.error("sender_failed", error=getattr(failure, "code", type(failure).__name__), exc_info=failure)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code(failure))


async def _until_signal(config: SenderConfig) -> BaseException | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        return await Sender(config).run(stop)
    except Exception as error:  # noqa: BLE001 -- a bug, too, must end the process by its exit code
        return error
