"""A page to try the in-app feed in a browser, around what a shop embeds: a bell, a list, live (postcart-feed.js).

Owns: serving these files, and what they may load. Must not: hold a token: the address's fragment has it, which browsers
send to nobody.
"""

from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAGE: Final = "/feed"
_FILES: Final = {
    PAGE: ("index.html", "text/html"),
    **{
        f"{PAGE}/{name}": (name, "text/javascript")
        for name in ("page.js", "postcart-feed.js", "postcart-feed-words.js")
    },
    **{f"{PAGE}/{name}": (name, "text/css") for name in ("page.css", "postcart-feed.css")},
}
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


def page_routes() -> list[Route]:
    """To be mounted at the root."""
    return [Route(path, _file, methods=["GET"]) for path in _FILES]


async def _file(request: Request) -> Response:
    name, kind = _FILES[request.url.path]
    content = (files(__name__) / name).read_bytes()
    return Response(content, media_type=kind, headers=_HEADERS)
