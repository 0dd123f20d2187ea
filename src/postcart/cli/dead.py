"""``postcart dead``: records that were set aside, why, and sending them on their way again.

Owns: the commands. Must not: read or redrive (adapters.dead_letters).
"""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_fields, print_json, print_table
from postcart.cli.setup import current_settings, kafka_client

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import Found, LetterFilter, RedriveReport

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, explain, redrive.")

ReasonOption: TypeAlias = Annotated[list[str] | None, typer.Option("--reason", help="Only these reasons.")]
TopicOption: TypeAlias = Annotated[list[str] | None, typer.Option("--topic", help="Only from these topics.")]
IdOption: TypeAlias = Annotated[list[str] | None, typer.Option("--id", help="Only these letters.")]


@app.command("list")
def list_(
    reason: ReasonOption = None,
    topic: TopicOption = None,
    each: Annotated[bool, typer.Option("--each", help="A line per letter instead of per reason and topic.")] = False,
    output: OutputOption = "table",
) -> None:
    """List dead letters, grouped by reason and topic."""
    from postcart.adapters.dead_letters import grouped, read_letters  # noqa: PLC0415

    client, dead = _place()
    found = read_letters(client, dead, only=_filter(reason, topic, None), note=say)
    if each:
        _list_each(found, output)
        return
    groups = grouped(found)
    if output == "json":
        print_json(groups)
        return
    print_table(
        ("reason", "topic", "stage", "waiting", "redriven", "last", "for example"),
        (
            (
                group.reason,
                group.topic,
                group.stage,
                group.count - group.redriven,
                group.redriven,
                _moment(group.last_ms),
                next(iter(group.samples), None),
            )
            for group in groups
        ),
    )
    if not groups:
        say("no dead letters")


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `postcart dead list` has it.")],
    output: OutputOption = "table",
) -> None:
    """Explain one dead letter and show its original."""
    from postcart.adapters.dead_letters import find_letter  # noqa: PLC0415
    from postcart.codecs.dead_letter_view import described  # noqa: PLC0415

    client, dead = _place()
    found = find_letter(client, dead, letter_id)
    if found is None:
        say(f"error: there is no dead letter {letter_id}; `postcart dead list --each` has them all")
        raise typer.Exit(Exit.FINDING)
    facts = {**described(found.letter), "redriven": found.redriven}
    if output == "json":
        print_json(facts)
        return
    value = facts.pop("value")
    print_fields(facts)
    typer.echo("\n" + (value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)))


@app.command()
def redrive(  # noqa: PLR0917 -- typer calls it by name
    reason: ReasonOption = None,
    topic: TopicOption = None,
    letter_id: IdOption = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this nothing is written.")] = False,
    per_second: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many a second.")] = None,
    output: OutputOption = "table",
) -> None:
    """Write the originals to the topics that they came from.

    A dry run by default: what would be written, by reason and topic. Each letter is redriven once, also if this is
    interrupted or run again; a record that is as unusable as before becomes a new letter. Exit code 1 if some could not
    be redriven.
    """
    from postcart.adapters.dead_letters import redrive as run  # noqa: PLC0415

    client, dead = _place()
    report = run(
        client,
        dead,
        only=_filter(reason, topic, letter_id),
        execute=execute,
        now_ms=lambda: round(time.time() * 1_000),
        per_second=per_second,
    )
    if output == "json":
        print_json(_report(report))
    else:
        rows = [(why, where, count) for (why, where), count in sorted(report.matching.items())]
        print_table(("reason", "topic", "letters"), rows)
    if not execute:
        for letter in report.samples:
            say(f"for example {letter.id}: {letter.reason}: {letter.detail}")
    _conclude(report)


def _place() -> tuple[dict[str, Any], str]:
    """How Kafka is reached, and the topic of dead letters."""
    settings = current_settings()
    return {**kafka_client(settings), "log_level": 0}, settings.topic("dead")


def _filter(reasons: list[str] | None, topics: list[str] | None, ids: list[str] | None) -> "LetterFilter":
    from postcart.adapters.dead_letters import LetterFilter  # noqa: PLC0415
    from postcart.errors import UnreadableRecord  # noqa: PLC0415

    known = UnreadableRecord.REASONS | {"render"}
    unknown = sorted(set(reasons or ()) - known)
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: known are {', '.join(sorted(known))}", param_hint="--reason")
    return LetterFilter(reasons=frozenset(reasons or ()), topics=frozenset(topics or ()), ids=frozenset(ids or ()))


def _list_each(found: "list[Found]", output: str) -> None:
    rows = [
        {
            "id": one.letter.id,
            "reason": one.letter.reason,
            "topic": one.letter.topic,
            "partition": one.letter.partition,
            "offset": one.letter.offset,
            "time": _moment(one.letter.timestamp_ms),
            "redriven": one.redriven,
            "detail": one.letter.detail,
        }
        for one in found
    ]
    if output == "json":
        print_json(rows)
        return
    columns = ("id", "reason", "topic", "partition", "offset", "time", "redriven")
    print_table(columns, ([row[column] for column in columns] for row in rows))


def _moment(at_ms: int | None) -> str | None:
    from postcart.events.times import iso  # noqa: PLC0415

    return None if at_ms is None else iso(at_ms // 1_000 * 1_000)


def _report(report: "RedriveReport") -> dict[str, object]:
    return {
        "executed": report.executed,
        "matching": [
            {"reason": reason, "topic": topic, "letters": count}
            for (reason, topic), count in sorted(report.matching.items())
        ],
        "redriven_before": report.redriven_before,
        "written": report.written,
        "gone": report.gone,
        "samples": [letter.id for letter in report.samples],
    }


def _conclude(report: "RedriveReport") -> None:
    if report.redriven_before:
        say(f"{report.redriven_before:,} more were redriven before")
    if report.executed:
        say(f"{report.written:,} written")
    elif report.matching:
        say("dry run: nothing was written; add --execute to do it")
    else:
        say("nothing to redrive")
    if report.gone:
        say(f"error: {len(report.gone):,} can't be redriven: too large to be kept, and gone from their topic")
        raise typer.Exit(Exit.FINDING)
