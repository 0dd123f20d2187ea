"""``postcart demo``: everything on this machine, in about a minute.

Owns: the command. Must not: run it (wiring.demo).
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from postcart.cli.setup import stopped_by_signal


def demo(
    folder: Annotated[Path, typer.Option(file_okay=False, help="Where mails, logs and the page of mails go.")] = Path(
        "demo-output"
    ),
) -> None:
    """See real shop events become mails, in about a minute.

    They are replayed through real workers, faster than real time, on an in-process mock broker with a local mail sink;
    POSTCART_BROKER=kafka takes a real Kafka instead. Nothing leaves this machine. Exit code 1 if the outcome is not the
    one that `simulate` has for the same events.
    """
    from postcart.wiring.demo.run import DemoOptions, run_demo  # noqa: PLC0415

    terminal = sys.stdout.isatty()
    options = DemoOptions(folder=folder, terminal=terminal, color=terminal and not os.environ.get("NO_COLOR"))
    code, _ = run_demo(os.environ, options, stopped_by_signal())
    raise typer.Exit(code)
