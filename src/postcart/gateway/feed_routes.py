"""The routes of the in-app feed: pages, counts, marks and the stream (docs/feed.md).

Owns: paths, parameters and the form of answers. Must not: know what is stored (feed_desk does).
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, get_args

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from postcart.adapters.read_model import View
from postcart.errors import BrokerUnavailable, ReadModelUnavailable
from postcart.events.feed import FeedState
from postcart.gateway.feed_access import FeedAccess, Visitor
from postcart.gateway.feed_desk import FeedDesk, Marked
from postcart.gateway.feed_hub import FeedHub
from postcart.gateway.feed_stream import stream
from postcart.gateway.problems import json_answer, problem
from postcart.gateway.requests import HttpMetrics, answered

ROOT: Final = "/v1/feed"
_PAGE_MOST: Final = 100
_PAGE: Final = 20
_POSITION: Final = re.compile(r"[0-9]{1,18}")
_VIEWS: Final[tuple[str, ...]] = get_args(View)
_ON_ONE: Final[dict[str, FeedState]] = {
    "read": "read",
    "unread": "unread",
    "archive": "archived",
    "unarchive": "unarchived",
}
_ON_ALL: Final[dict[str, FeedState]] = {"seen": "seen", "read-all": "read", "archive-all": "archived"}

Answer = Callable[[Request, Visitor], Awaitable[Response]]


class FeedRoutes:
    """All of them.

    Args:
        desk: Serves.
        hub: Of streams; at most ``streams`` at a time for one person, ``streams_all`` in all.
        access: Lets in.
        origins: Web pages that may ask.
        metrics: Told of each request.
        now_ms: Real time.
        heartbeat_s: The longest silence on a stream.
    """

    def __init__(
        self,
        desk: FeedDesk,
        hub: FeedHub,
        access: FeedAccess,
        *,
        origins: Sequence[str],
        metrics: HttpMetrics,
        now_ms: Callable[[], int],
        streams: int,
        streams_all: int,
        heartbeat_s: float,
    ) -> None:
        self._desk, self._hub, self._access = desk, hub, access
        self._origins = tuple(origins)
        self._metrics = metrics
        self._now_ms = now_ms
        self._streams, self._streams_all = streams, streams_all
        self._heartbeat_s = heartbeat_s

    def routes(self) -> list[Route]:
        """To be mounted at the root."""
        return [
            self._route("GET", "", self._page),
            self._route("GET", "/unread", self._unread),
            self._route("GET", "/stream", self._stream, query=True),
            *(self._route("POST", f"/{name}", self._on_all(state)) for name, state in _ON_ALL.items()),
            *(self._route("POST", f"/items/{{item}}/{name}", self._on_one(state)) for name, state in _ON_ONE.items()),
        ]

    def with_origins(self, app: ASGIApp) -> ASGIApp:
        """``app``, with these routes open to pages of the origins (CORS)."""
        cors = CORSMiddleware(
            app,
            allow_origins=self._origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "last-event-id"],
            expose_headers=["retry-after"],
            max_age=600,
        )

        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            of_feed = scope["type"] == "http" and scope["path"].startswith(ROOT)
            await (cors if of_feed else app)(scope, receive, send)

        return chosen

    def _route(self, method: str, path: str, answer: Answer, *, query: bool = False) -> Route:
        async def handle(request: Request) -> Response:
            who = self._access.visitor(request, query=query)
            if isinstance(who, Response):
                return who
            try:
                return await answer(request, who)
            except _Wrong as error:
                return problem(400, "parameter", str(error))
            except (ReadModelUnavailable, BrokerUnavailable):
                return problem(503, "unavailable", "come again after Retry-After", headers={"retry-after": "5"})

        return Route(f"{ROOT}{path}", answered(f"{ROOT}{path}", handle, self._metrics), methods=[method])

    async def _page(self, request: Request, who: Visitor) -> Response:
        query = request.query_params
        view = query.get("view", "active")
        if view not in _VIEWS:
            raise _Wrong(f"view is one of {', '.join(_VIEWS)}")
        limit = query.get("limit", str(_PAGE))
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= _PAGE_MOST:
            raise _Wrong(f"limit is a number from 1 to {_PAGE_MOST}")
        before = _position(query.get("cursor"), "cursor is what next of the page before says")
        page = await self._desk.page(who.person_id, view, before=before, most=int(limit))  # type: ignore[arg-type]  # one of the views
        return json_answer(
            {
                "items": page.items,
                "next": None if page.before is None else str(page.before),
                "unread": page.unread,
                "stream": str(page.stands),
            }
        )

    async def _unread(self, _request: Request, who: Visitor) -> Response:
        return json_answer({"unread": await self._desk.unread(who.person_id)})

    def _on_one(self, state: FeedState) -> Answer:
        async def answer(request: Request, who: Visitor) -> Response:
            marked = await self._desk.mark_item(who.person_id, request.path_params["item"], state)
            return _marked(marked)

        return answer

    def _on_all(self, state: FeedState) -> Answer:
        async def answer(request: Request, who: Visitor) -> Response:
            up_to = request.query_params.get("up_to")
            return _marked(await self._desk.mark_all(who.person_id, state, up_to=up_to))

        return answer

    async def _stream(self, request: Request, who: Visitor) -> Response:
        since = _position(
            request.headers.get("last-event-id") or request.query_params.get("since"),
            "since is what stream of a page says; Last-Event-ID the id of an event",
        )
        hub = self._hub
        if hub.stopping or hub.open_streams >= self._streams_all:
            return problem(503, "streams", "too many streams are open here", headers={"retry-after": "5"})
        if hub.streams_of(who.person_id) >= self._streams:
            wrong = f"this person has {self._streams} streams open"
            return problem(429, "streams", wrong, headers={"retry-after": "10"})
        first = await self._desk.changes(who.person_id, since)
        body = stream(
            self._desk,
            hub,
            who.person_id,
            first,
            until_ms=who.expires_ms,
            now_ms=self._now_ms,
            heartbeat_s=self._heartbeat_s,
        )
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(body, media_type="text/event-stream", headers=headers)


class _Wrong(Exception):  # noqa: N818 -- names what was found
    """A parameter that can't be read."""


async def not_found(request: Request, error: Exception) -> Response:
    """What a path or method that there is not is answered with: as a problem below the feed's root."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = error.headers if isinstance(error, HTTPException) else None
    if not request.url.path.startswith(ROOT):
        return Response(status_code=status, headers=headers)
    code = "not_found" if status == 404 else "method"  # noqa: PLR2004 -- HTTP's
    return problem(status, code, "see docs/feed.md for what there is", headers=headers)


def _position(text: str | None, wrong: str) -> int | None:
    if not text:
        return None
    if not _POSITION.fullmatch(text):
        raise _Wrong(wrong)
    return int(text)


def _marked(marked: Marked | None) -> Response:
    if marked is None:
        return problem(404, "no_such_item", "the person has no item of that id, or not any more")
    if marked.pending:
        return json_answer({"pending": True}, status=202)
    answer: dict[str, Any] = {"unread": marked.unread}
    if marked.item is not None:
        answer["item"] = marked.item
    return json_answer(answer)
