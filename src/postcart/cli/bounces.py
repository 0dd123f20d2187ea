"""``postcart bounces``: what returned mails say, and feeding them to JOURNEY.

Owns: the command. Must not: read mails (codecs.bounces) or produce records (wiring).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json_lines, print_table

if TYPE_CHECKING:
    from postcart.adapters.mailboxes import StoredMail


class Line(NamedTuple):
    """What one mail says of one recipient."""

    file: str
    kind: str
    recipient: str | None
    status: str | None


def bounces(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="A returned mail, a maildir, or with --mbox a file of many.")
    ],
    mbox: Annotated[bool, typer.Option("--mbox", help="Files are mbox mailboxes.")] = False,
    output: OutputOption = "table",
) -> None:
    """Show what returned mails say: whose fault, and for how long.

    A line per recipient: hard (for good), soft (for now), policy (the mail or its sender is refused, not the
    recipient), complaint, or other. Reads delivery reports, feedback reports, and what servers write instead. JSON is a
    line per recipient. Exit code 1 if a file can't be read; the others are shown all the same.
    """
    if missing := [file for file in files if not file.exists()]:
        raise typer.BadParameter(f"there is no file {missing[0]}", param_hint="FILE")
    failures: list[str] = []
    lines = (line for mail in _mails(files, failures, mbox=mbox) for line in _lines(mail))
    if output == "json":
        print_json_lines(line._asdict() for line in lines)
    else:
        print_table(Line._fields, lines)
    for failure in failures:
        say(f"error: {failure}")
    if failures:
        raise typer.Exit(Exit.FINDING)


def _mails(files: list[Path], failures: list[str], *, mbox: bool) -> "Iterator[StoredMail]":
    from postcart.adapters.mailboxes import stored_mails  # noqa: PLC0415
    from postcart.errors import ConfigurationError  # noqa: PLC0415

    for file in files:
        try:
            yield from stored_mails(file, mbox=mbox)
        except ConfigurationError as error:
            failures += error.problems


def _lines(mail: "StoredMail") -> Iterator[Line]:
    from postcart.codecs.bounces import read_bounce  # noqa: PLC0415 -- slow to import

    for told in read_bounce(mail.data):
        yield Line(mail.place, "other" if told.kind == "delivered" else told.kind, told.recipient, told.status)
