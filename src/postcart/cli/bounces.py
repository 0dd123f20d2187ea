"""``postcart bounces``: what returned mails say, and feeding them to JOURNEY.

Owns: the command. Must not: read mails (codecs.bounces) or produce records (wiring).
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json_lines, print_table

if TYPE_CHECKING:
    from postcart.adapters.mailboxes import StoredMail
    from postcart.wiring.feedback import Fed


def bounces(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="A returned mail, a maildir, or with --mbox a file of many.")
    ],
    mbox: Annotated[bool, typer.Option("--mbox", help="Files are mbox mailboxes.")] = False,
    feed: Annotated[
        bool, typer.Option("--feed", help="Write what they bring to Kafka, and mark them as read.")
    ] = False,
    output: OutputOption = "table",
) -> None:
    """Show what returned mails say: whose fault, and for how long.

    A line per recipient: hard (for good), soft (for now), policy (the mail or its sender is refused, not the
    recipient), complaint, or other. Reads delivery reports, feedback reports, and what servers write instead. JSON is a
    line per recipient.

    With --feed mails that carry a token of ours become reports and opt-outs, as by "worker feedback", and there is a
    line per mail: report, opt_out, unmatched (no token of ours) or nothing. Mails of a mailbox that were dealt with
    before are left out, so it can be run again at any time. Exit code 1 if a file can't be read; the others are dealt
    with all the same. 3 if Kafka can't be reached.
    """
    if missing := [file for file in files if not file.exists()]:
        raise typer.BadParameter(f"there is no file {missing[0]}", param_hint="FILE")
    failures: list[str] = []
    with closing(_mails(files, failures, mbox=mbox, unseen=feed)) as mails:
        if feed:
            _show(_fed(mails), ("file", "result"), output)
        else:
            _show((line for mail in mails for line in _lines(mail)), ("file", "kind", "recipient", "status"), output)
    for failure in failures:
        say(f"error: {failure}")
    if failures:
        raise typer.Exit(Exit.FINDING)


def _show(rows: Iterable[tuple[str | None, ...]], columns: tuple[str, ...], output: str) -> None:
    if output == "json":
        print_json_lines(dict(zip(columns, row, strict=True)) for row in rows)
    else:
        print_table(columns, rows)


def _mails(files: list[Path], failures: list[str], *, mbox: bool, unseen: bool) -> "Generator[StoredMail, None, None]":
    from postcart.adapters.mailboxes import stored_mails  # noqa: PLC0415
    from postcart.errors import ConfigurationError  # noqa: PLC0415

    for file in files:
        try:
            with closing(stored_mails(file, mbox=mbox, unseen=unseen)) as mails:
                yield from mails
        except ConfigurationError as error:
            failures += error.problems


def _fed(mails: "Iterable[StoredMail]") -> "Iterator[Fed]":
    from postcart.cli.setup import current_settings  # noqa: PLC0415
    from postcart.wiring.feedback import feed  # noqa: PLC0415
    from postcart.wiring.logging import configure_logging  # noqa: PLC0415

    settings = current_settings()
    configure_logging(level="warning", form=settings.log.format)  # what became of each mail is printed as data
    return feed(settings, mails)


def _lines(mail: "StoredMail") -> "Iterator[tuple[str | None, ...]]":
    from postcart.codecs.bounces import read_bounce  # noqa: PLC0415 -- slow to import

    for told in read_bounce(mail.data):
        yield mail.place, "other" if told.kind == "delivered" else told.kind, told.recipient, told.status
