"""``postcart sandbox``: providers for trials on this machine, and what arrives there.

Owns: the command. Must not: be a provider (adapters.sandbox), or know which there are (wiring.sandbox).
"""

import shlex
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postcart.cli.failures import say
from postcart.cli.printing import OutputOption, print_json

if TYPE_CHECKING:
    from postcart.adapters.sandbox import Arrival
    from postcart.wiring.sandbox import RunningSandbox

_LOOK_S = 1.0


def sandbox(
    port: Annotated[
        int, typer.Option(min=0, max=65_000, help="The first of eight ports to listen on; 0: any that are free.")
    ] = 8600,
    folder: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="For mails, certificate and keys.", show_default="a new one under /tmp"),
    ] = None,
    output: OutputOption = "table",
) -> None:
    """Run providers for trials until stopped, and print what arrives.

    A mail sink, text messages (Twilio's API), a receiver of webhooks, a push service for browsers, FCM, APNs,
    a Slack-compatible webhook, and a carrier that is asked where parcels are (Shippo's API), on localhost. They check
    signatures, limits and headers as the real ones do, and deliver nothing. First come the settings that lead to them,
    as lines for a shell, and subscriptions for a profile; then a line for each message or question. With JSON the first
    line has the settings, each further one a message or question.
    """
    from postcart.wiring.sandbox import running_sandbox  # noqa: PLC0415
    from postcart.workers.loop import told_to_end  # noqa: PLC0415

    printing, stopped = threading.Lock(), told_to_end()

    def tell(arrival: "Arrival") -> None:
        with printing:
            _show(arrival, output)

    where = folder or Path(tempfile.mkdtemp(prefix="postcart-sandbox-"))
    with running_sandbox(where, port=port, tell=tell) as running:
        with printing:
            _begin(running, output)
        while not stopped.wait(_LOOK_S):  # a signal just before a wait without end would be heard after it
            pass
    say("stopped")


def _begin(running: "RunningSandbox", output: str) -> None:
    if output == "json":
        print_json({"settings": running.settings, "push": running.push, "folder": str(running.folder)})
    else:
        from msgspec import json  # noqa: PLC0415

        for name, value in running.settings.items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.write(f'# a profile\'s "push": {json.encode(running.push).decode()}\n')
        say(f"mails and keys are in {running.folder}; Ctrl-C stops")
    sys.stdout.flush()


def _show(arrival: "Arrival", output: str) -> None:
    if output == "json":
        print_json(
            {
                "server": arrival.server,
                "accepted": arrival.accepted,
                "faults": list(arrival.faults),
                "shown": arrival.shown,
            }
        )
    else:
        shown = "  ".join(f"{name}={value!r}" for name, value in arrival.shown.items())
        word = "taken" if arrival.accepted else f"refused: {'; '.join(arrival.faults)}"
        sys.stdout.write(f"# {arrival.server:<8}  {word}  {shown}\n")  # a comment, as all of it may be sourced
    sys.stdout.flush()
