"""The demo from its beginning to its end.

Owns: the order of things. Must not: know how any of them is done.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from postcart.adapters.clock import ClockWriter, WallClock
from postcart.events.shop import OrderEvents, ProfileUpdated, time_ms
from postcart.settings import Settings, load_settings
from postcart.wiring.demo.asking import await_read_model
from postcart.wiring.demo.clocked import replay_both
from postcart.wiring.demo.expected import Expected, history_and_expected
from postcart.wiring.demo.feeds import live_page, read_feeds, shown_person
from postcart.wiring.demo.history import History
from postcart.wiring.demo.lagging import LAG_EVERY_S, LagWatch
from postcart.wiring.demo.page import write_page
from postcart.wiring.demo.processes import Processes
from postcart.wiring.demo.progress import Progress
from postcart.wiring.demo.report import print_live, print_result
from postcart.wiring.demo.result import result_of
from postcart.wiring.demo.screen import Screen, open_screen
from postcart.wiring.demo.shop import Places, demo_variables, opened_broker, write_dkim_key
from postcart.wiring.demo.tally import Tally
from postcart.wiring.demo.texting import Texting, text_provider
from postcart.wiring.demo.watching import Watcher
from postcart.wiring.stages import client_settings

DEFAULT_FOLDER: Final = Path("demo-output")
DEFAULT_SECONDS: Final = 40.0
_START_S: Final = 40.0
_LOOK_S: Final = 0.05
_STAY_LOOK_S: Final = 0.5
_STAYING: Final = ("project", "gateway")
"""What goes on where the demo is asked to stay: what shows the feed, and keeps what is done with it."""
_QUIET_S: Final = 2 * LAG_EVERY_S
"""By then the lag has been measured anew."""
_STALLED_S: Final = 30.0
"""When nothing has changed for so long after the replay, nothing will."""


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
    places = Places(options.folder.absolute())
    variables = demo_variables(environ, places)
    places.prepare()
    write_dkim_key(places)
    settings = load_settings(variables)
    history, expected = history_and_expected(settings)
    progress = Progress(
        events=len(history.all),
        from_ms=time_ms(history.real[0]),
        until_ms=expected.until_ms,
        broker="librdkafka's mock broker" if settings.broker == "mock" else "Apache Kafka",
        started_s=began_s,
    )
    shown = shown_person(history)
    feeds = partial(read_feeds, settings, {event.person_id for event in history.all if isinstance(event, OrderEvents)})
    with ExitStack() as stack:
        with open_screen(progress, terminal=options.terminal) as screen:
            ran = stack.enter_context(
                _ran(
                    variables,
                    environ,
                    history=history,
                    expected=expected,
                    places=places,
                    screen=screen,
                    seconds=options.seconds,
                    shown=shown,
                )
            )
            if options.stay:
                ran.processes.stop(but=_STAYING)
            else:
                screen.phase("ending the workers")
                stack.close()
            screen.phase("writing the page of what happened")
            result = result_of(
                progress.tally,
                history=history,
                expected=expected,
                inbox=places.inbox,
                texts=ran.texting.texts,
                feeds=feeds(now_ms=WallClock().now_ms()),
                shown=shown,
                broker=progress.broker,
            )
            write_page(result, places, live=ran.live if options.stay else None)
        print_result(result, places, color=options.color, program=options.program)
        options.show(places.page)
        if options.stay:
            print_live(shown.name or "", ran.live, color=options.color)
            _stay(ran.processes)
            stack.close()
            write_page(replace(result, feeds=feeds(now_ms=WallClock().now_ms())), places)
    return 0 if result.well else 1


@dataclass(frozen=True, slots=True)
class _Ran:
    """What runs on after all is sent. ``live``: the address of the shown person's feed."""

    texting: Texting
    processes: Processes
    live: str


