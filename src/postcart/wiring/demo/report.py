"""The end of the demo: a table for the terminal, a page for the browser.

Owns: what is said at the end. Must not: count (story), or lay out the page (page).
"""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcart.wiring.demo.expected import Expected
from postcart.wiring.demo.history import History
from postcart.wiring.demo.mails import read_mails
from postcart.wiring.demo.page import write_page
from postcart.wiring.demo.progress import Progress
from postcart.wiring.demo.result import Result
from postcart.wiring.demo.shop import Places
from postcart.wiring.demo.story import compare, outcomes, rows

_PIPE_WIDTH = 100


def report(progress: Progress, *, history: History, expected: Expected, places: Places, color: bool) -> bool:
    """Print the result and write the page; returns whether all is well."""
    tally = progress.tally
    result = Result(
        history=history,
        tally=tally,
        table=rows(tally),
        outcomes=outcomes(tally),
        difference=compare(tally, expected.lines),
        mails=read_mails(places.inbox, tally, history.all),
        due=expected.due,
        offsets=expected.offsets,
        broker=progress.broker,
    )
    write_page(result, places)
    console = Console(file=sys.stdout, no_color=not color, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(_table(result), highlight=False)
    console.print()
    _say(console, result.delivery)
    _say(console, result.verdict, style="green" if result.difference.equal else "bold red")
    for line in result.difference.examples:
        _say(console, f"  {line}")
    _say(console, f"\nThe mails, and what happened and why: {places.page}", style="bold")
    sys.stdout.flush()
    return result.well


def _table(result: Result) -> Table:
    tally = result.tally
    title = (
        f"{len(result.history.real):,} real shop events and {len(result.history.added)} made up, on {result.broker}: "
        f"{tally.known + tally.anonymous} abandoned carts,\n{tally.known} of known persons in {len(tally.episodes)} "
        f"episodes, {tally.anonymous} of nobody known (no one to write to)"
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


def _say(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True, highlight=False)
