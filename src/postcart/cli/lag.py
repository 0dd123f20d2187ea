"""``postcart lag``: how far each consumer group is behind.

Owns: the command. Must not: measure (adapters.lag), or ask workers (wiring.restore_progress).
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from postcart.cli.failures import say
from postcart.cli.printing import OutputOption, print_json, print_table
from postcart.cli.setup import current_settings, kafka_client

if TYPE_CHECKING:
    from postcart.adapters.lag import Measured, PartitionLag
    from postcart.wiring.restore_progress import Restoring


def lag(
    partitions: Annotated[
        bool, typer.Option("--partitions", help="A line per partition instead of per topic.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Measure again and again, and serve it as metrics until stopped.")
    ] = False,
    worker: Annotated[
        list[str] | None,
        typer.Option("--worker", metavar="HOST:PORT", help="Also ask this worker's metrics how far it has restored."),
    ] = None,
    output: OutputOption = "table",
) -> None:
    """Show how far consumer groups are behind.

    In records, and in seconds: the age of the oldest record not committed. Own groups and topics only; measured once,
    from outside the workers. "0" is caught up, "unknown" is what the broker did not tell, "no commit yet" a group that
    has not begun. JSON always has every partition. Exit code 3 if Kafka can't be reached.
    """
    import msgspec  # noqa: PLC0415

    from postcart.adapters.lag import measure  # noqa: PLC0415
    from postcart.wiring.lag_exporter import group_topics, serve_lag  # noqa: PLC0415
    from postcart.wiring.restore_progress import restoring  # noqa: PLC0415

    settings = current_settings()
    if serve:
        raise typer.Exit(serve_lag(settings, now_ms=_now_ms))
    measured = measure(kafka_client(settings), group_topics(settings), now_ms=_now_ms())
    progress = [part for one in worker or () for part in restoring(one)]
    if output == "json":
        shown = msgspec.to_builtins(measured)
        print_json({**shown, "restoring": msgspec.to_builtins(progress)} if worker else shown)
        return
    _print(measured, each=partitions)
    if worker:
        _say_restoring(progress)


def _say_restoring(progress: "Sequence[Restoring]") -> None:
    for part in progress:
        if part.remaining:
            left = f"{part.remaining:,.0f} positions left"
            say(f"{part.stage} restores partition {part.partition} at {part.worker}: {left}")
        elif part.remaining is None:
            say(f"{part.worker} does not answer: how far it has restored is unknown")
    if not any(part.remaining or part.remaining is None for part in progress):
        say("nothing is being restored there")


def _print(measured: "Measured", *, each: bool) -> None:
    rows: list[tuple[object, ...]] = []
    for group in measured.groups:
        members = "unknown" if group.members is None else group.members
        topics = dict.fromkeys(partition.topic for partition in group.partitions)
        for topic in topics:
            own = [partition for partition in group.partitions if partition.topic == topic]
            for part in [[one] for one in own] if each else [own]:
                place = part[0].partition if each else len(part)
                owners = ", ".join(sorted({one.owner for one in part if one.owner})) or "-"
                rows.append((group.group, topic, place, records(part), seconds(part), members, owners))
    print_table(
        ("group", "topic", "partition" if each else "partitions", "records", "seconds", "members", "owners"), rows
    )
    age_s = max(0, _now_ms() - measured.at_ms) / 1_000
    say(f"measured {time.strftime('%H:%M:%S', time.gmtime(measured.at_ms / 1_000))} UTC, {age_s:.1f} s ago")


def records(part: "Sequence[PartitionLag]") -> str:
    """The sum of what is known, and what is not said beside it: the three kinds of nothing stay apart."""
    return _told(part, [one.records for one in part], lambda known: f"{sum(known):,}")


def seconds(part: "Sequence[PartitionLag]") -> str:
    """The greatest age that is known."""
    return _told(part, [one.seconds for one in part], lambda known: f"{max(known):,.1f}")


def _told(part: "Sequence[PartitionLag]", values: Sequence[float | None], total: Callable[[list[float]], str]) -> str:
    known = [value for value in values if value is not None]
    without = sum(one.state == "no_commit" for one in part)
    missing = sum(one.state == "no_topic" for one in part)
    unknown = len(part) - len(known) - without - missing
    if missing:
        return "no such topic"
    if without == len(part):
        return "no commit yet"
    if unknown == len(part):
        return "unknown"
    beside = [f"{unknown} unknown"] if unknown else []
    beside += [f"{without} without commit"] if without else []
    return f"{total(known) if known else '?'}" + (f" ({', '.join(beside)})" if beside else "")


def _now_ms() -> int:
    return round(time.time() * 1_000)
