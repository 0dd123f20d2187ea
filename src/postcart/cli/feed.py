"""``postcart feed``: trying the in-app feed.

Owns: the commands. Must not: sign (wiring.feed) or serve (``worker gateway``).
"""

import time
from typing import Annotated

import typer

from postcart.cli.setup import current_settings

app = typer.Typer(no_args_is_help=True, help="The in-app feed: tokens to try it with.")

_HOURS_MOST = 31 * 24


@app.callback()
def feed() -> None:
    """The in-app feed: tokens to try it with."""


@app.command()
def token(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id, as in the shop's events.")],
    person: Annotated[
        bool, typer.Option("--person", help="It is a person's id instead, as `postcart why` shows them.")
    ] = False,
    hours: Annotated[
        int, typer.Option(metavar="HOURS", min=1, max=_HOURS_MOST, help="How long it opens the feed.")
    ] = 1,
    locale: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="The person's language, for example de or ar.")
    ] = None,
) -> None:
    """Print a token that opens one person's in-app feed.

    The shop's own server mints such tokens for those who have logged in, with any JWT library (docs/feed.md). This is
    for trials: curl -H "Authorization: Bearer $(postcart feed token CUSTOMER)" http://localhost:8480/v1/feed
    """
    from postcart.codecs.feed_token import Holder  # noqa: PLC0415
    from postcart.wiring.feed import feed_token  # noqa: PLC0415

    now_ms = time.time_ns() // 1_000_000
    holder = Holder(None if person else who, who if person else None, now_ms + hours * 3_600_000)
    typer.echo(feed_token(current_settings(), holder, now_ms=now_ms, locale=locale))
