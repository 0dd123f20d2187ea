"""What deliveries add up to: what was known and predicted of each, in sums that any number of tasks can add.

Owns: the features known when a parcel is registered, and the sums. Must not: fit or forget (estimate_model does).

Every sum is a whole number (fixed point), so the order of adding does not matter: any split over tasks gives the same
sums to the last bit, and replays predict alike.
"""

from math import exp, floor, log, log1p
from typing import Final

from msgspec import Struct, field

from postcart.events.event import moment_ms
from postcart.events.shipments import ParcelRegistered, Place
from postcart.events.times import DAY_MS, from_ms

SCALE: Final = 4_096
"""Fixed point of features and logarithms."""
FEATURES: Final = 12
WEIGHT: Final = 1 << 20
"""Of one residual in a histogram."""
BIN: Final = SCALE // 32
"""Width of a histogram's bin: 3 % of a duration."""
_LEAST_DAYS: Final = 0.25
_CENTRE: Final = 3.0
"""About the logarithm of 20, days or currency: keeps the sums small."""


class Forecast(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was known and predicted when a parcel was registered; kept in its row to be learned from.

    Attributes:
        base_ms: From when on the duration counts.
        features: Fixed point.
        offline, point: Predicted logarithm of days without and with the level, fixed point; None without a model.
        low, high: The 80 % range; None while too few predictions have been judged.
    """

    lane: str
    base_ms: int
    features: tuple[int, ...]
    offline: int | None = None
    point: int | None = None
    low: int | None = None
    high: int | None = None

    def at_ms(self, logarithm: int) -> int:
        """The moment that a logarithm of days means, to the second."""
        return self.base_ms + round(exp(logarithm / SCALE) * DAY_MS / 1_000) * 1_000


class Sums(Struct, gc=False, omit_defaults=True):
    """What deliveries add up to. Adding two is commutative and associative.

    Attributes:
        products: Upper triangle of the features' products, row by row.
        outcomes: Features times the logarithm of the duration.
        lanes: Per lane the features' sums, then that of the logarithms.
        level, spread: Histograms of residuals, without and with the level.
    """

    products: list[int] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    lanes: dict[str, list[int]] = field(default_factory=dict)
    level: dict[int, int] = field(default_factory=dict)
    spread: dict[int, int] = field(default_factory=dict)

    def observe(self, forecast: Forecast, delivered_ms: int) -> None:
        """One delivery. One at or before its base says nothing and is left out."""
        if delivered_ms <= forecast.base_ms:
            return
        outcome = round(log((delivered_ms - forecast.base_ms) / DAY_MS) * SCALE)
        x = forecast.features
        _add(self.products, [x[i] * x[j] for i in range(FEATURES) for j in range(i, FEATURES)])
        _add(self.outcomes, [value * outcome for value in x])
        _add(self.lanes.setdefault(forecast.lane, []), [*x, outcome])
        if forecast.offline is not None and forecast.point is not None:
            _count(self.level, outcome - forecast.offline)
            _count(self.spread, outcome - forecast.point)

    def add(self, other: "Sums") -> None:
        """Both together."""
        _add(self.products, other.products)
        _add(self.outcomes, other.outcomes)
        for lane, sums in other.lanes.items():
            _add(self.lanes.setdefault(lane, []), sums)
        for mine, others in ((self.level, other.level), (self.spread, other.spread)):
            for place, weight in others.items():
                mine[place] = mine.get(place, 0) + weight


def lane_of(registered: ParcelRegistered) -> str:
    """Carrier, service, and region to region: deliveries of one lane are alike."""
    way = f"{_region(registered.origin)}>{_region(registered.destination)}"
    return f"{registered.carrier}/{registered.service or ''}/{way}"


def _region(place: Place | None) -> str:
    return f"{place.country or ''}-{place.region or ''}" if place else "-"


def features_of(registered: ParcelRegistered, base_ms: int) -> tuple[int, ...]:
    """One; promised days, freight and pieces as logarithms; which of these are unknown; the weekday, Monday aside."""
    promised = freight = 0.0
    if registered.promised_at is not None:
        promised = log(max(_LEAST_DAYS, (moment_ms(registered.promised_at) - base_ms) / DAY_MS)) - _CENTRE
    if registered.freight is not None:
        freight = log1p(max(0.0, float(registered.freight))) - _CENTRE
    pieces = log(max(1, sum(line.quantity for line in registered.lines)))
    unknown = (float(registered.promised_at is None), float(registered.freight is None))
    weekday = from_ms(base_ms).weekday()
    days = [float(weekday == number) for number in range(1, 7)]
    return tuple(round(value * SCALE) for value in (1.0, promised, freight, pieces, *unknown, *days))


def _add(into: list[int], values: list[int]) -> None:
    if not into:
        into += values
    elif values:
        into[:] = [one + other for one, other in zip(into, values, strict=True)]


def _count(histogram: dict[int, int], residual: int) -> None:
    place = floor(max(-4 * SCALE, min(residual, 4 * SCALE)) / BIN)
    histogram[place] = histogram.get(place, 0) + WEIGHT
