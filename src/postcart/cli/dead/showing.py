"""``postcart dead show``: one letter, why it died, what is wrong with it now, and what was done with it.

Owns: the command. Must not: read (adapters.dead_letters) or decode (codecs).
"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postcart.cli.dead.options import (
    ByOption,
    DeadPlace,
    UnmaskOption,
    dead_place,
    moment,
    now_ms,
    who,
)
from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_fields, print_json

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import Case
    from postcart.codecs.topic_contracts import TopicContract

_HASHES = frozenset({"old_sha256", "new_sha256"})
_SHORT = 12
LetterArgument = Annotated[str, typer.Argument(metavar="ID", help="As `postcart dead list` has it.")]


def show(
    letter_id: LetterArgument,
    unmask: UnmaskOption = False,
    by: ByOption = None,
    output: OutputOption = "table",
) -> None:
    """Explain one dead letter and show its original.

    The decoded record, the place and the reason of the error, everything that is wrong with it as of now, where it came
    from, and what was done with it. Contact data is shown by its shape.
    """
    from postcart.codecs.dead_letter_view import described  # noqa: PLC0415
    from postcart.wiring.dead_letters import topic_contracts  # noqa: PLC0415

    place = dead_place()
    case = the_letter(place, letter_id)
    contract = topic_contracts(place.settings).get(case.letter.topic)
    if unmask:
        put_on_record(place, case, by)
    facts = {
        **described(case.letter, contract, unmask=unmask),
        "redriven": case.state != "waiting",
        "state": case.state,
        "set_aside": moment(case.place.at_ms),
        **_now(case, contract),
        "born_of": case.born_of,
        "became": case.became,
        "history": [_told(one) for one in case.history],
        **_explained(case.letter.reason),
    }
    if output == "json":
        print_json(facts)
        return
    _print(facts)


def the_letter(place: DeadPlace, letter_id: str) -> "Case":
    """The letter of this id, or the end of the command."""
    from postcart.adapters.dead_letters import find_letter  # noqa: PLC0415

    case = find_letter(place.client, place.topic, letter_id)
    if case is None:
        say(f"error: there is no dead letter {letter_id}; `postcart dead list --each` has them all")
        raise typer.Exit(Exit.FINDING)
    return case


def put_on_record(place: DeadPlace, case: "Case", by: str | None) -> None:
    """Say who looks at contact data, before it is shown."""
    from postcart.adapters.dead_letters import write_unmasked  # noqa: PLC0415

    name = who(by)
    write_unmasked(place.client, place.topic, case.letter, partition=case.place.partition, by=name, now_ms=now_ms())
    say(f"on record: {name} looked at the contact data of {case.letter.id}")


def _now(case: "Case", contract: "TopicContract | None") -> dict[str, Any]:
    """The verdict of the stage's decoder as it is today; None where that can't be known from the letter alone."""
    if contract is None or case.letter.truncated:
        return {"readable_now": None, "problems": []}
    problems = contract.problems(case.letter.key, case.letter.value)
    return {"readable_now": not problems, "problems": [one._asdict() for one in problems]}


def _explained(reason: str) -> dict[str, str]:
    from postcart.codecs.dead_letter_reasons import advice, anchor  # noqa: PLC0415

    known = advice(reason)
    return {"meaning": known.meaning, "remedy": known.remedy, "see": f"docs/errors.md#{anchor(reason)}"}


def _told(one: Any) -> dict[str, Any]:
    """A record of the history, by what it says."""
    import msgspec  # noqa: PLC0415

    told = msgspec.to_builtins(one)
    return {"what": told.pop("type"), "at": moment(told.pop("at_ms")), **{k: v for k, v in told.items() if k != "id"}}


def _print(facts: dict[str, Any]) -> None:
    below = ("value", "at", "problems", "history", "headers", "became", "meaning", "remedy", "see")
    shown = {name: value for name, value in facts.items() if name not in below}
    print_fields({**shown, "became": ", ".join(facts["became"]) or None})
    for name, content in facts["headers"]:
        print_fields({f"header {name}": content})
    typer.echo("\n" + _value(facts))
    if facts["at"] is not None:
        at = facts["at"]
        typer.echo(f"\nreading ends at byte {at['byte']:,}, line {at['line']}, column {at['column']}: {at['problem']}")
        typer.echo(f"  {at['around']}\n  {at['mark']}")
    if facts["problems"]:
        typer.echo("\nwrong now:")
        for one in facts["problems"]:
            typer.echo(f"  {one['field'] or '(the record)'}: {one['problem']}")
    if facts["history"]:
        typer.echo("\nhistory:")
        for one in facts["history"]:
            rest = " ".join(
                f"{name}={_plain(value)[:_SHORT] if name in _HASHES else _plain(value)}"
                for name, value in one.items()
                if name not in {"what", "at"}
            )
            typer.echo(f"  {one['at']} {one['what']} {rest}")
    say(f"\n{facts['meaning']}\n{facts['remedy']}\nSee {facts['see']}")


def _value(facts: dict[str, Any]) -> str:
    from postcart.codecs.dead_letter_view import hex_lines  # noqa: PLC0415

    value = facts["value"]
    if facts["value_as"] == "hex":
        return hex_lines(value)
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
