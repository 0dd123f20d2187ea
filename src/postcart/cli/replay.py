"""``postcart replay``: a history into Kafka, at any speed.

Owns: the command and its progress. Must not: produce, or tell the clock (wiring.replays).
"""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.importing import AnonymousOption, CurrencyOption, DevicesOption, EventFiles, ItemsOption, shop_events
from postcart.cli.setup import settings_with_currency, stopped_by_signal

if TYPE_CHECKING:
    from postcart.adapters.replay import ReplayProgress


def replay(  # noqa: PLR0917 -- typer calls it by name
    files: EventFiles,
    speed: Annotated[
        float,
        typer.Option(min=0, metavar="N", help="Times real time, by the events' own times; 0: as fast as possible."),
    ] = 0.0,
    run_on: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the clock goes on after the last event, as 3d or 12h.")
    ] = "10d",
    framing: Annotated[Literal["json", "avro"], typer.Option(help="How the events are encoded.")] = "json",
    currency: CurrencyOption = None,
    anonymous: AnonymousOption = 0.0,
    devices: DevicesOption = 0.0,
    items: ItemsOption = None,
) -> None:
    """Produce a history to Kafka, faster than real time.

    FILES go to the shop's topics with the events' own times, and drive the clock of workers that run with
    POSTCART_CLOCK=replay: what they decide does not depend on the speed. After the last event the clock runs on, so
    that what waits becomes due. Ctrl-C ends it with everything sent acknowledged.
    """
    from postcart.wiring.replays import run_replay  # noqa: PLC0415

    settings = settings_with_currency(currency)
    run_on_ms = _duration_ms(run_on)
    events = shop_events(files, settings, anonymous=anonymous, devices=devices, items=items)
    stopped = stopped_by_signal()
    done = run_replay(
        events,
        settings=settings,
        speed=speed or None,
        run_on_ms=run_on_ms,
        framing=framing,
        on_progress=_show_progress if sys.stderr.isatty() else None,
        stopped=stopped.is_set,
    )
    say(("\r" if sys.stderr.isatty() else "") + _told(done))
    if stopped.is_set():
        raise typer.Exit(Exit.INTERRUPTED)


def _duration_ms(text: str) -> int:
    from postcart.content.campaign_file import duration_ms  # noqa: PLC0415

    try:
        return duration_ms(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--run-on") from None


def _show_progress(progress: "ReplayProgress") -> None:
    sys.stderr.write(f"\r{_told(progress)}  ")
    sys.stderr.flush()


def _told(progress: "ReplayProgress") -> str:
    from postcart.events.times import iso  # noqa: PLC0415

    clock = iso(progress.clock_ms // 1_000 * 1_000) if progress.clock_ms is not None else "not begun"
    return f"{progress.acknowledged:,} of {progress.sent:,} events acknowledged, clock {clock}"
