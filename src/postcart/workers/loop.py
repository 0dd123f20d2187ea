"""Workers that turn a loop of their own: how one is told to end, and how it shows that it lives.

Owns: signals, exit codes, and the probes' facts. Must not: know what is done in a turn.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from types import FrameType

import structlog

from postcart.errors import EXIT_OK, PostcartError, exit_code

log = structlog.get_logger(__name__)

_TICK_S = 30.0


@dataclass(slots=True)
class LoopHealth:
    """Facts for the probes; may be read on any thread."""

    ticked_s: float = field(default_factory=time.monotonic)
    ready_now: bool = False

    def turns(self, *, ready: bool) -> None:
        """A turn begins."""
        self.ticked_s, self.ready_now = time.monotonic(), ready

    def live(self) -> bool:
        """Whether the loop turns; an outage of what it needs changes nothing."""
        return time.monotonic() - self.ticked_s < _TICK_S

    def ready(self) -> bool:
        """Whether it turns and has what it needs."""
        return self.ready_now and self.live()


def run_until_told(run: Callable[[Event], None], *, failed: str) -> int:
    """Call ``run`` with an event that SIGTERM and SIGINT set.

    Args:
        run: Returns when it sees the event, or raises what ends the process.
        failed: What the log calls such an end.

    Returns:
        The exit code: 0, 75 (start it again) or 78 (change something first).
    """
    stop = told_to_end()
    try:
        run(stop)
    except PostcartError as error:
        log.error(failed, error=error.code, detail=str(error))  # noqa: TRY400 -- says what to do; no bug
        return exit_code(error)
    return EXIT_OK


def told_to_end() -> Event:
    """An event that SIGTERM and SIGINT set from now on."""
    stop = Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return stop
