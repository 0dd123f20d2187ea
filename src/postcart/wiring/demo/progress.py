"""What the demo knows about itself while it runs.

Owns: the picture that a screen draws. Must not: draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from postcart.adapters.replay import ReplayProgress
from postcart.wiring.demo.tally import Tally


@dataclass
class Progress:
    """Everything a screen may show; written by the demo, read by the screen.

    Attributes:
        phase: What is going on, in words.
        events: How many there will be.
        from_ms: Event time at which the history begins; ``until_ms``: at which nothing is pending any more.
        lag: Stage → records not yet read; None where the broker has not told.
    """

    events: int
    from_ms: int
    until_ms: int
    broker: str
    phase: str = "starting"
    tally: Tally = field(default_factory=Tally)
    replay: ReplayProgress | None = None
    lag: Mapping[str, int | None] = field(default_factory=dict)
    started_s: float = 0.0

    @property
    def clock_ms(self) -> int:
        """The replay's clock."""
        told = self.replay.clock_ms if self.replay else None
        return max(self.from_ms, told or 0)

    @property
    def share(self) -> float:
        """How much of the time to be replayed has passed, 0 to 1."""
        return min(1.0, (self.clock_ms - self.from_ms) / max(1, self.until_ms - self.from_ms))
