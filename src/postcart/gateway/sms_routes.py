"""Routes that providers of text messages with Twilio's API call: incoming messages, and what became of sent ones.

Owns: verification and the form of answers. Must not: deal with what they bring (sms_desk does).
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postcart.codecs.twilio_signature import is_signed
from postcart.gateway.requests import HttpMetrics, answered, body_of
from postcart.gateway.sms_desk import SmsDesk, SmsMetrics

INCOMING: Final = "/sms/twilio/incoming"
STATUS: Final = "/sms/twilio/status"
_SOURCE: Final = "twilio"
_FIELDS_MOST: Final = 200


class GatewayMetrics(SmsMetrics, HttpMetrics, Protocol):
    """Both."""


class SmsRoutes:
    """The two routes.

    Args:
        desk: Deals with what comes.
        public_url: As the provider knows this gateway: it signs that address, whatever a proxy makes of it.
        tokens: It signs with one of them.
        metrics: Told of each request.
    """

    def __init__(self, desk: SmsDesk, *, public_url: str, tokens: Sequence[str], metrics: GatewayMetrics) -> None:
        self._desk = desk
        self._public_url = public_url.rstrip("/")
        self._tokens = tuple(tokens)
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """To be mounted at the root."""
        return [
            Route(path, answered(path, handle, self._metrics), methods=["POST"])
            for path, handle in ((INCOMING, self._incoming), (STATUS, self._status))
        ]

    async def _incoming(self, request: Request) -> Response:
        form = await self._verified(request)
        if form is None:
            return Response(status_code=403)
        reply = await asyncio.to_thread(self._desk.incoming, form, source=_SOURCE)
        message = "" if reply is None else f"<Message>{escape(reply)}</Message>"
        twiml = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
        return Response(twiml, media_type="text/xml")

    async def _status(self, request: Request) -> Response:
        form = await self._verified(request)
        if form is None:
            return Response(status_code=403)
        await asyncio.to_thread(self._desk.status, form, dict(request.query_params), source=_SOURCE)
        return Response(status_code=204)

    async def _verified(self, request: Request) -> dict[str, str] | None:
        """The form; None if it is not the provider's."""
        raw = await body_of(request)
        query = request.url.query
        url = f"{self._public_url}{request.url.path}" + (f"?{query}" if query else "")
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MOST)
        except ValueError:  # not UTF-8, or too many fields
            pairs = []
        if not pairs or not is_signed(url, pairs, request.headers.get("x-twilio-signature", ""), tokens=self._tokens):
            self._metrics.webhook(_SOURCE, "forged")
            return None
        return dict(pairs)
