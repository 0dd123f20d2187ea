"""``postcart demo``: everything on this machine, in about a minute.

Owns: the command. Must not: run it (wiring.demo).
"""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from postcart.cli.failures import interrupted_by, is_interrupt, say

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_FOLDER = Path("demo-output")


def demo(
    folder: Annotated[Path, typer.Option(file_okay=False, help="Where mails, logs and the result page go.")] = _FOLDER,
    seconds: Annotated[
        float, typer.Option(min=5, max=3600, metavar="N", help="How long the replay takes; start and end come on top.")
    ] = 40.0,
    stay: Annotated[
        bool, typer.Option("--stay", help="Afterwards go on serving the in-app feed, until Ctrl-C.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the result page in a browser.")] = False,
) -> None:
    """See carts and parcels become messages, in about a minute.

    Events of a real shop, and parcels made up for its orders, are replayed through real workers, faster than real
    time, on an in-process mock broker with a local mail sink and a local provider of text messages. An in-app feed can
    be watched in a browser meanwhile, at an address that is told. POSTCART_BROKER=kafka takes a real Kafka instead.
    Nothing leaves this machine. Ctrl-C ends it, and all it started. Exit code 1 if the workers decided otherwise than
    `postcart simulate` does, or a message that was due did not arrive.
    """
    from postcart.wiring.demo import DemoOptions, run_demo  # noqa: PLC0415

    interrupted_by(signal.SIGINT, signal.SIGTERM)
    options = DemoOptions(
        folder=folder,
        seconds=seconds,
        terminal=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
        color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
        program=_program(),
        stay=stay,
        show=_show if open_page else _tell_how,
    )
    try:
        code = run_demo(os.environ, options)
    except (KeyboardInterrupt, SystemError) as error:
        if is_interrupt(error):
            say("stopped; all that the demo had started has been ended")
        raise
    raise typer.Exit(code)


def _show(page: Path) -> None:
    typer.launch(str(page))


def _tell_how(page: Path) -> None:
    if _on_desktop():
        say("open it in a browser: " + ("open" if sys.platform == "darwin" else "xdg-open") + f" {page}")


def _program() -> str:
    """As it was called, if that can be typed again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "postcart" else "postcart"


def _on_desktop() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS)
