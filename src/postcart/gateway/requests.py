"""What all routes have in common: bounded bodies, and answers that are true.

Owns: reading a body within its bound, and what a failure is answered with. Must not: know a route.
"""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from postcart.errors import BrokerUnavailable

log = structlog.get_logger(__name__)

BODY_MOST: Final = 262_144
"""256 kB (delivery rules, "Webhooks in")."""

Handle = Callable[[Request], Awaitable[Response]]


class HttpMetrics(Protocol):
    """What is counted (metrics.gateway)."""

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        ...


class TooLarge(Exception):  # noqa: N818 -- names what was found
    """The body is over its bound."""


async def body_of(request: Request, *, most: int = BODY_MOST) -> bytes:
    """The raw body, read no further than its bound.

    Raises:
        TooLarge: It is longer.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:18]) > most:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge
    return bytes(body)


def answered(route: str, handle: Handle, metrics: HttpMetrics) -> Handle:
    """``handle``, with its failures as answers: 413, and 503 with a wish to come again while the broker is away."""

    async def answer(request: Request) -> Response:
        began = monotonic()
        try:
            found = await handle(request)
        except TooLarge:
            found = Response(status_code=413)
        except ClientDisconnect:
            found = Response(status_code=400)
        except BrokerUnavailable as error:
            log.warning("not_acknowledged", route=route, detail=str(error))
            found = Response(status_code=503, headers={"retry-after": "10"})
        metrics.request(route, request.method, found.status_code, monotonic() - began)
        return found

    return answer
