"""Places with little room: a small disk for brokers, and filling it.

Owns: mounting and unmounting. Must not: know what is on it.
"""

import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random

from faults.crew import wall_ms
from faults.world import World
from postcart.adapters.local_kafka import LocalKafka
from waiting import wait_for

_CHUNK = 1024 * 1024
_FULL_S = 15.0


class NoMount(RuntimeError):  # noqa: N818 -- names a state of the world
    """This machine lets us mount nothing: that takes root."""


class SmallDiskKafka(LocalKafka):
    """One broker whose data are on a disk of their own, of this size.

    Raises:
        NoMount: On entering, where it can't be mounted.
    """

    def __init__(self, cache: Path, *, megabytes: int) -> None:
        super().__init__(cache, start_timeout_s=300.0)
        self._megabytes = megabytes
        self.disk = Path()

    def _format(self) -> None:
        self.disk = self._folder / "data-0"
        self.disk.mkdir()
        size = f"size={self._megabytes}m"
        mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", self.disk]
        done = subprocess.run(mount, check=False, capture_output=True, text=True)  # noqa: S603 -- no shell
        if done.returncode:
            raise NoMount(f"a small disk can't be mounted here: {done.stderr.strip()}")
        super()._format()

    def stop(self) -> None:
        """End everything. Idempotent."""
        for number in tuple(self._processes):
            self.kill(number)
        if self.disk.is_mount():
            subprocess.run(["umount", "-l", self.disk], check=False)  # noqa: S603, S607 -- no shell
        super().stop()


def fill_disk(world: World, _: Random) -> None:
    """The broker's disk is full for a while; then there is room, and the platform starts it again if it ended."""
    ballast = world.broker.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * _CHUNK)
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)
    world.pause(_FULL_S, looks=False)
    process = world.broker._processes.get(0)
    ended = process is None or process.poll() is not None
    world.notes["broker_ended"] = float(ended)
    ballast.unlink()
    if ended:
        world.broker.kill(0)
        world.broker.start(0)
    wait_for(lambda: world.broker.await_ready() is None, lambda: "the broker does not come back")
    for kind in world.row.crew:
        world.harm.append((wall_ms(), kind, "disk has room again"))
