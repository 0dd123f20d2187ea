"""The demo from its beginning to its end.

Owns: the order of things. Must not: know how any of them is done.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from postcart.adapters.clock import WallClock
from postcart.events.shop import OrderEvents, time_ms
from postcart.settings import Settings, load_settings
from postcart.wiring.demo.expected import history_and_expected
from postcart.wiring.demo.feeds import Feeds, read_feeds, shown_person
from postcart.wiring.demo.page import write_page
from postcart.wiring.demo.processes import Processes
from postcart.wiring.demo.progress import Progress
from postcart.wiring.demo.report import print_live, print_result
from postcart.wiring.demo.result import result_of
from postcart.wiring.demo.running import Plan, running
from postcart.wiring.demo.screen import open_screen
from postcart.wiring.demo.shop import Places, demo_variables, write_dkim_key

DEFAULT_FOLDER: Final = Path("demo-output")
DEFAULT_SECONDS: Final = 40.0
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a person may choose.

    Attributes:
        folder: Where mails, logs and the page go.
        seconds: How long the replay takes, about; start and end come on top.
        terminal: Whether progress is drawn in place; else it is told in lines.
        color: Whether results are coloured.
        program: How this program is called.
        show: Called with the page once the result is told.
        stay: Whether the feed goes on being served after the result was told, until Ctrl-C.
    """

    folder: Path = DEFAULT_FOLDER
    seconds: float = DEFAULT_SECONDS
    terminal: bool = False
    color: bool = False
    program: str = "postcart"
    show: Callable[[Path], object] = str
    stay: bool = False


def run_demo(environ: Mapping[str, str], options: DemoOptions) -> int:
    """Run the demo; returns the exit code, 0 if it decided as ``simulate`` does and sent what was due.

    Args:
        environ: The process's environment.
        options: See there.

    Raises:
        ConfigurationError: The output folder can't be used, or a setting is wrong.
        BrokerUnavailable: No broker can be had.
        ProcessEnded: A worker ended by itself.
        KeyboardInterrupt: It was stopped early; every process has been ended.
    """
    began_s = time.monotonic()
    settings, plan = _planned(environ, options)
    progress = Progress(
        events=len(plan.history.all),
        from_ms=time_ms(plan.history.real[0]),
        until_ms=plan.expected.until_ms,
        broker="librdkafka's mock broker" if settings.broker == "mock" else "Apache Kafka",
        started_s=began_s,
    )
    with ExitStack() as stack:
        with open_screen(progress, terminal=options.terminal) as screen:
            ran = stack.enter_context(running(plan, screen))
            screen.phase("ending the workers")
            if options.stay:
                ran.keep_the_feed()
            else:
                stack.close()
            screen.phase("writing the page of what happened")
            result = result_of(
                progress.tally,
                history=plan.history,
                expected=plan.expected,
                inbox=plan.places.inbox,
                texts=ran.texting.texts,
                feeds=_feeds(settings, plan),
                shown=plan.shown,
                broker=progress.broker,
            )
            write_page(result, plan.places, live=ran.live if options.stay else None)
        print_result(result, plan.places, color=options.color, program=options.program)
        options.show(plan.places.page)
        if options.stay:
            print_live(plan.shown.name or "", ran.live, color=options.color)
            _stay(ran.processes)
            stack.close()
            write_page(replace(result, feeds=_feeds(settings, plan)), plan.places)
    return 0 if result.well else 1


def _planned(environ: Mapping[str, str], options: DemoOptions) -> tuple[Settings, Plan]:
    """The demo's settings, an empty folder, and what is to happen."""
    places = Places(options.folder.absolute())
    variables = demo_variables(environ, places)
    places.prepare()
    write_dkim_key(places)
    settings = load_settings(variables)
    history, expected = history_and_expected(settings)
    return settings, Plan(variables, environ, places, history, expected, shown_person(history), options.seconds)


def _feeds(settings: Settings, plan: Plan) -> Feeds:
    """What the feeds of all who ordered hold now: of orders' parcels alone there are items."""
    persons = {event.person_id for event in plan.history.all if isinstance(event, OrderEvents)}
    return read_feeds(settings, persons, now_ms=WallClock().now_ms())


def _stay(processes: Processes) -> None:
    """Until Ctrl-C. Raises ProcessEnded."""
    with suppress(KeyboardInterrupt):
        while True:
            processes.check()
            time.sleep(_LOOK_S)
