"""How well deliveries are predicted: on a split by time, by what was known at the purchase.

Owns: the measure. Must not: know where the orders come from.

Before the split the model is fed as in the stream: day by day, predictions by deliveries of a week ago. It is frozen at
the split, with every delivery before that moment and none after: what was bought before and delivered after it belongs
to neither side.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from postcart.domain.track.estimate_days import DailyFit, LearnedDays
from postcart.domain.track.estimate_model import Fit
from postcart.domain.track.estimate_sums import Forecast, Sums
from postcart.events.event import moment_ms
from postcart.events.shipments import ParcelRegistered
from postcart.events.times import DAY_MS

_LOW, _HIGH = 0.1, 0.9


class Case(NamedTuple):
    """An order: when it was bought, what was known then, when it was delivered, if ever."""

    bought_ms: int
    registered: ParcelRegistered
    delivered_ms: int | None


class Evaluation(Struct, frozen=True, kw_only=True):
    """Durations in days.

    Attributes:
        split_ms: The moment: purchases before it, delivered before it, are what was learned from.
        mae_days: Mean absolute error of the point predicted; the others: of the shop's promise, and of the median that
            the training has for the state.
        coverage: Share of deliveries within the 80 % range.
        width_days: Mean width of the ranges; ``global_width_days``: of the training's 10 to 90 % range.
    """

    orders: int
    split_ms: int
    learned_from: int
    judged: int
    mae_days: float
    shop_mae_days: float | None
    state_median_mae_days: float
    coverage: float
    width_days: float
    global_width_days: float


def evaluate(cases: Sequence[Case], share: float) -> Evaluation | None:
    """Judge the predictions of purchases from the split on; None if there is too little to learn from or to judge.

    Args:
        cases: In any order.
        share: Of the purchases, by time, that are before the split.
    """
    ordered = sorted(cases, key=lambda case: (case.bought_ms, case.registered.id))
    place = int(share * len(ordered))
    if not 0 < place < len(ordered):
        return None
    split_ms = ordered[place].bought_ms
    before = [case for case in ordered if case.bought_ms < split_ms]
    learned = [case for case in before if case.delivered_ms is not None and case.delivered_ms < split_ms]
    after = [case for case in ordered if case.bought_ms >= split_ms and case.delivered_ms is not None]
    model = _taught(before, split_ms)
    forecasts = [(model.forecast(case.registered, case.bought_ms), case) for case in after]
    judged = [(forecast, case) for forecast, case in forecasts if forecast.high is not None]
    if not judged or not learned:
        return None
    return _measured(ordered, split_ms, learned, judged)


def _taught(before: Sequence[Case], split_ms: int) -> Fit:
    """The fit at the split; it learns no more."""
    learned = LearnedDays()
    fits = DailyFit(learned)
    happened = [(case.bought_ms, 0, case) for case in before]
    happened += [
        (case.delivered_ms, 1, case)
        for case in before
        if case.delivered_ms is not None and case.delivered_ms < split_ms
    ]
    forecasts: dict[str, Forecast] = {}
    for at_ms, is_delivery, case in sorted(happened, key=lambda one: one[:2]):
        fit = fits.on(at_ms // DAY_MS)
        if not is_delivery:
            forecasts[case.registered.id] = fit.forecast(case.registered, at_ms)
        elif case.registered.id in forecasts:
            sums = Sums()
            sums.observe(forecasts[case.registered.id], at_ms)
            learned.add(at_ms // DAY_MS, sums)
    learned.learn(split_ms // DAY_MS)
    return learned.model.fitted()


def _measured(
    ordered: Sequence[Case], split_ms: int, learned: Sequence[Case], judged: Sequence[tuple[Forecast, Case]]
) -> Evaluation:
    medians, overall, spread = _baseline(learned)
    errors: dict[str, list[float]] = defaultdict(list)
    within, widths = 0, []
    for forecast, case in judged:
        took = _days(case)
        point, low, high = (
            _predicted(forecast, value, case) for value in (forecast.point, forecast.low, forecast.high)
        )
        errors["ours"].append(abs(point - took))
        errors["state"].append(abs(medians.get(_state(case), overall) - took))
        if case.registered.promised_at is not None:
            errors["shop"].append(abs((moment_ms(case.registered.promised_at) - case.bought_ms) / DAY_MS - took))
        within += low <= took <= high
        widths.append(high - low)
    return Evaluation(
        orders=len(ordered),
        split_ms=split_ms,
        learned_from=len(learned),
        judged=len(judged),
        mae_days=_mean(errors["ours"]),
        shop_mae_days=_mean(errors["shop"]) if errors["shop"] else None,
        state_median_mae_days=_mean(errors["state"]),
        coverage=round(within / len(judged), 4),
        width_days=_mean(widths),
        global_width_days=round(spread, 4),
    )


def _baseline(learned: Sequence[Case]) -> tuple[dict[str, float], float, float]:
    """Medians per state, of all, and the width of the range from 10 to 90 %."""
    by_state: dict[str, list[float]] = defaultdict(list)
    for case in learned:
        by_state[_state(case)].append(_days(case))
    everything = sorted(took for durations in by_state.values() for took in durations)
    low, high = (everything[min(len(everything) - 1, int(share * len(everything)))] for share in (_LOW, _HIGH))
    return {state: median(durations) for state, durations in by_state.items()}, median(everything), high - low


def _predicted(forecast: Forecast, logarithm: int | None, case: Case) -> float:
    return (forecast.at_ms(logarithm or 0) - case.bought_ms) / DAY_MS


def _days(case: Case) -> float:
    return ((case.delivered_ms or 0) - case.bought_ms) / DAY_MS


def _state(case: Case) -> str:
    destination = case.registered.destination
    return (destination.region if destination else None) or ""


def _mean(values: Iterable[float]) -> float:
    taken = list(values)
    return round(sum(taken) / len(taken), 4)
