"""The command line of the harness.

Owns: which rows, seeds and brokers, and what is printed. Must not: know what a row does.
"""

import argparse
import os
import secrets
import signal
import sys
from collections.abc import Sequence

from faults.brokers import broker_for
from faults.many import run_many
from faults.matrix import BY_NAME, ROWS
from faults.results import is_known, keep, line_of
from faults.run import Result, run
from faults.scenario import OwnRow, Row
from faults.table import write_table
from postcart.adapters.local_kafka import default_cache


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 1 if a promise was not kept."""
    given = _parsed(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = _wanted(given)
    if given.at_a_time > 1:
        options = ["--events", str(given.events), *(["--keep"] if given.keep else [])]
        bad = run_many(
            wanted, at_a_time=given.at_a_time, options=options, shared=given.bootstrap, cache=given.kafka_cache
        )
    else:
        bad = sum(not _one(BY_NAME[name], seed, given).good for name, seed in wanted)
    if given.keep and not given.no_table:
        write_table(events=given.events)
    return min(bad, 1)


def _wanted(given: argparse.Namespace) -> list[tuple[str, int]]:
    """One seed of every row before the next one."""
    runs = [
        (row.name, given.seed + number)
        for number in range(given.seeds)
        for row in (BY_NAME[name] for name in given.rows)
        if number < (row.seeds or given.seeds)
    ]
    return [(name, seed) for name, seed in runs if not (given.keep and is_known(name, seed, given.events))]


def _one(row: Row | OwnRow, seed: int, given: argparse.Namespace) -> Result:
    result = _played(row, seed, given)
    print(result, flush=True)  # noqa: T201 -- a program
    if given.keep:
        keep(line_of(result, events=given.events))
    return result


def _played(row: Row | OwnRow, seed: int, given: argparse.Namespace) -> Result:
    cache = given.kafka_cache
    with broker_for(row, given.bootstrap, cache) as broker:
        prefix = f"faults-{row.name}-{seed}-{secrets.token_hex(2)}."
        return run(row, seed=seed, events=given.events, broker=broker, prefix=prefix)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run rows of the fault matrix.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run; none lists them")
    parser.add_argument("--all", action="store_true", help="every row")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--events", type=int, default=10_000, help="unique events of a run")
    parser.add_argument("--keep", action="store_true", help="keep results and table; skip what is known of this src")
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP"), help="a shared broker")  # noqa: TID251 -- the command line
    parser.add_argument("--at-a-time", type=int, default=1, help="so many runs, where they don't disturb each other")
    parser.add_argument("--no-table", action="store_true", help="leave docs/guarantees.md as it is")
    given = parser.parse_args(arguments)
    given.kafka_cache = default_cache(os.environ)  # noqa: TID251 -- the command line
    if unknown := [name for name in given.rows if name not in BY_NAME]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    if given.all:
        given.rows = list(BY_NAME)
    if not given.rows:
        for row in ROWS:
            print(f"{row.name:24} {row.fault}")  # noqa: T201 -- a program
    return given
