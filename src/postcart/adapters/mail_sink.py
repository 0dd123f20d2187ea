"""A local SMTP server that keeps every mail: the demo's mailbox, and an independent ledger for tests.

Owns: what was accepted, in order, in memory and in a folder (``NUMBER.eml`` and ``ledger.jsonl``). Must not: share
code with the sender, or deliver anything.

A message is in the ledger before the server says 250. Run it as its own process, which outlives any sender::

    python -m postcart.adapters.mail_sink --port 2525 --folder mails
"""

import argparse
import asyncio
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postcart.adapters.mail_sink_protocol import Drop, Late, Script, SinkOptions, SinkProtocol, Stage, message_id_of

__all__ = [
    "Drop",
    "Entry",
    "Late",
    "MailSink",
    "Received",
    "Script",
    "SinkOptions",
    "Stage",
    "read_folder",
    "running_sink",
]

LEDGER = "ledger.jsonl"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger."""

    number: int
    message_id: str
    recipient: str
    envelope_from: str
    at_ms: int


@dataclass(frozen=True)
class Received:
    """A mail that was accepted."""

    entry: Entry
    data: bytes


class MailSink:
    """The server. Belongs to the event loop that starts it; ``received`` may be read from anywhere.

    Args:
        options: How it behaves.
        clock: Milliseconds since the epoch, for the ledger.
    """

    def __init__(self, options: SinkOptions, clock: Callable[[], int]) -> None:
        self._options = options
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._protocols: set[SinkProtocol] = set()
        self.received: list[Received] = []
        self.connections = 0
        """How many were opened so far."""
        self.port = options.port

    async def start(self) -> None:
        """Listen. Mails of an earlier run in the same folder stay in the ledger and are read back."""
        if self._options.folder:
            self._options.folder.mkdir(parents=True, exist_ok=True)
            self.received += read_folder(self._options.folder)
        loop = asyncio.get_running_loop()
        context = self._options.tls if self._options.implicit_tls else None
        self._server = await loop.create_server(
            lambda: SinkProtocol(self, self._options, loop), self._options.host, self._options.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut all connections."""
        if self._server:
            self._server.close()
            for protocol in list(self._protocols):
                protocol.cut()
            await self._server.wait_closed()
            self._server = None

    def cut_all(self) -> None:
        """Cut all connections but go on listening, as a restarted server does. From the loop's thread only."""
        for protocol in list(self._protocols):
            protocol.cut()

    def keep(self, envelope_from: str, recipients: list[str], data: bytes) -> None:
        """Write a message down, once for each recipient."""
        message_id = message_id_of(data)
        for recipient in recipients:
            entry = Entry(
                number=len(self.received) + 1,
                message_id=message_id,
                recipient=recipient,
                envelope_from=envelope_from,
                at_ms=self._clock(),
            )
            if self._options.folder:
                (self._options.folder / f"{entry.number:06d}.eml").write_bytes(data)
                with (self._options.folder / LEDGER).open("ab") as ledger:
                    ledger.write(msgspec.json.encode(entry) + b"\n")
            self.received.append(Received(entry, data))

    def joined(self, protocol: "SinkProtocol") -> None:
        """A connection was opened."""
        self.connections += 1
        self._protocols.add(protocol)

    def left(self, protocol: "SinkProtocol") -> None:
        """A connection is gone."""
        self._protocols.discard(protocol)


def read_folder(folder: Path) -> list[Received]:
    """What a sink kept in ``folder``, in order. A last line cut off by a kill is left out: it was not accepted."""
    ledger = folder / LEDGER
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    entries = [msgspec.json.decode(line, type=Entry) for line in lines]
    return [Received(entry, (folder / f"{entry.number:06d}.eml").read_bytes()) for entry in entries]


@contextmanager
def running_sink(options: SinkOptions, clock: Callable[[], int]) -> Iterator[MailSink]:
    """A sink on a thread of its own, for callers without an event loop."""
    sink = MailSink(options, clock)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def listen() -> None:
        await sink.start()
        started.set()

    def run() -> None:
        loop.run_until_complete(listen())
        loop.run_forever()

    thread = threading.Thread(target=run, name="mail-sink", daemon=True)
    thread.start()
    started.wait()
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(sink.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(options: SinkOptions) -> None:
    sink = MailSink(options, lambda: time.time_ns() // 1_000_000)
    await sink.start()
    sys.stdout.write(f"{options.host}:{sink.port}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    await ended.wait()
    await sink.stop()


def main() -> None:
    """Run a sink as this process until SIGTERM or SIGINT; prints its address when it listens."""
    parser = argparse.ArgumentParser(prog="postcart-mail-sink", description="A local SMTP server that keeps mails.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--folder", type=Path, required=True, help="where mails and ledger.jsonl go")
    parser.add_argument("--user", help="ask for a login with this name")
    parser.add_argument("--password", default="", help="and this password")
    parser.add_argument("--certificate", type=Path, help="PEM file with key and certificate: offers STARTTLS")
    given = parser.parse_args()
    tls = None
    if given.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.certificate)
    options = SinkOptions(
        folder=given.folder,
        host=given.host,
        port=given.port,
        tls=tls,
        credentials=(given.user, given.password) if given.user else None,
    )
    asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
