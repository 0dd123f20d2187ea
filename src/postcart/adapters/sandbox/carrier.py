"""Where parcels are, told by Shippo's API, for trials and tests: each question finds its parcel a step further.

Owns: checking questions as Shippo does, and what becomes of parcels. Must not: know a parcel before it is asked about.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard
from postcart.events.times import DAY_MS, iso

PATH: Final = "/tracks/{carrier}/{tracking_number}"
SECRET: Final = "ShippoToken sandbox"  # noqa: S105 -- for trials
_CARRIER: Final = re.compile(r"[a-z0-9_]+")
_ETA_MS: Final = 2 * DAY_MS
_PLACE: Final = {"city": "Las Vegas", "state": "NV", "zip": "89101", "country": "US"}


class Step(NamedTuple):
    """A scan: Shippo's status and substatus, and what is said of it."""

    code: str
    detail: str
    text: str


Story = Sequence[Step]

_ACCEPTED: Final = Step("TRANSIT", "package_accepted", "Your package was accepted.")
_DEPARTED: Final = Step("TRANSIT", "package_departed", "Your package has departed from a carrier facility.")
_OUT: Final = Step("TRANSIT", "out_for_delivery", "Your package is out for delivery.")
_ATTEMPTED: Final = Step("TRANSIT", "delivery_attempted", "A delivery was attempted, nobody was there.")
STORIES: Final[Mapping[str, Story]] = {
    "": (_ACCEPTED, _DEPARTED, _OUT, Step("DELIVERED", "delivered", "Your package was delivered.")),
    "ATTEMPT": (
        *(_ACCEPTED, _DEPARTED, _OUT, _ATTEMPTED),
        Step("TRANSIT", "pickup_available", "Your package can be picked up."),
    ),
    "RETURN": (
        *(_ACCEPTED, _DEPARTED, _OUT, _ATTEMPTED),
        Step("RETURNED", "package_unclaimed", "Nobody claimed your package."),
    ),
    "LOST": (_ACCEPTED, _DEPARTED, Step("FAILURE", "package_lost", "Your package was lost.")),
    "STUCK": (_ACCEPTED,),
    "UNKNOWN": (),
}
"""By how tracking numbers begin; the longest that fits."""

Reply = Callable[[str, str], tuple[int, str, Mapping[str, str]] | None]
"""From carrier and number to a status, what is said and headers; None: as Shippo would."""


@dataclass
class _Parcel:
    """When it was asked about first, and the steps that were told, each with its time."""

    began_ms: int
    scans: list[tuple[Step, int]] = field(default_factory=list)


class CarrierSandbox:
    """One account, which knows the parcels of all carriers.

    Args:
        now_ms: Real time.
        tell: Hears of each question.
        stories: What becomes of parcels, by how their numbers begin; ``""`` is for all others.
    """

    def __init__(
        self, *, now_ms: Callable[[], int], tell: Tell = unheard, stories: Mapping[str, Story] = STORIES
    ) -> None:
        self.reply: Reply = lambda _carrier, _number: None
        self.asked: Counter[tuple[str, str]] = Counter()
        """Questions by carrier and number."""
        self.faults: list[str] = []
        self._now_ms = now_ms
        self._tell = tell
        self._stories = stories
        self._parcels: dict[tuple[str, str], _Parcel] = {}
        self.app = Starlette(routes=[Route(PATH, self._asked), Route("/{path:path}", self._elsewhere)])

    async def _asked(self, request: Request) -> Response:
        carrier, number = request.path_params["carrier"], request.path_params["tracking_number"]
        self.asked[carrier, number] += 1
        status, faults = _faults(carrier, request.headers)
        self.faults += faults
        if faults:
            return self._refuse(status, "; ".join(faults), carrier, number)
        scripted = self.reply(carrier, number)
        if scripted is not None:
            return self._refuse(scripted[0], scripted[1], carrier, number, headers=scripted[2])
        parcel = self._further(carrier, number)
        latest = " ".join(parcel.scans[-1][0][:2]) if parcel.scans else "nothing yet"
        shown = {"carrier": carrier, "number": number, "said": latest}
        self._tell(Arrival("carrier", accepted=True, shown=shown))
        return JSONResponse(_document(carrier, number, parcel))

    async def _elsewhere(self, request: Request) -> Response:
        return self._refuse(404, f"there is no {request.url.path}, only {PATH}")

    def _further(self, carrier: str, number: str) -> _Parcel:
        """The parcel, one step on, if its story has one more."""
        now_ms = self._now_ms()
        parcel = self._parcels.setdefault((carrier, number), _Parcel(now_ms))
        fitting = (begin for begin in self._stories if number.upper().startswith(begin))
        story = self._stories[max(fitting, key=len)]
        parcel.scans += [(step, now_ms) for step in story[len(parcel.scans) :][:1]]
        return parcel

    def _refuse(
        self, status: int, said: str, carrier: str = "", number: str = "", *, headers: Mapping[str, str] | None = None
    ) -> Response:
        shown = {"carrier": carrier, "number": number} if number else {}
        self._tell(Arrival("carrier", accepted=False, faults=(said,), shown=shown))
        return JSONResponse({"detail": said}, status, headers=dict(headers or {}))


def _faults(carrier: str, headers: Mapping[str, str]) -> tuple[int, list[str]]:
    if headers.get("authorization") != SECRET:
        return 401, ["Authentication credentials are wrong or were not provided."]
    found = []
    if not _CARRIER.fullmatch(carrier):
        found.append(f"{carrier!r} is no carrier's token; those are written like dhl_express")
    if not {"application/json", "*/*"} & set(headers.get("accept", "*/*").replace(" ", "").split(",")):
        found.append("JSON is not accepted")
    return 400, found


def _document(carrier: str, number: str, parcel: _Parcel) -> dict[str, Any]:
    """As https://docs.goshippo.com/api-reference/tracking-status/get-a-tracking-status has it."""
    history = [
        {
            "status": step.code,
            "substatus": {"code": step.detail, "text": step.text, "action_required": False},
            "status_details": step.text,
            "status_date": iso(at_ms),
            "location": _PLACE,
        }
        for step, at_ms in parcel.scans
    ]
    return {
        "carrier": carrier,
        "tracking_number": number,
        "eta": iso(parcel.began_ms + _ETA_MS) if history else None,
        "tracking_status": history[-1] if history else None,
        "tracking_history": history,
    }
