"""The web server's socket."""

import socket
from typing import Any

from postcart.adapters.web_server import WebServer


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_whoever_comes_before_it_serves_waits() -> None:
    """Where it listens is said, and logged, before its first request can be served: nobody is refused meanwhile."""
    server = WebServer(app)
    with socket.create_connection((server.host, server.port), timeout=30) as early:
        early.sendall(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        with server.running():
            assert early.recv(100).startswith(b"HTTP/1.1 204")
