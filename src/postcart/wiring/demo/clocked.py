"""The demo's replay: the real events at one speed, the days after them at another.

Owns: the two speeds. Must not: produce or tell the clock itself (adapters.replay).
"""

from collections.abc import Callable, Sequence
from typing import Final

from postcart.adapters.replay import ReplayProgress
from postcart.events.shop import ShopEvent, time_ms
from postcart.settings import Settings
from postcart.wiring.replays import run_replay

_REAL_SHARE: Final = 0.2
"""Of the seconds, for the events of the file; the rest is for the days after."""


def replay_both(
    real: Sequence[ShopEvent],
    added: Sequence[ShopEvent],
    *,
    until_ms: int,
    seconds: float,
    settings: Settings,
    on_progress: Callable[[ReplayProgress], None],
    on_part: Callable[[str], None],
    stopped: Callable[[], bool],
) -> None:
    """Replay ``real``, then ``added`` and the time after them until ``until_ms``, event time, in about ``seconds``.

    ``on_progress`` is told of both as of one, ``on_part`` what begins. Raises as ``run_replay``.
    """
    on_part("the real events arrive, 69 minutes of a cosmetics shop")
    first_ms, last_ms = time_ms(real[0]), max(map(time_ms, real))
    done = run_replay(
        real,
        settings=settings,
        speed=(last_ms - first_ms) / 1_000 / (seconds * _REAL_SHARE),
        run_on_ms=0,
        on_progress=on_progress,
        stopped=stopped,
    )
    if stopped():
        return

    def on_later_progress(later: ReplayProgress) -> None:
        on_progress(
            ReplayProgress(
                sent=done.sent + later.sent,
                acknowledged=done.acknowledged + later.acknowledged,
                clock_ms=later.clock_ms,
                last_event_ms=later.last_event_ms,
                end_ms=until_ms,
            )
        )

    on_part("the days after: 1 h, 24 h and 72 h pass")
    run_replay(
        added,
        settings=settings,
        speed=(until_ms - last_ms) / 1_000 / (seconds * (1 - _REAL_SHARE)),
        run_on_ms=max(0, until_ms - max(map(time_ms, added))),
        on_progress=on_later_progress,
        stopped=stopped,
    )
