"""Answers that say what is wrong (RFC 9457, ``application/problem+json``).

Owns: their form. Must not: know a route.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def json_answer(value: Any, *, status: int = 200) -> Response:
    """A JSON document that nobody between may keep."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=NO_STORE)


def problem(status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem. ``code`` is bounded, for programs; ``detail`` says to developers what to change."""
    document = {
        "type": f"urn:postcart:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return Response(
        msgspec.json.encode(document),
        status_code=status,
        media_type="application/problem+json",
        headers={**NO_STORE, **(headers or {})},
    )
