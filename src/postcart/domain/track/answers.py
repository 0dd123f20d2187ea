"""What a carrier answers when it is asked about a parcel, as the events that it would have pushed.

Owns: taking scans and the expected delivery out of an answer by a form (carriers/answers/*.yaml), and what of it is
about this parcel. Must not: know a provider, decode bytes, or say what a status means.

A scan is known by parcel, status, the carrier's time and place: so what is answered again, and what was pushed too,
changes nothing. An expectation has no time of its own in most answers: it is of when the question was put.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct, field

from postcart.events.ids import namespace_of, uuid5
from postcart.events.polls import PollRequest
from postcart.events.shipments import ParcelEstimate, ParcelStatus, Place, carrier_scan_id, normalised
from postcart.events.times import EPOCH, from_ms, iso, to_ms

Path: TypeAlias = tuple[str, ...]
"""Names from the outside to the inside; a list on the way stands for all that is in it."""

_SHORT_MOST: Final = 200
_TEXT_MOST: Final = 2_000
_COUNTRY_LETTERS: Final = 2
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class AnswerForm(Struct, frozen=True, gc=False, kw_only=True):
    """Where a provider's answer has what.

    Attributes:
        vocabulary: Whose words its codes are.
        zone: Of times that name none.
        parcels: Where what is said of a parcel is; empty: it is the whole answer.
        number: The parcel's tracking number, in there; those of another number are left out.
        estimate: When the carrier expects to deliver, in there; with ``estimate_until`` a window from then to that.
        scans: Its scans, in there; what follows is looked for in each of them.
    """

    name: str
    vocabulary: str
    zone: tzinfo
    scans: tuple[Path, ...]
    code: Path
    time: Path
    parcels: Path = ()
    number: Path | None = None
    detail: Path | None = None
    text: Path | None = None
    country: Path | None = None
    region: Path | None = None
    city: Path | None = None
    postal_code: Path | None = None
    site: Path | None = None
    estimate: Path | None = None
    estimate_until: Path | None = None


class Answer(Struct, gc=False):
    """What was taken out of an answer.

    Attributes:
        scans: Oldest first, each once.
        older: How many were another parcel's.
        estimate: When the carrier expects to deliver, if it says so.
        faults: What can't be read, for people; without values.
    """

    scans: list[ParcelStatus] = field(default_factory=list)
    older: int = 0
    estimate: ParcelEstimate | None = None
    faults: list[str] = field(default_factory=list)


class _Unclear(ValueError):  # noqa: N818 -- names what was found
    """A scan that is not as the form says."""


class _Place(NamedTuple):
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    site: str | None


def read_answer(document: Any, form: AnswerForm, request: PollRequest) -> Answer:
    """Take the scans of ``request``'s parcel out of a JSON document. An entry without a time or a code says nothing."""
    answer = Answer()
    if not isinstance(document, Mapping | list):
        answer.faults.append("the answer is no object")
        return answer
    parcels = list(_found(document, form.parcels))
    ours = [parcel for parcel in parcels if _is_about(parcel, form, request)]
    if parcels and not ours:
        answer.faults.append("the answer is about another number")
    found: dict[str, ParcelStatus] = {}
    for path in form.scans:
        for entry in _found(ours, path):
            try:
                scan = _scan(entry, form, request)
            except _Unclear as fault:
                answer.faults.append(f"{'.'.join(path)}: {fault}")
                continue
            if scan is not None:
                found.setdefault(scan.id, scan)
    answer.scans = sorted(
        (scan for scan in found.values() if to_ms(scan.time) >= request.since_ms),  # type: ignore[arg-type]  # a datetime
        key=lambda scan: scan.time,
    )
    answer.older = len(found) - len(answer.scans)
    for parcel in ours:
        try:
            answer.estimate = answer.estimate or _estimate(parcel, form, request)
        except _Unclear as fault:
            answer.faults.append(f"estimate: {fault}")
    return answer


def _is_about(parcel: Any, form: AnswerForm, request: PollRequest) -> bool:
    numbers = list(_found(parcel, form.number)) if form.number else []
    wanted = normalised(request.tracking_number)
    return not numbers or any(isinstance(one, str) and normalised(one) == wanted for one in numbers)


def _found(document: Any, path: Path) -> Iterator[Any]:
    """Everything there; None counts as nothing."""
    if isinstance(document, list):
        for one in document:
            yield from _found(one, path)
    elif not path:
        if document is not None:
            yield document
    elif isinstance(document, Mapping):
        yield from _found(document.get(path[0]), path[1:])


def _scan(entry: Any, form: AnswerForm, request: PollRequest) -> ParcelStatus | None:
    if not isinstance(entry, Mapping):
        raise _Unclear("an entry is no object")
    code, time = _text(entry, form.code, "code"), _text(entry, form.time, "time")
    if code is None or time is None:
        return None
    at, detail, where = _moment(time, form), _text(entry, form.detail, "detail"), _where(entry, form)
    return ParcelStatus(
        id=carrier_scan_id(request.parcel_key, code=code, detail=detail, at_ms=to_ms(at), place=where),
        time=at,
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        code=code,
        detail=detail,
        vocabulary=form.vocabulary,
        text=_text(entry, form.text, "text", most=_TEXT_MOST),
        place=Place(**where._asdict()) if any(where) else None,
        source="polled",
    )


def _estimate(parcel: Any, form: AnswerForm, request: PollRequest) -> ParcelEstimate | None:
    told = _text(parcel, form.estimate, "estimate")
    if told is None:
        return None
    until = _text(parcel, form.estimate_until, "estimate_until")
    begin, end = _moment(told, form), None if until is None else _moment(until, form)
    if end is not None and end < begin:
        raise _Unclear("the window ends before it begins")
    content = f"estimate/{iso(request.at_ms)}/{iso(to_ms(begin))}/{'' if end is None else iso(to_ms(end))}"
    return ParcelEstimate(
        id=uuid5(namespace_of(request.parcel_key), content),
        time=from_ms(request.at_ms),
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        estimated_at=begin,
        until=end,
    )


def _where(entry: Mapping[str, Any], form: AnswerForm) -> _Place:
    country = _text(entry, form.country, "country")
    code = country.upper() if country and len(country) == _COUNTRY_LETTERS and country.isascii() else None
    names = ("region", "city", "postal_code", "site")
    return _Place(code if code and code.isalpha() else None, *(_text(entry, getattr(form, one), one) for one in names))


def _text(entry: Mapping[str, Any], path: Path | None, name: str, *, most: int = _SHORT_MOST) -> str | None:
    """The first one there, cut to what an event may hold; None if it is missing or blank."""
    value = next(_found(entry, path), None) if path else None
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise _Unclear(f"{name} is no text")
    return str(value).strip()[:most] or None if value is not None else None


def _moment(text: str, form: AnswerForm) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Unclear("time is not ISO 8601") from error
    at = at if at.tzinfo else at.replace(tzinfo=form.zone)
    if not EPOCH <= at < _LATEST:
        raise _Unclear("time is not in 1970 to 2199")
    return at
