"""A Slack-compatible incoming webhook for trials and tests.

Owns: checking messages as Slack does (https://api.slack.com/messaging/webhooks, https://api.slack.com/reference/block-kit).
Must not: show anything to anybody.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard

PATH: Final = "/services/T00000000/B00000000/sandbox"
_TEXT_MOST: Final = 40_000
_SECTION_MOST: Final = 3_000
_HEADER_MOST: Final = 150
_BLOCKS_MOST: Final = 50

Reply = Callable[[Mapping[str, Any]], tuple[int, str, Mapping[str, str]] | None]


class SlackSandbox:
    """One webhook of one channel.

    Args:
        tell: Hears of each request.
    """

    def __init__(self, *, tell: Tell = unheard) -> None:
        self.reply: Reply = lambda _: None
        self.messages: list[Mapping[str, Any]] = []
        self.faults: list[str] = []
        self._tell = tell
        self.app = Starlette(routes=[Route("/services/{path:path}", self._receive, methods=["POST"])])

    async def _receive(self, request: Request) -> Response:
        if request.url.path != PATH:
            return self._answer(404, "no_service", {}, {})
        try:
            message = msgspec.json.decode(await request.body(), type=dict)
        except msgspec.DecodeError:
            return self._answer(400, "invalid_payload", {}, {})
        scripted = self.reply(message)
        if scripted is not None:
            return self._answer(scripted[0], scripted[1], message, scripted[2])
        faults = _faults(message, request.headers.get("content-type", ""))
        self.faults += faults
        if faults:
            return self._answer(400, "invalid_blocks" if "blocks" in faults[0] else "invalid_payload", message, {})
        self.messages.append(message)
        return self._answer(200, "ok", message, {})

    def _answer(self, status: int, said: str, message: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
        taken = status == 200  # noqa: PLR2004 -- HTTP's
        shown = {"text": str(message.get("text", ""))}
        self._tell(Arrival("slack", accepted=taken, faults=() if taken else (said,), shown=shown))
        return PlainTextResponse(said, status, headers=dict(headers))


def _faults(message: Mapping[str, Any], content_type: str) -> list[str]:
    found = []
    if content_type.partition(";")[0] != "application/json":
        found.append("not JSON by its type")
    text = message.get("text")
    if not isinstance(text, str) or not text or len(text) > _TEXT_MOST:
        found.append("text is missing, or longer than 40,000 characters")
    blocks = message.get("blocks", [])
    if len(blocks) > _BLOCKS_MOST:
        found.append("more than 50 blocks")
    for block in blocks:
        bounds = {"section": _SECTION_MOST, "header": _HEADER_MOST}
        most = bounds.get(block.get("type"))
        if most is None or not 0 < len(block.get("text", {}).get("text", "")) <= most:
            found.append(f"blocks: {block.get('type')} has no text, or more than it may")
    return found
