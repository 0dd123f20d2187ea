"""Ports of this machine that nobody listens on.

Owns: finding one. Must not: keep it.
"""

import socket


def free_port() -> int:
    """A port that was just free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
