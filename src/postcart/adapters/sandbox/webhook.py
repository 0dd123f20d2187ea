"""A receiver of webhooks that verifies signatures, for trials and tests.

Owns: checking what comes, by the specification of Standard Webhooks. Must not: act on it.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard

_TOLERANCE_S = 300
_MOST_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt that came."""

    message_id: str
    at_s: int
    body: Any
    status: int
    host: str
    raw: bytes
    headers: Mapping[str, str]


Reply = Callable[[Delivery], tuple[int, Mapping[str, str]]]


class WebhookSandbox:
    """One endpoint, at any path.

    Args:
        key: Of the signatures.
        now_ms: Real time.
        tell: Hears of each request.
        reply: Status and headers of each answer to what holds; 204 by default.
    """

    def __init__(
        self, key: bytes, *, now_ms: Callable[[], int], tell: Tell = unheard, reply: Reply | None = None
    ) -> None:
        self._key = key
        self._now_ms = now_ms
        self._tell = tell
        self.reply = reply
        self.deliveries: list[Delivery] = []
        self.faults: list[str] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        raw = await request.body()
        faults = tuple(self._faults(request.headers, raw))
        self.faults += faults
        body = _json(raw)
        delivery = Delivery(
            request.headers.get("webhook-id", ""),
            _int(request.headers.get("webhook-timestamp")),
            body,
            204,
            request.headers.get("host", ""),
            raw,
            dict(request.headers),
        )
        self.deliveries.append(delivery)
        status, headers = (400, {}) if faults else self.reply(delivery) if self.reply else (204, {})
        kind = body.get("type", "") if isinstance(body, dict) else ""
        shown = {"id": delivery.message_id, "type": str(kind), "answer": str(status)}
        self._tell(Arrival("webhook", accepted=200 <= status < 300, faults=faults, shown=shown))  # noqa: PLR2004 -- HTTP's
        return Response(status_code=status, headers=dict(headers))

    def _faults(self, headers: Mapping[str, str], raw: bytes) -> list[str]:
        found = []
        message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        wanted = base64.b64encode(hmac.new(self._key, f"{message_id}.{at}.".encode() + raw, sha256).digest()).decode()
        given = [one.partition(",")[2] for one in headers.get("webhook-signature", "").split() if one.startswith("v1,")]
        if not any(hmac.compare_digest(one, wanted) for one in given):
            found.append("the signature does not hold")
        if abs(_int(at) - self._now_ms() // 1_000) > _TOLERANCE_S:
            found.append("the time is more than 5 minutes off")
        if len(raw) > _MOST_BYTES:
            found.append("larger than 256 kB")
        body = _json(raw)
        if not isinstance(body, dict) or not {"type", "timestamp", "data"} <= body.keys():
            found.append("the body lacks type, timestamp or data")
        return found


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _int(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
