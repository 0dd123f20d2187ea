"""Postfix's smtp-sink (``apt-get install postfix``): a mail server that costs as little as one can.

Owns: its life. Must not: measure.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

from postcart.adapters.local_kafka import free_ports


def postfix_program(name: str) -> str:
    """Where one of Postfix's programs is."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/libexec/postfix")
    if found is None:
        raise SystemExit(f"no {name} on the PATH: apt-get install postfix")
    return found


@contextlib.contextmanager
def running_sink(port: int | None = None) -> Iterator[int]:
    """A server that takes every mail and throws it away, for the time of the block; its port."""
    if port is None:
        (port,) = free_ports(1)
    sink = subprocess.Popen([postfix_program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "1000"])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        sink.kill()
        sink.wait()
