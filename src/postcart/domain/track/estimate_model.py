"""How long a delivery will take, learned from the shop's own.

Owns: forgetting, the fit and the prediction. Must not: know a parcel's row, or when a day is over.

The model is linear in the logarithm of the duration: ``x·b + offset of the lane + level``. ``b`` and the offsets are
one ridge regression, in which the lanes' dummies are profiled out: with ``n`` deliveries of a lane whose features add
up to ``s``, ``Sxx - s s'/(n + K)`` is what remains, and the offset is the lane's summed residual over ``n + K``. The
level is the median residual of the last weeks: carriers get faster or slower all at once. Its half-life is short, that
of the relations is long. The range comes from residuals of predictions that were made *before* the delivery was known
(conformal), so it is honest also where the model is not. Weights count back from the delivery, not from the order:
so an order that is still on its way is missing from the sums without making them too fast.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from postcart.domain.track.estimate_sums import BIN, FEATURES, SCALE, WEIGHT, Forecast, Sums, features_of, lane_of
from postcart.domain.track.linear import solve
from postcart.events.event import moment_ms
from postcart.events.shipments import ParcelRegistered

MOST_LANES: Final = 2_000
"""Beyond that the lanes with the fewest deliveries are forgotten: the state is bounded, and fits into one record."""
LAG_DAYS: Final = 7
"""A prediction on day D uses deliveries up to day D - 7: so long a task may be behind the others."""

_SHRINK: Final = 10.0
"""K: a lane counts half with so many deliveries."""
_RIDGE: Final = (1e-6, 1.0, *[10.0] * (FEATURES - 2))
_RELATIONS_DAYS: Final = 365.0
_LEVEL_DAYS: Final = 21.0
_SPREAD_DAYS: Final = 365.0
_LEAST_FIT, _LEAST_LEVEL, _LEAST_SPREAD = 30, 10, 50
"""Deliveries before anything, the level, the range is said."""
_DECAY_BITS: Final = 30


class LaneModel(Struct, gc=False, omit_defaults=True):
    """The model after ``day`` (days since 1970, UTC), the last one on which anything was delivered."""

    day: int = 0
    sums: Sums = field(default_factory=Sums)

    def learn(self, day: int, sums: Sums) -> None:
        """The deliveries of a later day; a day without any changes nothing."""
        if not sums.products:
            return
        age = max(0, day - self.day)
        mine = self.sums
        relations = _factor(age, _RELATIONS_DAYS)
        mine.products = _decayed(mine.products, relations)
        mine.outcomes = _decayed(mine.outcomes, relations)
        mine.lanes = {lane: _decayed(values, relations) for lane, values in mine.lanes.items()}
        mine.level = _faded(mine.level, _factor(age, _LEVEL_DAYS))
        mine.spread = _faded(mine.spread, _factor(age, _SPREAD_DAYS))
        mine.add(sums)
        if len(mine.lanes) > MOST_LANES:
            kept = sorted(mine.lanes, key=lambda lane: (-mine.lanes[lane][0], lane))[:MOST_LANES]
            mine.lanes = {lane: mine.lanes[lane] for lane in kept}
        self.day = day

    def fitted(self) -> "Fit":
        """The fit as of now; costs some milliseconds per thousand lanes, so once a day."""
        return Fit(self.sums)


class Fit:
    """Coefficients, level and range as of one day. ``ready`` says whether there were enough deliveries."""

    def __init__(self, sums: Sums | None = None) -> None:
        sums = sums or Sums()
        self.ready = bool(sums.products) and sums.products[0] >= _LEAST_FIT * SCALE * SCALE
        self._lanes = sums.lanes
        self._coefficients = _ridge(sums) if self.ready else []
        self._level = _quantile(sums.level, 0.5) if _held(sums.level) >= _LEAST_LEVEL else 0
        self._range: tuple[int, int] | None = None
        if _held(sums.spread) >= _LEAST_SPREAD:
            self._range = _quantile(sums.spread, 0.1), _quantile(sums.spread, 0.9)

    def forecast(self, registered: ParcelRegistered, at_ms: int) -> Forecast:
        """What can be said of a parcel registered at ``at_ms``."""
        base_ms = moment_ms(registered.ordered_at) if registered.ordered_at is not None else at_ms
        lane, x = lane_of(registered), features_of(registered, base_ms)
        if not self.ready:
            return Forecast(lane=lane, base_ms=base_ms, features=x)
        offline = _bounded(round(_dot(self._coefficients, x) + self._offset(lane) * SCALE))
        point = _bounded(offline + self._level)
        low, high = map(_bounded, (point + self._range[0], point + self._range[1])) if self._range else (None, None)
        return Forecast(lane=lane, base_ms=base_ms, features=x, offline=offline, point=point, low=low, high=high)

    def _offset(self, lane: str) -> float:
        sums = self._lanes.get(lane)
        if sums is None:
            return 0.0
        return (sums[-1] - _dot(self._coefficients, sums[:-1])) / SCALE / (sums[0] / SCALE + _SHRINK)


def _ridge(sums: Sums) -> list[float]:
    unit = float(SCALE * SCALE)
    matrix = [[0.0] * FEATURES for _ in range(FEATURES)]
    values = iter(sums.products)
    for i in range(FEATURES):
        for j in range(i, FEATURES):
            matrix[i][j] = next(values) / unit
    right = [value / unit for value in sums.outcomes]
    for lane in sorted(sums.lanes):
        *features, outcome = (value / SCALE for value in sums.lanes[lane])
        share = features[0] + _SHRINK
        for i, one in enumerate(features):
            if one:
                for j in range(i, FEATURES):
                    matrix[i][j] -= one * features[j] / share
                right[i] -= one * outcome / share
    for i in range(FEATURES):
        for j in range(i):
            matrix[i][j] = matrix[j][i]
        matrix[i][i] += _RIDGE[i]
    return solve(matrix, right)


def _bounded(logarithm: int) -> int:
    """An hour to a year: whatever strange features lead to, it is a date."""
    return max(-3 * SCALE, min(logarithm, 6 * SCALE))


def _dot(left: Iterable[float], right: Iterable[int]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def _factor(age_days: int, half_life_days: float) -> int:
    return round(float(2.0 ** (_DECAY_BITS - age_days / half_life_days)))


def _decayed(values: list[int], factor: int) -> list[int]:
    return [value * factor >> _DECAY_BITS for value in values]


def _faded(histogram: dict[int, int], factor: int) -> dict[int, int]:
    faded = {place: weight * factor >> _DECAY_BITS for place, weight in histogram.items()}
    return {place: weight for place, weight in faded.items() if weight}


def _held(histogram: dict[int, int]) -> float:
    return sum(histogram.values()) / WEIGHT


def _quantile(histogram: dict[int, int], share: float) -> int:
    """Linear within the bin; fixed point."""
    wanted = share * sum(histogram.values())
    passed = 0
    for place in sorted(histogram):
        weight = histogram[place]
        if passed + weight >= wanted:
            return round((place + (wanted - passed) / weight) * BIN)
        passed += weight
    return 0


NO_FIT: Final = Fit()
"""Before anything was learned."""
