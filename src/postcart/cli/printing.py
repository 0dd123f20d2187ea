"""Results on stdout: tables for people, JSON for programs.

Owns: the choice between the two and how each looks. Must not: print progress or errors (those go to stderr).

JSON is the stable form: fields keep names and order over releases, new ones come at the end. Tables may change.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

import typer

Format = Literal["table", "json"]
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="table for people, json for programs.")]

_WIDTH = 1_000
_LINES_AT_ONCE = 500


def print_json(value: Any) -> None:
    """One JSON document: indented on a terminal, on one line elsewhere."""
    import msgspec  # noqa: PLC0415

    text = msgspec.json.encode(value)
    if sys.stdout.isatty():
        text = msgspec.json.format(text, indent=2)
    binary_out().write(text + b"\n")


def print_json_lines(values: Iterable[Any]) -> int:
    """One JSON document per line, written as they come; returns how many.

    Fast: encoded and written some hundred at a time, as a million of them is an ordinary number.
    """
    import msgspec  # noqa: PLC0415

    encode = msgspec.json.Encoder().encode_lines
    write = binary_out().write
    count = 0
    for chunk in _chunks(values):
        write(encode(chunk))
        count += len(chunk)
    return count


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right. Cells are never broken or cut off: people copy what is in them.

    Styled only on a terminal, and not where NO_COLOR is set.
    """
    from rich.console import Console  # noqa: PLC0415 -- rich costs as much as all the rest of --help
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    taken = [[_shown(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = bool(taken) and all(_is_number(row[index]) for row in taken)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in taken:
        table.add_row(*map(Text, row))
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    console = Console(file=sys.stdout, width=_WIDTH, color_system=None if plain else "auto")
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def print_fields(fields: Mapping[str, object]) -> None:
    """One thing, a field per line."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        sys.stdout.write(f"{name:<{width}}  {_shown(value)}\n")


def styled(text: str, code: Literal["bold", "dim"]) -> str:
    """Text as a terminal shows it; plain elsewhere, and where NO_COLOR is set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{1 if code == 'bold' else 2}m{text}\x1b[0m"


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case _:
            return str(value)


def _is_number(cell: object) -> bool:
    text = str(cell)
    return text == "-" or text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


def _chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of some hundred, but the first one at once, so that a reader sees that it works."""
    iterator = iter(values)
    size = 1
    while chunk := list(islice(iterator, size)):
        yield chunk
        size = _LINES_AT_ONCE


def binary_out() -> Any:
    """Standard output for bytes, after what was written to it as text."""
    sys.stdout.flush()
    return sys.stdout.buffer
