"""A small server that speaks HTTP/2 over TLS and nothing else, as Apple's does: for trials and tests.

Owns: h2's events and the connection. Must not: know what is asked of it.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from postcart.adapters.web_server import Tls

_CHUNK: Final = 65_536
_START_S: Final = 20.0
_CLOSE_S: Final = 5.0


class Asked(NamedTuple):
    """A request. Names of headers are in lower case; ``:method`` and ``:path`` are among them."""

    headers: Mapping[str, str]
    body: bytes


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Handle = Callable[[Asked], Awaitable[Told]]


class Http2Server:
    """One server.

    Args:
        handle: Answers requests, on the server's event loop.
        tls: Its certificate and key.
        host: Address to listen on.
        port: To listen on; 0: any that is free.
    """

    def __init__(self, handle: Handle, *, tls: Tls, host: str = "127.0.0.1", port: int = 0) -> None:
        self._handle = handle
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(tls.certificate, tls.key)
        self._context.set_alpn_protocols(["h2"])
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]

    async def serve(self, stop: asyncio.Event, up: threading.Event | None = None) -> None:
        """Serve until ``stop`` is set."""
        talks: set[asyncio.Task[None]] = set()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._talk(reader, writer))
            talks.add(task)
            task.add_done_callback(talks.discard)

        server = await asyncio.start_server(begin, sock=self._socket, ssl=self._context)
        if up is not None:
            up.set()
        await stop.wait()
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    @contextlib.contextmanager
    def running(self) -> Iterator["Http2Server"]:
        """Serve on a thread of its own while the ``with`` block lasts."""
        loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(self.serve(stop, up)), name="http2-server", daemon=True
        )
        thread.start()
        up.wait(_START_S)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(_START_S)
            loop.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = _Talk(self._handle, writer)
        try:
            await talk.begin()
            while data := await reader.read(_CHUNK):
                await talk.take(data)
        except (OSError, ssl.SSLError, ProtocolError):
            pass  # the client is gone, or speaks something else
        finally:
            talk.end()
            writer.transport.abort()
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await writer.wait_closed()


class _Talk:
    """One connection."""

    def __init__(self, handle: Handle, writer: asyncio.StreamWriter) -> None:
        self._handle = handle
        self._writer = writer
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asked: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._answers: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        self._h2.initiate_connection()
        await self._flush()

    async def take(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            self._heed(event)
        await self._flush()

    def end(self) -> None:
        for task in self._answers:
            task.cancel()

    def _heed(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._asked[event.stream_id] = ({str(name): str(value) for name, value in event.headers}, bytearray())
        elif isinstance(event, DataReceived):
            self._asked[event.stream_id][1].extend(event.data)
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamReset):
            self._asked.pop(event.stream_id, None)
        elif isinstance(event, StreamEnded):
            headers, body = self._asked.pop(event.stream_id)
            task = asyncio.get_running_loop().create_task(self._answer(event.stream_id, Asked(headers, bytes(body))))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, stream: int, asked: Asked) -> None:
        told = await self._handle(asked)
        with contextlib.suppress(ProtocolError, OSError):  # it did not wait
            self._h2.send_headers(stream, [(":status", str(told.status)), *told.headers.items()])
            self._h2.send_data(stream, told.body, end_stream=True)
            await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()
