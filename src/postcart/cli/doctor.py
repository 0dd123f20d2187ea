"""``postcart doctor``: is everything as it must be before workers are started.

Owns: the command and its exit code. Must not: check anything (wiring.doctor).
"""

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from postcart.wiring.doctor import Finding


def doctor(
    dns: Annotated[bool, typer.Option("--dns", help="Also compare DKIM, SPF and DMARC with the DNS.")] = False,
    output: OutputOption = "table",
) -> None:
    """Check everything that can be wrong, from settings to limits.

    Settings, Kafka, topics, rights, clocks, mail server, carriers that are asked, keys and limits; one line each: ok,
    warn (works, but will hurt) or fail, with what to do. Nothing is changed, and no message is sent; a record is
    written to Kafka in a transaction that is aborted. Exit code 1 if something fails, 3 if a service can't be reached.
    """
    from postcart.wiring.doctor import examine  # noqa: PLC0415

    found = examine(os.environ, real_ms=_real_ms, dns=dns)
    findings = list(found) if output == "json" else _told(found)
    if output == "json":
        print_json({"ok": not any(one.state == "fail" for one in findings), "findings": findings})
    if any(one.unreachable for one in findings):
        raise typer.Exit(Exit.UNREACHABLE)
    if any(one.state == "fail" for one in findings):
        raise typer.Exit(Exit.FINDING)


def _told(findings: "Iterable[Finding]") -> "list[Finding]":
    """Each as it comes: a service that is silent takes a while."""
    told = []
    for one in findings:
        told.append(one)
        todo = f" -> {one.todo}" if one.todo else ""
        sys.stdout.write(f"{one.state:<5} {one.check:<17} {one.detail}{todo}\n")
        sys.stdout.flush()
    fails, warns = (sum(one.state == state for one in told) for state in ("fail", "warn"))
    say(f"{fails} failed, {warns} to look at" if fails or warns else "all is well")
    return told


def _real_ms() -> int:
    return time.time_ns() // 1_000_000
