"""``postcart worker gateway``: answers over HTTP until it is told to stop.

Owns: signals, exit codes and the order in which the process ends. Must not: build collaborators (the wiring does).
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from postcart.adapters.web_server import WebServer
from postcart.errors import EXIT_OK, exit_code

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class GatewayConfig:
    """What the worker is given.

    Attributes:
        server: Not yet serving.
        watches: Run beside it; one that ends by an error ends the process.
        failed: What else may have failed meanwhile; asked twice a second.
        leave: Called when it is to stop, before requests under way are waited for: answers without end end here.
        close: Called at the end.
    """

    server: WebServer
    watches: tuple[Callable[[], Awaitable[None]], ...] = ()
    failed: Callable[[], BaseException | None] = lambda: None
    leave: tuple[Callable[[], Awaitable[None]], ...] = field(default=())
    close: tuple[Callable[[], Awaitable[None]], ...] = field(default=())


_LOOK_EVERY_S = 0.5


def run_server(config: GatewayConfig) -> int:
    """Serve until SIGTERM, SIGINT or a failure. On a signal no new connections, requests under way are answered.

    Returns:
        0 after a signal, 75 (start it again) or 70 (a bug) after a failure.
    """
    failure = asyncio.run(_until_told(config))
    if failure is None:
        return EXIT_OK
    log.error("gateway_failed", error=getattr(failure, "code", type(failure).__name__), exc_info=failure)
    return exit_code(failure)


async def _until_told(config: GatewayConfig) -> BaseException | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failures: list[BaseException] = []

    async def watched(run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 -- a bug, too, must end the process by its exit code
            failures.append(error)
            stop.set()

    async def look() -> None:
        while (error := config.failed()) is None:  # noqa: ASYNC110 -- other threads fail without an event
            await asyncio.sleep(_LOOK_EVERY_S)
        raise error

    async def leave() -> None:
        await stop.wait()
        for one in config.leave:
            await one()

    tasks = [loop.create_task(watched(run)) for run in (*config.watches, look)]
    leaving = loop.create_task(leave())
    log.info("gateway_listens", url=config.server.url)
    await config.server.serve(stop)
    await leaving
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for close in config.close:
        await close()
    return failures[0] if failures else None
