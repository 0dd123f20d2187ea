"""The demo's pipeline: broker, providers, workers as processes, the replay, and waiting until all is sent.

Owns: starting these, their order, and that they end. Must not: count, or tell what came of it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from postcart.adapters.clock import ClockWriter, WallClock
from postcart.events.shop import ProfileUpdated
from postcart.settings import Settings
from postcart.wiring.demo.asking import await_read_model
from postcart.wiring.demo.clocked import replay_both
from postcart.wiring.demo.expected import Expected
from postcart.wiring.demo.feeds import live_page
from postcart.wiring.demo.history import History
from postcart.wiring.demo.lagging import LAG_EVERY_S, LagWatch
from postcart.wiring.demo.processes import Processes
from postcart.wiring.demo.progress import Progress
from postcart.wiring.demo.screen import Screen
from postcart.wiring.demo.shop import Places, opened_broker
from postcart.wiring.demo.tally import Tally
from postcart.wiring.demo.texting import Texting, text_provider
from postcart.wiring.demo.watching import Watcher
from postcart.wiring.process import client_settings

_START_S: Final = 40.0
_LOOK_S: Final = 0.05
_QUIET_S: Final = 2 * LAG_EVERY_S
"""By then the lag has been measured anew."""
_STALLED_S: Final = 30.0
"""When nothing has changed for so long after the replay, nothing will."""
_OF_FEED: Final = ("project", "gateway")
"""What shows a feed, and keeps what is done with it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run.

    Attributes:
        variables: The demo's own settings; ``environ``: the process's environment.
        shown: Whose feed can be watched.
        seconds: How long the replay takes, about.
    """

    variables: Mapping[str, str]
    environ: Mapping[str, str]
    places: Places
    history: History
    expected: Expected
    shown: ProfileUpdated
    seconds: float


@dataclass(frozen=True, slots=True)
class Running:
    """What runs on after all is sent. ``live``: the address of the shown person's feed."""

    texting: Texting
    processes: Processes
    live: str

    def keep_the_feed(self) -> None:
        """End all but what shows it."""
        self.processes.stop(but=_OF_FEED)


@contextmanager
def running(plan: Plan, screen: Screen) -> Iterator[Running]:
    """Run it until all is sent; broker and processes end with the block. Raises as ``run_demo``."""
    progress, places = screen.progress, plan.places
    with ExitStack() as stack:
        screen.phase(f"starting {progress.broker}")
        settings = stack.enter_context(opened_broker(plan.variables, plan.environ))
        screen.phase("starting detect, track, journey, senders, projection, gateway and mail server")
        texting = stack.enter_context(text_provider())
        own = {**plan.variables, **texting.settings, "POSTCART_BOOTSTRAP": settings.bootstrap}
        visible = {name: value for name, value in plan.environ.items() if not name.startswith("POSTCART_")}
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
        live = live_page(settings, said, plan.shown.person_id, now_ms=WallClock().now_ms())
        screen.say(f"the in-app feed of {plan.shown.name}, live: {live}")
        replay_both(
            plan.history.real,
            plan.history.added,
            until_ms=plan.expected.until_ms,
            seconds=plan.seconds,
            settings=settings,
            on_progress=partial(setattr, progress, "replay"),
            stopped=stopped,
            on_part=screen.phase,
        )
        screen.phase("waiting for the last messages")
        _drain(progress, plan.expected, stopped=stopped)
        await_read_model(settings, stopped=stopped)
        processes.check()
        yield Running(texting, processes, live)


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
