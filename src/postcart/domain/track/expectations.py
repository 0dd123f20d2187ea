"""When a parcel is expected, and when a change of that is told.

Owns: the choice between carrier, history and promise, and what matters of a change. Must not: learn (estimate_model).
"""

from datetime import timedelta

from postcart.domain.track import delays
from postcart.domain.track.outcome import Tracked, known
from postcart.domain.track.parcel import Parcel, order_of
from postcart.events.event import moment_ms
from postcart.events.milestones import EstimateChanged, Expected, estimate_id
from postcart.events.shipments import ParcelEstimate, ParcelRegistered
from postcart.events.times import DAY_MS, from_ms, to_ms

_WHOLE_DAY = timedelta(days=1)


def registered(parcel: Parcel, event: ParcelRegistered) -> None:
    """What can be expected of a parcel that the carrier says nothing of: learned, else promised."""
    promised_ms = promise_ms(event)
    if parcel.expected is None or parcel.expected.source != "carrier":
        parcel.expected = _learned(parcel) or _promised(event)
        parcel.baseline_ms = promised_ms or (to_ms(parcel.expected.at) if parcel.expected else 0)


def promise_ms(event: ParcelRegistered) -> int:
    """The end of what was promised; 0 if nothing was."""
    return 0 if event.promised_at is None else _end_ms(moment_ms(event.promised_at), None)


def estimate(parcel: Parcel, event: ParcelEstimate, now_ms: int, out: Tracked) -> None:
    """The carrier expects it then; told if it matters."""
    place = order_of(event)
    if place <= parcel.estimated or parcel.final_ms:
        out.late += 1
        return
    out.applied += 1
    parcel.estimated = place
    begin_ms = moment_ms(event.estimated_at)
    end_ms = _end_ms(begin_ms, None if event.until is None else moment_ms(event.until))
    end = from_ms(end_ms)
    former, parcel.expected = (
        parcel.expected,
        Expected(at=end, earliest=from_ms(begin_ms), latest=end, source="carrier"),
    )
    if former is not None and former.latest != end and end_ms > now_ms:
        delays.clear(parcel, now_ms, out, only="estimate")
    _tell_if_it_matters(parcel, parcel.expected, end_ms, now_ms, out)


def _tell_if_it_matters(parcel: Parcel, expected: Expected, end_ms: int, now_ms: int, out: Tracked) -> None:
    """Later than promised, or a day or more from what was told last; each date once."""
    known_ms, parcel.baseline_ms = parcel.baseline_ms, parcel.baseline_ms or end_ms
    promised_ms = promise_ms(parcel.registered) if parcel.registered else 0
    day = (end_ms - 1) // DAY_MS
    late = bool(promised_ms) and end_ms > promised_ms
    apart = abs(end_ms - known_ms) >= DAY_MS
    if not known_ms or day == (known_ms - 1) // DAY_MS or day in parcel.estimates_told or not (late or apart):
        return
    parcel.estimates_told.append(day)
    parcel.baseline_ms = end_ms
    out.tell(
        now_ms,
        EstimateChanged(
            id=estimate_id(parcel.parcel_id, end_ms - 1),
            at=from_ms(now_ms),
            expected=expected,
            previous=from_ms(known_ms),
            promised=from_ms(promised_ms) if promised_ms else None,
            late=late,
            **known(parcel),
        ),
    )


def _learned(parcel: Parcel) -> Expected | None:
    forecast = parcel.forecast
    if forecast is None or forecast.point is None or forecast.low is None or forecast.high is None:
        return None
    at, earliest, latest = (from_ms(forecast.at_ms(value)) for value in (forecast.point, forecast.low, forecast.high))
    return Expected(at=at, earliest=earliest, latest=latest, source="learned")


def _promised(event: ParcelRegistered) -> Expected | None:
    if event.promised_at is None:
        return None
    end = from_ms(promise_ms(event))
    return Expected(at=end, earliest=from_ms(moment_ms(event.promised_at)), latest=end, source="promised")


def _end_ms(begin_ms: int, until_ms: int | None) -> int:
    """The end of a window; a moment's own, but at midnight the end of that day."""
    if until_ms is not None:
        return max(begin_ms, until_ms)
    return begin_ms if begin_ms % DAY_MS else begin_ms + DAY_MS
