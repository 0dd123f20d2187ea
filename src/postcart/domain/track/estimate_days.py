"""Which deliveries a prediction may know: those of seven days ago and before.

Owns: the days not yet learned, and the fit for a day. Must not: know tasks, or when all of them have told a day.
"""

from msgspec import Struct, field

from postcart.domain.track.estimate_model import LAG_DAYS, NO_FIT, Fit, LaneModel
from postcart.domain.track.estimate_sums import Sums


class DayTold(Struct, frozen=True, gc=False, omit_defaults=True):
    """A task's word to all tasks (topic ``lanes``): no delivery up to the day ``through`` is still to be told by it.

    Attributes:
        day: Of ``sums``, which may be a part of that day's.
    """

    task: int
    through: int
    day: int = 0
    sums: Sums | None = None


class LearnedDays(Struct, gc=False, omit_defaults=True):
    """The model up to ``through`` (days since 1970, UTC), and the sums of later days.

    The same days give the same fit, in whatever order and parts their sums were added.
    """

    model: LaneModel = field(default_factory=LaneModel)
    through: int = -1
    days: dict[int, Sums] = field(default_factory=dict)

    def add(self, day: int, sums: Sums) -> None:
        """Deliveries of a day; of one that was learned already they count on the next."""
        self.days.setdefault(max(day, self.through + 1), Sums()).add(sums)

    def learn(self, through: int) -> bool:
        """Learn all days up to ``through``; returns whether there was anything."""
        learned = [day for day in sorted(self.days) if day <= through]
        for day in learned:
            self.model.learn(day, self.days.pop(day))
        self.through = max(self.through, through)
        return bool(learned)


class DailyFit:
    """The fit for each day in turn."""

    def __init__(self, learned: LearnedDays) -> None:
        self._learned = learned
        self._fit = learned.model.fitted() if learned.model.day else NO_FIT

    def on(self, day: int) -> Fit:
        """For what is folded on ``day``; days must not go back. The deliveries up to day - 7 must have been added."""
        if self._learned.learn(day - LAG_DAYS):
            self._fit = self._learned.model.fitted()
        return self._fit
