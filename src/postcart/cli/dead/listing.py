"""``postcart dead list`` and ``postcart dead runs``: what was set aside, and what was done about it in bulk.

Owns: the commands. Must not: read (adapters.dead_letters).
"""

from collections.abc import Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postcart.cli.dead.options import (
    DetailOption,
    KeyOption,
    ReasonOption,
    SinceOption,
    StageOption,
    TopicOption,
    UntilOption,
    dead_place,
    letter_filter,
    moment,
)
from postcart.cli.failures import say
from postcart.cli.printing import OutputOption, binary_out, print_json, print_table

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import Found

_SORTED_MOST = 20_000
"""So many are sorted before they are printed; more are printed as they are found, in bounded memory."""
_COLUMNS = ("id", "reason", "topic", "partition", "offset", "time", "state", "set_aside")


def list_(  # noqa: PLR0917 -- typer calls it by name
    reason: ReasonOption = None,
    topic: TopicOption = None,
    stage: StageOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    detail: DetailOption = None,
    each: Annotated[bool, typer.Option("--each", help="A line per letter instead of per reason and topic.")] = False,
    output: OutputOption = "table",
) -> None:
    """List dead letters, grouped by reason and topic.

    `first` and `last` are when letters were set aside; `waiting` is what is left to do.
    """
    from postcart.adapters.dead_letters import dead_groups, read_letters  # noqa: PLC0415
    from postcart.codecs.dead_letter_reasons import anchor  # noqa: PLC0415

    place = dead_place()
    only = letter_filter(reason=reason, topic=topic, stage=stage, key=key, since=since, until=until, detail=detail)
    if each:
        _list_each(read_letters(place.client, place.topic, only=only, note=say), output)
        return
    groups = dead_groups(place.client, place.topic, only=only, note=say)
    if output == "json":
        print_json(groups)
        return
    print_table(
        ("reason", "topic", "stage", "waiting", "redriven", "edited", "first", "last", "for example"),
        (
            (
                group.reason,
                group.topic,
                group.stage,
                group.waiting,
                group.redriven,
                group.edited,
                moment(group.first_ms),
                moment(group.last_ms),
                next(iter(group.samples), None),
            )
            for group in groups
        ),
    )
    if not groups:
        say("no dead letters")
    for name in dict.fromkeys(group.reason for group in groups if group.waiting):
        say(f"{name}: see docs/errors.md#{anchor(name)}")


def runs(output: OutputOption = "table") -> None:
    """List what was redriven in bulk, by whom and when.

    A run that was killed has the state `interrupted`, or it is still going on.
    """
    from postcart.adapters.dead_letters import read_runs  # noqa: PLC0415

    place = dead_place()
    rows = [
        {
            "id": run.id,
            "at": moment(run.at_ms),
            "by": run.by,
            "state": "interrupted" if run.state == "began" else run.state,
            "only": run.only,
            "matching": run.matching,
            "written": written,
            "refused": run.refused,
        }
        for run, written in read_runs(place.client, place.topic)
    ]
    if output == "json":
        print_json(rows)
        return
    print_table(
        ("at", "by", "state", "matching", "written", "refused", "only"),
        (
            (
                row["at"],
                row["by"],
                row["state"],
                row["matching"],
                row["written"],
                sum(run.values()) if isinstance(run := row["refused"], dict) else 0,
                _told(row["only"]),
            )
            for row in rows
        ),
    )
    if not rows:
        say("nothing was redriven in bulk yet")


def _list_each(found: "Iterable[Found]", output: str) -> None:
    first = list(islice(found_iterator := iter(found), _SORTED_MOST))
    first.sort(key=lambda one: (one.letter.topic, one.letter.partition, one.letter.offset, one.letter.stage))
    rows = (_row(one) for one in chain(first, found_iterator))
    if output == "json":
        _print_array(rows)
        return
    if len(first) < _SORTED_MOST:
        print_table(_COLUMNS, ([row[column] for column in _COLUMNS] for row in rows))
        return
    say("more than fits into a table: a line per letter, fields separated by tabs")
    typer.echo("\t".join(_COLUMNS))
    for row in rows:
        typer.echo("\t".join(str(row[column]) for column in _COLUMNS))


def _row(one: "Found") -> dict[str, object]:
    from postcart.codecs.contact_masking import masked_text  # noqa: PLC0415

    return {
        "id": one.letter.id,
        "reason": one.letter.reason,
        "topic": one.letter.topic,
        "partition": one.letter.partition,
        "offset": one.letter.offset,
        "time": moment(one.letter.timestamp_ms),
        "redriven": one.state != "waiting",
        "detail": masked_text(one.letter.detail),
        "stage": one.letter.stage,
        "state": one.state,
        "set_aside": moment(one.at_ms),
    }


def _print_array(rows: Iterable[dict[str, Any]]) -> None:
    """One JSON array, written as it comes: a million letters are an ordinary number."""
    import msgspec  # noqa: PLC0415

    encode, write = msgspec.json.Encoder().encode, binary_out().write
    opened = b"["
    for row in rows:
        write(opened + encode(row))
        opened = b",\n"
    write(b"[]\n" if opened == b"[" else b"]\n")


def _told(only: object) -> str:
    if not isinstance(only, dict) or not only:
        return "all"
    return " ".join(f"{name}={value}" for name, value in only.items())