@contextmanager
def _ran(
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    history: History,
    expected: Expected,
    places: Places,
    screen: Screen,
    seconds: float,
    shown: ProfileUpdated,
) -> Iterator[_Ran]:
    """Run it until all is sent; broker and processes end with the block."""
    progress = screen.progress
    with ExitStack() as stack:
        screen.phase(f"starting {progress.broker}")
        settings = stack.enter_context(opened_broker(variables, environ))
        screen.phase("starting detect, track, journey, senders, projection, gateway and mail server")
        texting = stack.enter_context(text_provider())
        own = {**variables, **texting.settings, "POSTCART_BOOTSTRAP": settings.bootstrap}
        visible = {name: value for name, value in environ.items() if not name.startswith("POSTCART_")}
        processes = stack.enter_context(Processes(places.logs, {**visible, **own}))
        _start(processes, places)
        watcher = stack.enter_context(_watcher(settings, progress.tally))
        lag = stack.enter_context(LagWatch(settings))

        def stopped() -> bool:
            progress.lag = lag.latest
            screen.refresh()
            watcher.check()
            return processes.ended()

        _await_workers(settings, progress, stopped=stopped)
        said = processes.first_line("gateway", having="gateway_listens", timeout_s=_START_S)
        live = live_page(settings, said, shown.person_id, now_ms=WallClock().now_ms())
        screen.say(f"the in-app feed of {shown.name}, live: {live}")
        replay_both(
            history.real,
            history.added,
            until_ms=expected.until_ms,
            seconds=seconds,
            settings=settings,
            on_progress=partial(setattr, progress, "replay"),
            stopped=stopped,
            on_part=screen.phase,
        )
        screen.phase("waiting for the last messages")
        _drain(progress, expected, stopped=stopped)
        await_read_model(settings, stopped=stopped)
        processes.check()
        yield _Ran(texting, processes, live)


def _stay(processes: Processes) -> None:
    """Until Ctrl-C. Raises ProcessEnded."""
    with suppress(KeyboardInterrupt):
        while True:
            processes.check()
            time.sleep(_STAY_LOOK_S)


def _start(processes: Processes, places: Places) -> None:
    """Mail server and workers; the mail sender last, as it has to know the server's port."""
    processes.start("mail-server", "postcart.adapters.mail_sink", ["--folder", str(places.inbox)])
    for name in ("detect", "track", "journey", "project"):
        processes.start(name, "postcart", ["worker", name], POSTCART_WORKER_NAME=name)
    for channel in ("sms", "inapp"):
        processes.start(channel, "postcart", ["worker", "send", channel], POSTCART_WORKER_NAME=channel)
    # of the feed alone: nobody answers the demo's text messages
    gateway = {"POSTCART_WORKER_NAME": "gateway", "POSTCART_CHANNELS": "inapp"}
    processes.start("gateway", "postcart", ["worker", "gateway"], **gateway)
    port = processes.first_line("mail-server", timeout_s=_START_S).rpartition(":")[2]
    processes.start(
        "email", "postcart", ["worker", "send", "email"], POSTCART_WORKER_NAME="email", POSTCART_SMTP__PORT=port
    )


def _watcher(settings: Settings, tally: Tally) -> Watcher:
    sinks = {
        settings.topic("decisions"): tally.add_decision,
        **{settings.topic(f"jobs.{channel}.transactional"): tally.add_message for channel in settings.channel_names},
        settings.topic("receipts"): tally.add_receipt,
        settings.topic("signals"): tally.add_signal,
        settings.topic("gate"): tally.add_gate,
    }
    return Watcher(client_settings(settings).client("demo"), sinks)


def _await_workers(settings: Settings, progress: Progress, *, stopped: Callable[[], bool]) -> None:
    """Wait until detect and journey have said something; for what is seen only: what they decide needs no waiting."""
    clock = ClockWriter(client_settings(settings).client("demo-clock"), settings.topic("clock"))
    clock.tell(progress.from_ms - 2)  # the replay itself begins a millisecond before its first event
    clock.flush()
    until = time.monotonic() + _START_S
    while not progress.tally.runs(settings.partitions) and not stopped() and time.monotonic() < until:
        time.sleep(_LOOK_S)


def _drain(progress: Progress, expected: Expected, *, stopped: Callable[[], bool]) -> None:
    """Wait until all is decided and sent, or nothing changes any more.

    ``simulate`` does not say which messages about parcels go out; when all inputs of the stages have been read to their
    ends, and nothing was added for a while, there are no more.
    """
    tally = progress.tally
    seen, since = (0, 0, 0), time.monotonic()
    while not stopped() and (unchanged_s := time.monotonic() - since) < _STALLED_S:
        now = (tally.lines.total(), len(tally.receipts), len(tally.messages))
        if now != seen:
            seen, since = now, time.monotonic()
        elif (
            unchanged_s > _QUIET_S
            and tally.lines == expected.lines
            and len(tally.receipts) >= tally.due + len(tally.messages)
            and not any(progress.lag.get(stage, 1) for stage in ("detect", "track", "journey"))
        ):
            return
        time.sleep(_LOOK_S)
