"""A cluster that clients reach only through proxies, whose connections can be slow, and be reset.

Owns: the proxies, and brokers that advertise them. Must not: look at what passes.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from faults.crew import wall_ms
from faults.world import World
from ports import free_port
from postcart.adapters.local_kafka import LocalKafka

_CHUNK = 64 * 1024
_RESETS, _EVERY_S = 6, 2.5
_SLOW_S = 0.25


class Proxies:
    """One per broker, on a thread of its own."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def listen(self, port: int, target: int) -> None:
        """Pass what comes to ``port`` on to ``target``."""
        self._call(self._listen(port, target))

    def reset_all(self) -> int:
        """Reset every connection, as a failing network device does; how many."""
        return int(self._call(self._reset()))

    def close(self) -> None:
        """Stop."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self, port: int, target: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, target)

        self._servers.append(await asyncio.start_server(accept, "127.0.0.1", port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._open -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _reset(self) -> int:
        found = list(self._open)
        for writer in found:
            raw = writer.get_extra_info("socket")
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return len(found)

    async def _close(self) -> None:
        await self._reset()
        for server in self._servers:
            server.close()
            await server.wait_closed()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class ProxiedKafka(LocalKafka):
    """A cluster whose brokers advertise their proxies, to each other as well."""

    def __init__(self, cache: Path, *, brokers: int, proxies: Proxies) -> None:
        super().__init__(cache, brokers=brokers, start_timeout_s=300.0)
        self.proxies = proxies
        self._doors: dict[int, int] = {}

    @property
    def bootstrap(self) -> str:
        """Addresses of the proxies."""
        return ",".join(f"127.0.0.1:{self._doors[node.number]}" for node in self._nodes)

    def _format(self) -> None:
        super()._format()
        for node in self._nodes:
            door = free_port()
            self._doors[node.number] = door
            self.proxies.listen(door, node.port)
            settings = self._folder / f"broker-{node.number}.properties"
            advertised = f"advertised.listeners=PLAINTEXT://127.0.0.1:{door}\n"
            kept = [
                line for line in settings.read_text().splitlines(keepends=True) if not line.startswith("advertised.")
            ]
            settings.write_text("".join([*kept, advertised]))


@contextmanager
def proxied_cluster(cache: Path, brokers: int) -> Iterator[ProxiedKafka]:
    """A cluster behind proxies for the time of the block."""
    proxies = Proxies()
    try:
        with ProxiedKafka(cache, brokers=brokers, proxies=proxies) as cluster:
            yield cluster
    finally:
        proxies.close()


def disturb(world: World, random: Random) -> None:
    """Connections are slow for a while, and reset again and again."""
    proxies: Proxies = world.broker.proxies
    resets = 0
    for number in range(_RESETS):
        proxies.delay_s = _SLOW_S if number % 2 else 0.0
        world.pause(_EVERY_S * random.uniform(0.6, 1.4), looks=False)
        resets += proxies.reset_all()
    proxies.delay_s = 0.0
    world.notes["resets"] = resets
    for kind in world.row.crew:
        world.harm.append((wall_ms(), kind, "network well again"))
