"""The demo from its beginning to its end.

Owns: the order of things. Must not: know how any of them is done.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from postcart.adapters.replay import ReplayProgress
from postcart.events.shop import time_ms
from postcart.settings import load_settings
from postcart.wiring.demo.clocked import replay_both
from postcart.wiring.demo.expected import Expected, history_and_expected
from postcart.wiring.demo.history import History
from postcart.wiring.demo.lagging import LagWatch
from postcart.wiring.demo.processes import Processes
from postcart.wiring.demo.progress import Progress
from postcart.wiring.demo.report import report
from postcart.wiring.demo.screen import Screen, open_screen
from postcart.wiring.demo.shop import Places, demo_variables, opened_broker, write_dkim_key
from postcart.wiring.demo.tally import Tally
from postcart.wiring.demo.watching import Watcher
from postcart.wiring.stages import client_settings

DEFAULT_FOLDER: Final = Path("demo-output")
_SINK_S: Final = 30.0
_STALLED_S: Final = 30.0
"""When nothing has changed for so long after the replay, nothing will."""
_WORKERS: Final = {"detect": ("detect",), "journey": ("journey",), "email": ("send", "email")}


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a person may choose.

    Attributes:
        folder: Where mails, logs and the page go.
        terminal: Whether progress is drawn in place; else it is told in lines.
        color: Whether results are coloured.
    """

    folder: Path = DEFAULT_FOLDER
    terminal: bool = False
    color: bool = False


def run_demo(environ: Mapping[str, str], options: DemoOptions) -> tuple[int, Path]:
    """Run the demo; returns the exit code (0: it decided as ``simulate`` does and sent what was due) and the page.

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
    with open_screen(progress, terminal=options.terminal) as screen:
        _run(variables, environ, history=history, expected=expected, places=places, screen=screen)
    equal = report(progress, history=history, expected=expected, places=places, color=options.color)
    return (0 if equal else 1), places.page


def _run(
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    history: History,
    expected: Expected,
    places: Places,
    screen: Screen,
) -> None:
    progress = screen.progress
    with ExitStack() as stack:
        screen.phase(f"starting {progress.broker}")
        settings = stack.enter_context(opened_broker(variables, environ))
        screen.phase("starting detect, journey, email sender and mail server")
        own = {**variables, "POSTCART_BOOTSTRAP": settings.bootstrap}
        visible = {name: value for name, value in environ.items() if not name.startswith("POSTCART_")}
        processes = stack.enter_context(Processes(places.logs, {**visible, **own}))
        processes.start("mail-server", "postcart.adapters.mail_sink", ["--folder", str(places.inbox)])
        for name, words in _WORKERS.items():
            if name != "email":
                processes.start(name, "postcart", ["worker", *words], POSTCART_WORKER_NAME=name)
        address = processes.first_line("mail-server", timeout_s=_SINK_S)
        port = address.rpartition(":")[2]
        processes.start(
            "email",
            "postcart",
            ["worker", *_WORKERS["email"]],
            POSTCART_WORKER_NAME="email",
            POSTCART_SMTP__PORT=port,
        )
        tally = progress.tally
        client = client_settings(settings).client("demo")
        sinks = {
            settings.topic("decisions"): tally.add_decision,
            settings.topic("receipts"): tally.add_receipt,
            settings.topic("signals"): tally.add_signal,
        }
        watcher = stack.enter_context(Watcher(client, sinks))
        lag = stack.enter_context(LagWatch(settings))

        def stopped() -> bool:
            progress.lag = lag.latest
            screen.refresh()
            return processes.ended()

        def on_progress(replayed: ReplayProgress) -> None:
            progress.replay = replayed

        replay_both(
            history.real,
            history.added,
            until_ms=expected.until_ms,
            settings=settings,
            on_progress=on_progress,
            stopped=stopped,
            on_part=screen.phase,
        )
        screen.phase("waiting for the last mails")
        _drain(tally, expected, stopped=stopped, watcher=watcher)
        processes.check()
        screen.phase("stopping the workers")


def _drain(tally: Tally, expected: Expected, *, stopped: Callable[[], bool], watcher: Watcher) -> None:
    """Wait until all is decided and sent, or nothing changes any more."""
    seen, since = (0, 0), time.monotonic()
    while not stopped() and time.monotonic() - since < _STALLED_S:
        watcher.check()
        now = (len(tally.decisions), len(tally.receipts))
        if tally.lines == expected.lines and len(tally.receipts) >= tally.due:
            return
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.05)
