"""Files of shop events as arguments: the options that simulate, replay and events import share.

Owns: those options and the call of the reader. Must not: parse files (codecs).
"""

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from postcart.cli.failures import say

if TYPE_CHECKING:
    from postcart.events.shop import ShopEvent
    from postcart.settings import Settings

EventFiles: TypeAlias = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="JSON lines or REES46 CSV; - is stdin.")
]
CurrencyOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CODE", help="Currency of prices that name none; by default the shop's, or USD.")
]
AnonymousOption: TypeAlias = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of CSV users, 0 to 1, who are never identified.")
]
DevicesOption: TypeAlias = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="Share of CSV users, 0 to 1, who have a second device.")
]
ItemsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="CSV of product_id, category_id, category_code, brand."),
]


def shop_events(
    files: list[Path], settings: "Settings", *, anonymous: float, devices: float, items: Path | None
) -> Iterator["ShopEvent"]:
    """The events of all files; prices that name no currency have that of the settings.

    Raises:
        ConfigurationError: With ``file:line`` of what can't be read.
    """
    from postcart.codecs.rees46 import read_events  # noqa: PLC0415
    from postcart.codecs.rees46_items import read_items  # noqa: PLC0415

    return read_events(
        [_regular(file) for file in files],
        tenant=settings.tenant,
        identity_key=settings.identity_key.get_secret_value().encode(),
        currency=settings.currency,
        anonymous=anonymous,
        devices=devices,
        items=read_items(items) if items else None,
        notice=say,
    )


def olist_file_events(files: list[Path], settings: "Settings") -> Iterator["ShopEvent"]:
    """The events of Olist's orders, and their items if a second file is given.

    Raises:
        ConfigurationError: With ``file:line`` of what can't be read.
    """
    from postcart.codecs.olist import read_olist  # noqa: PLC0415
    from postcart.codecs.olist_events import olist_events  # noqa: PLC0415

    orders, *items = (_regular(file) for file in files)
    if len(items) > 1:
        raise typer.BadParameter("olist has two files: orders and items", param_hint="FILE")
    return olist_events(
        read_olist(orders, items[0] if items else None),
        tenant=settings.tenant,
        identity_key=settings.identity_key.get_secret_value().encode(),
    )


def _regular(file: Path) -> Path:
    """The file itself, or a copy of a pipe: readers look at the beginning of a file before they read it."""
    if file.is_file():
        return file
    stdin = str(file) in {"-", "/dev/stdin"}
    if not stdin and (file.is_dir() or not file.exists()):
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    folder = Path(tempfile.mkdtemp(prefix="postcart-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / ("stdin" if stdin else file.name)
    with copy.open("wb") as out:
        if stdin:
            shutil.copyfileobj(sys.stdin.buffer, out)
        else:
            with file.open("rb") as pipe:
                shutil.copyfileobj(pipe, out)
    return copy
