"""``postcart dead redrive``: many letters to the topics that they came from.

Owns: the command, its progress line and its report. Must not: read or write (adapters.dead_letters).
"""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postcart.cli.dead.options import (
    ByOption,
    DetailOption,
    IdOption,
    KeyOption,
    ReasonOption,
    SinceOption,
    StageOption,
    TopicOption,
    UntilOption,
    dead_place,
    letter_filter,
    now_ms,
    who,
)
from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json, print_table
from postcart.cli.setup import stopped_by_signal

if TYPE_CHECKING:
    from postcart.adapters.dead_letters import RedriveReport

_EVERY_S = 0.2


def redrive(  # noqa: PLR0917 -- typer calls it by name
    reason: ReasonOption = None,
    topic: TopicOption = None,
    stage: StageOption = None,
    letter_id: IdOption = None,
    key: KeyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    detail: DetailOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try to read each one now; what is still unusable stays where it is.")
    ] = False,
    rekey: Annotated[
        bool, typer.Option("--rekey", help="Write each under the key that the record itself names.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this nothing is written.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many; for a first try.")] = None,
    per_second: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many a second.")] = None,
    by: ByOption = None,
    output: OutputOption = "table",
) -> None:
    """Write the originals to the topics that they came from.

    A dry run by default: what would be written, by reason and topic. Each letter is redriven once, also if this is
    interrupted or run again; a record that is as unusable as before becomes a new letter. A job is sent as a new
    revision, and not at all if it was accepted, is uncertain or is on its way. Exit code 1 if some can't be redriven.
    """
    from postcart.adapters.dead_letters import RedriveOrder  # noqa: PLC0415
    from postcart.adapters.dead_letters import redrive as run  # noqa: PLC0415
    from postcart.wiring.dead_letters import job_topics, topic_contracts  # noqa: PLC0415

    place = dead_place()
    told = {
        "reason": reason, "topic": topic, "stage": stage, "id": letter_id, "key": key, "since": since, "until": until,
        "detail": detail, "check": check or None, "rekey": rekey or None, "limit": limit,
    }  # fmt: skip
    order = RedriveOrder(
        only=letter_filter(
            reason=reason, topic=topic, stage=stage, letter_id=letter_id, key=key, since=since, until=until,
            detail=detail,
        ),
        execute=execute,
        by=who(by),
        check=check,
        rekey=rekey,
        limit=limit,
        per_second=per_second,
        told={name: value for name, value in told.items() if value},
    )  # fmt: skip
    progress = _Progress(limit) if execute and sys.stderr.isatty() else None
    report = run(
        place.client,
        place.topic,
        order,
        now_ms=now_ms,
        contracts=topic_contracts(place.settings),
        jobs=job_topics(place.settings),
        late_ms=0 if place.settings.clock == "replay" else now_ms(),
        on_progress=progress,
        stopped=stopped_by_signal().is_set if execute else lambda: False,
    )
    if progress is not None:
        progress.end()
    if output == "json":
        print_json(_report(report))
    else:
        rows = [(why, where, count) for (why, where), count in sorted(report.matching.items())]
        print_table(("reason", "topic", "letters"), rows)
    _conclude(report, per_second=per_second, whole=check)


class _Progress:
    """One line on a terminal, written over and over.

    Args:
        limit: Most letters of the run.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._told_s = 0.0
        self._from: tuple[float, int] | None = None
        """When the first were written, and how many: reading before that says nothing about the pace."""

    def __call__(self, report: "RedriveReport") -> None:
        """Told after each transaction."""
        now_s = time.monotonic()
        if self._from is None:
            self._from = now_s, report.done
        if now_s - self._told_s < _EVERY_S:
            return
        self._told_s = now_s
        total = min(report.matching.total(), self._limit or sys.maxsize)
        done = report.done - self._from[1]
        rate = done / max(now_s - self._from[0], 0.001)
        left = f", {rate:,.0f}/s, {_span((total - report.done) / rate)} left" if rate else ""
        part = 100 * report.done // max(total, 1)
        sys.stderr.write(f"\r{report.written:,} of {total:,} written ({part} %){left}  \033[K")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        sys.stderr.write("\r\033[K")


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 -- seconds of a minute
        return f"{whole} s"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _report(report: "RedriveReport") -> dict[str, Any]:
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
        "ready": report.ready,
        "refused": dict(sorted(report.refused.items())),
        "stopped": report.stopped,
        "run": report.run,
    }


def _conclude(report: "RedriveReport", *, per_second: int | None, whole: bool) -> None:
    from postcart.codecs.contact_masking import masked_text  # noqa: PLC0415

    for letter in report.samples:
        say(f"for example {letter.id}: {letter.reason}: {masked_text(letter.detail)}")
    if report.redriven_before:
        say(f"{report.redriven_before:,} more were redriven or edited before")
    if report.ready and not report.executed:
        say(f"{report.ready:,} {'can be read now and ' if whole else ''}would be written")
    for why, count in sorted(report.refused.items()):
        say(f"{count:,} {'left' if report.executed else 'would be left'} where they are: {_why(why)}")
    if report.executed:
        say(f"{report.written:,} written")
    elif report.matching:
        if per_second is not None:
            todo = report.ready if report.done else report.matching.total()
            say(f"at {per_second:,} a second this takes {_span(todo / per_second)}")
        say("dry run: nothing was written; add --execute to do it")
    else:
        say("nothing to redrive")
    if report.stopped:
        say("stopped; run it again to go on")
        raise typer.Exit(Exit.INTERRUPTED)
    if report.refused:
        raise typer.Exit(Exit.FINDING)


def _why(why: str) -> str:
    from postcart.adapters.dead_letters import GONE, TOO_LATE  # noqa: PLC0415
    from postcart.domain.revisions import REFUSED  # noqa: PLC0415

    told: dict[str, str] = {
        GONE: "too large to be kept, and gone from their topic",
        TOO_LATE: "jobs that may not be sent so late any more",
        **{f"{standing}": f"{standing}: {text}" for standing, text in REFUSED.items()},
    }
    kind, _, reason = why.partition(":")
    return told.get(why, f"still unusable, {reason}" if kind == "unreadable" else why)
