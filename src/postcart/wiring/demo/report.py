"""The end of the demo on a terminal.

Owns: what is said there. Must not: count (story), or judge (result).
"""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcart.wiring.demo.asking import command, questions
from postcart.wiring.demo.parcel_story import CHANNEL_HEADS, CHANNELS
from postcart.wiring.demo.result import Result
from postcart.wiring.demo.shop import Places

_PIPE_WIDTH = 100


def print_result(result: Result, places: Places, *, color: bool, program: str) -> None:
    """Print it to standard output."""
    console = Console(file=sys.stdout, no_color=not color, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(_table(result), highlight=False)
    console.print()
    console.print(_parcels(result), highlight=False)
    console.print()
    _say(console, result.delivery)
    _say(console, result.verdict, style="green" if result.difference.equal else "bold red")
    for line in result.difference.examples:
        _say(console, f"  {line}")
    asked = questions(result)
    for words, name in asked.items():
        _say(console, f"\nAsk {words}:", style="bold")
        _say(console, f"  {command(places, program, name)}")
    if asked:
        _say(
            console,
            "Its times are the replay's, in which hours pass in a second: what happened at once seems hours apart.",
        )
    _say(console, f"\nThe mails, one person's in-app feed, and what happened and why: {places.page}", style="bold")
    sys.stdout.flush()


def print_live(name: str, url: str, *, color: bool) -> None:
    """Where a person's feed goes on being served."""
    console = Console(file=sys.stdout, no_color=not color, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    _say(console, f"\nThe in-app feed of {name}, live; Ctrl-C ends it:", style="bold")
    _say(console, f"  {url}")
    sys.stdout.flush()


def _table(result: Result) -> Table:
    tally = result.tally
    real, added = len(result.history.real), len(result.history.added)
    title = (
        f"{real:,} events of a real shop and {added} made up, on {result.broker}:\n"
        f"{tally.known + tally.anonymous} abandoned carts, {tally.known} of known persons in {len(tally.episodes)} "
        f"episodes, {tally.anonymous} anonymous (nobody to write to)"
    )
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False, header_style="bold")
    table.add_column("reminders")
    for number in range(1, len(result.table[0].by_step) + 1):
        table.add_column(f"step {number}", justify="right")
    table.add_column("total", justify="right")
    table.add_column("why")
    for row in result.table:
        name = f"  {row.what}" if row.part else row.what
        style = "dim" if row.part else ""
        table.add_row(
            name, *(f"{count:,}" if count else "-" for count in row.by_step), f"{row.total:,}", row.why, style=style
        )
    return table


def _parcels(result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("orders and parcels")
    for name in ("found", *(CHANNEL_HEADS[channel].lower() for channel in CHANNELS)):
        table.add_column(name, justify="right")
    table.add_column("why")
    for row in result.parcels:
        name = f"  {row.what}" if row.part else row.what
        counts = (f"{count:,}" if count else "-" for count in row.by_channel or (0,) * len(CHANNELS))
        table.add_row(name, f"{row.found:,}", *counts, row.why, style="dim" if row.part else "")
    return table


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True, highlight=False)
