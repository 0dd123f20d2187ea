"""Places with little room: a small disk for brokers, and filling it.

Owns: mounting and unmounting. Must not: know what is on it.
"""

import errno
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from faults.crew import wall_ms
from faults.tail import wait_for
from faults.world import World

_CHUNK = 1024 * 1024
_FULL_S = 15.0


@contextmanager
def small_disk(megabytes: int) -> Iterator[None]:
    """Brokers that start in the block have their data on a disk of this size; 0: where they always have it.

    Raises:
        OSError: It can't be mounted: that takes root.
    """
    if not megabytes:
        yield
        return
    place = tempfile.mkdtemp(prefix="faults-disk-")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], check=True)  # noqa: S603, S607 -- no shell
    except subprocess.CalledProcessError as error:
        raise OSError(errno.EPERM, "a small disk can't be mounted here: that takes root") from error
    former, tempfile.tempdir = tempfile.tempdir, place
    try:
        yield
    finally:
        tempfile.tempdir = former
        subprocess.run(["umount", "-l", place], check=False)  # noqa: S603, S607 -- no shell
        Path(place).rmdir()


def fill_disk(world: World, _: Random) -> None:
    """The broker's disk is full for a while; then there is room, and the platform starts it again if it ended."""
    ballast = world.broker._folder / "ballast"
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
