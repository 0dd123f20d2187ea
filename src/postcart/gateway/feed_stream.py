"""A person's feed as server-sent events.

Owns: the form of the stream, and when it ends. Must not: know HTTP routes, or what an item is.

Events: ``ready`` (the number of unread ones), ``item`` (one that came or changed, as it is now), ``reset`` (too much
was missed: load the feed anew). An id says where to go on; a client sends it back as ``Last-Event-ID`` by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import structlog

from postcart.errors import ReadModelUnavailable
from postcart.gateway.feed_desk import Changes, FeedDesk
from postcart.gateway.feed_hub import FeedHub

log = structlog.get_logger(__name__)

_AGAIN_MS: Final = 3_000
"""When a client that was cut off comes again."""
_BEAT: Final = b": \n\n"


async def stream(
    desk: FeedDesk,
    hub: FeedHub,
    person_id: str,
    first: Changes,
    *,
    until_ms: int,
    now_ms: Callable[[], int],
    heartbeat_s: float,
) -> AsyncIterator[bytes]:
    """The stream, from what ``first`` tells on.

    Args:
        desk: Asked for changes whenever ``hub`` says that there are some.
        hub: Says also when streams are to end.
        person_id: Whose feed.
        first: What changed since the client was here last.
        until_ms: When the token expires: the client comes again with another one.
        now_ms: Real time.
        heartbeat_s: The longest silence.
    """
    yield f"retry: {_AGAIN_MS}\n\n".encode()
    yield _event("ready", {"unread": first.unread}, None if first.changes or first.reset else first.next)
    found = first
    with hub.listening(person_id) as woken:
        woken.set()  # what came since ``first`` was read
        while True:
            for part in _told(found):
                yield part
            if hub.stopping or now_ms() >= until_ms:
                return
            try:
                async with asyncio.timeout(heartbeat_s):
                    await woken.wait()
            except TimeoutError:
                yield _BEAT
            woken.clear()
            try:
                found = await desk.changes(person_id, found.next)
            except ReadModelUnavailable as error:
                log.warning("stream_ended", detail=str(error))
                return


def _told(found: Changes) -> list[bytes]:
    if found.reset:
        return [_event("reset", {"unread": found.unread}, found.next)]
    return [_event("item", {"item": one.item, "unread": found.unread}, one.next) for one in found.changes]


def _event(name: str, data: Any, at: int | None) -> bytes:
    """JSON has no line breaks, so the data is one line."""
    lines = [f"id: {at}".encode()] if at is not None else []
    lines += [f"event: {name}".encode(), b"data: " + msgspec.json.encode(data)]
    return b"\n".join(lines) + b"\n\n"
