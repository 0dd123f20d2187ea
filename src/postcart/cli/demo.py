"""``postcart demo``: everything on this machine, in about a minute.

Owns: the command. Must not: run it (wiring.demo).
"""

from pathlib import Path
from typing import Annotated

import typer

from postcart.cli.setup import current_settings


def demo(
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where mails, logs and the result page go; default: a new one.")
    ] = None,
) -> None:
    """See real shop events become mails, in about a minute.

    They are replayed through real workers, faster than real time, on an in-process mock broker with a local mail sink;
    POSTCART_BROKER=kafka takes a real Kafka instead. Nothing leaves this machine.
    """
    from postcart.wiring.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(current_settings(), folder=folder))
