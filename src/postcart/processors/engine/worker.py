"""Runs the Faust worker of a stage in this process.

Owns: signals, exit codes and the order in which a worker ends. Must not: configure logging.
"""

import asyncio
import contextlib
import os
import signal
import sys

import faust
import structlog

from postcart.adapters import collector
from postcart.errors import EXIT_OK, exit_code
from postcart.processors.engine.app import StageApp

log = structlog.get_logger(__name__)

_STOP_S = 3.0


class _Worker(faust.Worker):
    """Faust's worker without its terminal, logging and signal handling."""

    def install_signal_handlers(self) -> None:
        """Nothing: ``run_worker`` has its own, which leave the group first."""


def run_worker(app: StageApp) -> int:
    """Run until SIGTERM, SIGINT or a failure.

    On a signal: commit, leave the group, end. On a failure: end at once, committing nothing; threads that hang in a
    call to the broker can't be joined then, so the process is ended hard.

    Returns:
        The exit code 0. On a failure it does not return: the process ends with ``exit_code``.
    """
    collector.collect_rarely()
    app.engine.when_restored(collector.keep_restored)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    failure = loop.run_until_complete(run_until_stopped(app))
    if failure is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code(failure))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return EXIT_OK


async def run_until_stopped(app: StageApp, stop: asyncio.Event | None = None) -> BaseException | None:
    """Run the app on the current loop until ``stop`` is set, a signal comes, or it fails; returns the failure."""
    loop = asyncio.get_running_loop()
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    worker = _Worker(app, quiet=True, override_logging=False, redirect_stdouts=False, loop=loop)
    worker.spinner = None
    started = loop.create_task(worker.start())
    asked, failed = loop.create_task(stop.wait()), loop.create_task(app.engine.ended.wait())
    await asyncio.wait({started, asked, failed}, return_when=asyncio.FIRST_COMPLETED)
    if asked.done() and app.engine.health.failure is None:
        log.info("worker_leaves")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(app.leave_within_ms / 1000):
                await app.leave()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await worker.stop()
    for task in (asked, failed, started):
        task.cancel()
    outcomes = await asyncio.gather(started, asked, failed, return_exceptions=True)
    crashed = outcomes[0] if isinstance(outcomes[0], Exception) else None
    failure = app.engine.health.failure or worker.crash_reason or crashed
    if failure is not None and failure is not app.engine.health.failure:
        log.error("worker_failed", error=repr(failure), exc_info=failure)
    return failure
