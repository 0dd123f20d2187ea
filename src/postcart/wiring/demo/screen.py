"""Progress of the demo: drawn in place on a terminal, else told in lines. Both on standard error.

Owns: how it looks. Must not: know how it comes about.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from postcart.events.times import from_ms
from postcart.wiring.demo.progress import Progress

_LINE_EVERY_S: Final = 5.0
_PER_SECOND: Final = 5
_NARROW: Final = 30


class Screen(Protocol):
    """Where progress is shown."""

    progress: Progress

    def phase(self, name: str) -> None:
        """Something else begins."""
        ...

    def refresh(self) -> None:
        """Called often; draws when it is time."""
        ...

    def say(self, text: str) -> None:
        """Something that is to stay in sight."""
        ...


@contextmanager
def open_screen(progress: Progress, *, terminal: bool) -> Iterator[Screen]:
    """Show ``progress`` while the block lasts."""
    if not terminal:
        yield Lines(progress)
        return
    console = Console(stderr=True)
    picture = Picture(progress, console)
    with Live(picture, console=console, refresh_per_second=_PER_SECOND, transient=True):
        yield picture


class Lines:
    """A line at the beginning of each phase, and every few seconds."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._told_s = 0.0

    def phase(self, name: str) -> None:
        """Tell it."""
        self.progress.phase = name
        self._tell(name)

    def refresh(self) -> None:
        """Tell how far it is, now and then."""
        if self.progress.replay and time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._tell(_line(self.progress))

    def say(self, text: str) -> None:
        """Tell it."""
        self._tell(text)

    def _tell(self, text: str) -> None:
        self._told_s = time.monotonic()
        sys.stderr.write(f"{self._told_s - self.progress.started_s:5.1f} s  {text}\n")
        sys.stderr.flush()


class Picture:
    """Drawn again and again by ``rich.live``."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self.progress = progress
        self._console = console

    def phase(self, name: str) -> None:
        """Remember it; it is drawn soon."""
        self.progress.phase = name

    def refresh(self) -> None:
        """Nothing: it draws itself."""

    def say(self, text: str) -> None:
        """Above the picture."""
        self._console.print(Text(text), soft_wrap=True)

    def __rich__(self) -> Group:
        progress = self.progress
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(style="bold")
        for name, value in _figures(progress):
            table.add_row(name, value)
        seconds = time.monotonic() - progress.started_s
        head = Text.assemble(("Postcart demo", "bold"), f"  {seconds:.0f} s  ", (progress.phase, "cyan"))
        bar = ProgressBar(total=1.0, completed=progress.share, width=_NARROW * 2)
        return Group(head, Padding(bar, (0, 0, 1, 0)), table)


def _figures(progress: Progress) -> list[tuple[str, str]]:
    tally, replay = progress.tally, progress.replay
    sent, acknowledged = (replay.sent, replay.acknowledged) if replay else (0, 0)
    return [
        ("shop's clock", f"{from_ms(progress.clock_ms):%a %d %b %H:%M} UTC"),
        ("events", f"{sent:,} of {progress.events:,} sent, {acknowledged:,} acknowledged"),
        ("visits", f"{len(tally.in_visit)} open now, {tally.visits} so far (known persons)"),
        ("abandonments", f"{tally.known + tally.anonymous} ({tally.anonymous} anonymous)"),
        ("episodes", f"{len(tally.episodes)}"),
        ("reminders", f"{tally.planned} planned, {tally.due} due, {tally.cancelled} cancelled"),
        ("messages", f"{tally.accepted} taken by providers"),
        ("lag", ", ".join(f"{stage} {_records(count)}" for stage, count in progress.lag.items()) or "not measured yet"),
    ]


def _line(progress: Progress) -> str:
    """The same, shorter."""
    tally = progress.tally
    acknowledged = progress.replay.acknowledged if progress.replay else 0
    lag = "/".join(_records(count) for count in progress.lag.values()) or "?"
    return (
        f"  {from_ms(progress.clock_ms):%a %d %b %H:%M}  events {acknowledged:,}/{progress.events:,}  "
        f"visits {len(tally.in_visit)}  abandoned {tally.known + tally.anonymous}  planned {tally.planned}  "
        f"due {tally.due}  stopped {tally.cancelled}  sent {tally.accepted}  lag {lag}"
    )


def _records(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"
