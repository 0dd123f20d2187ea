"""Serves an ASGI application, on a thread or on the caller's event loop.

Owns: uvicorn, which nothing else imports, and its quiet settings. Must not: know a route.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from postcart.errors import ConfigurationError

Run = Callable[[], Coroutine[None, None, None]]
_START_S = 20.0
_STOP_S = 20.0


class Tls(NamedTuple):
    """PEM files of a server's own certificate and key."""

    certificate: Path
    key: Path


class WebServer:
    """One server.

    Args:
        app: The ASGI application.
        host: Address to listen on.
        port: To listen on; 0: any that is free.
        tls: If it speaks TLS itself.
        drain_s: How long requests may take to finish once it is to stop.

    Raises:
        ConfigurationError: The port can't be had.
    """

    def __init__(
        self, app: Any, *, host: str = "127.0.0.1", port: int = 0, tls: Tls | None = None, drain_s: int = 10
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen()  # whoever reads where it listens may come before it serves: then it waits
        except OSError as error:
            self._socket.close()
            raise ConfigurationError(f"{host}:{port} can't be listened on: {error.strerror}") from error
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=True,
            h11_max_incomplete_event_size=16_384,
            timeout_graceful_shutdown=drain_s,
            ssl_certfile=str(tls.certificate) if tls else None,
            ssl_keyfile=str(tls.key) if tls else None,
        )
        self._server = uvicorn.Server(config)
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"

    @property
    def listening(self) -> bool:
        """Whether it answers."""
        return self._server.started and not self._server.should_exit

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve on this event loop until ``stop`` is set; requests under way are finished, within bounds."""
        task = asyncio.get_running_loop().create_task(self._server._serve([self._socket]))  # noqa: SLF001 -- serve() would take the process's signals
        told = asyncio.get_running_loop().create_task(stop.wait())
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        self._server.should_exit = True
        await task
        self._socket.close()

    @contextlib.contextmanager
    def running(self, *, beside: Run | None = None, leave: Run | None = None) -> Iterator["WebServer"]:
        """Serve on a thread of its own while the ``with`` block lasts.

        Args:
            beside: Runs on the same event loop meanwhile.
            leave: Runs there at the end, before requests under way are waited for.
        """
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        up = threading.Event()

        async def leaving() -> None:
            await stop.wait()
            if leave is not None:
                await leave()

        async def run() -> None:
            loop.call_later(0, self._watch, loop, up)
            others = [loop.create_task(one()) for one in (beside, leaving) if one is not None]
            await self.serve(stop)
            await others.pop()
            for one in others:
                one.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="web-server", daemon=True)
        thread.start()
        if not up.wait(_START_S):
            raise ConfigurationError(f"{self.url} does not come up")
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(_STOP_S)
            loop.close()

    def _watch(self, loop: asyncio.AbstractEventLoop, up: threading.Event) -> None:
        if self._server.started:
            up.set()
        else:
            loop.call_later(0.01, self._watch, loop, up)
