"""How far the stages are behind, while the demo runs.

Owns: asking now and then, on a thread of its own. Must not: measure (adapters.lag).
"""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from postcart.adapters.clock import WallClock
from postcart.adapters.lag import GroupLag, measure
from postcart.adapters.topics import stage_group, stages
from postcart.errors import BrokerUnavailable
from postcart.settings import Settings
from postcart.wiring.lag_exporter import group_topics
from postcart.wiring.process import client_settings

LAG_EVERY_S: Final = 2.0
_QUESTION_S: Final = 2.0


class LagWatch:
    """Measures while its ``with`` block lasts; ``latest`` is stage → records behind, None where not told."""

    def __init__(self, settings: Settings) -> None:
        self._client = client_settings(settings).client("demo-lag")
        self._groups = group_topics(settings)
        self._stages = {stage_group(settings, stage): stage for stage in stages(settings)}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-lag", daemon=True)
        self.latest: Mapping[str, int | None] = dict.fromkeys(self._stages.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        clock = WallClock()
        while not self._stop.wait(LAG_EVERY_S):
            try:
                measured = measure(self._client, self._groups, now_ms=clock.now_ms(), timeout_s=_QUESTION_S)
            except BrokerUnavailable:
                self.latest = dict.fromkeys(self._stages.values())
            else:
                self.latest = {
                    self._stages[group.group]: _records(group)
                    for group in measured.groups
                    if group.group in self._stages
                }


def _records(group: GroupLag) -> int | None:
    known = [one.records for one in group.partitions if one.records is not None]
    return sum(known) if known else None
