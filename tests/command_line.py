"""The command line, called in this process, as on a machine without settings, from the root of the repository.

Owns: calling it, and a history for it to read. Must not: look at what it prints.
"""

import os
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner, Result

from postcart.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
EVENTS = (
    '{"type":"added","id":"a1","time":"2022-10-01T10:00:00Z","visitor_id":"v1","session_id":"s1",'
    '"line":{"variant_id":"p1","quantity":2,"unit_price":"9.90"}}\n'
)


def run(*arguments: str, **environ: str) -> Result:
    """A command with these settings and no others."""
    of_the_machine = dict.fromkeys(name for name in os.environ if name.startswith("POSTCART_"))  # noqa: TID251 -- taken away
    with chdir(ROOT):
        return CliRunner(env={**of_the_machine, **environ}).invoke(app, list(arguments), prog_name="postcart")


def history(folder: Path) -> Path:
    """A file in this folder: somebody leaves a cart."""
    path = folder / "events.jsonl"
    path.write_text(EVENTS, encoding="utf-8")
    return path
