"""Ports of this machine that nobody listens on.

Owns: finding one. Must not: keep it.
"""

from postcart.adapters.local_kafka import free_ports


def free_port() -> int:
    """One that was just free, and that no outgoing connection is given."""
    (port,) = free_ports(1)
    return port
