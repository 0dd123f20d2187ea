"""The rules of docs/tracking.md, one by one, on parcels that one can read."""

from typing import Any

import pytest

from parcels import KEY, MONDAY, estimate, hours, registered, scan, weekdays
from postcart.domain.track import fold
from postcart.domain.track.history import follow
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import Parcel, ParcelEvent
from postcart.domain.track.rules import Rules
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone
from postcart.events.shipments import Place, normalised, parcel_key, scan_id
from postcart.events.times import DAY_MS, HOUR_MS, to_ms

RULES = Rules()


def story(*events: ParcelEvent) -> list[str]:
    """What is told, in order: the hour after Monday 0:00, what, and its particulars."""
    lines = []
    for record in follow({KEY: events}, RULES, weekdays).news:
        hour = f"{(to_ms(record.at) - MONDAY) / HOUR_MS:g}"
        match record:
            case Milestone():
                lines.append(f"{hour} {record.status}{f' {record.reason}' if record.reason else ''}")
            case Delay():
                lines.append(f"{hour} {record.rule} {record.level} {'+'.join(record.audiences)}")
            case Cleared():
                lines.append(f"{hour} cleared {record.rule} {record.level}")
            case EstimateChanged():
                lines.append(f"{hour} estimate{' late' if record.late else ''}")
    return lines


def milestones(*events: ParcelEvent) -> list[str]:
    """Only those."""
    return [line.partition(" ")[2] for line in story(*events) if line.split(" ")[1] not in {"no_scan", "cleared"}]


def test_a_plain_delivery() -> None:
    """Each milestone is told at its time."""
    assert story(
        registered(),
        scan(hours(1), "info_received"),
        scan(hours(20), "picked_up"),
        scan(hours(30), "in_transit"),
        scan(hours(40), "in_transit", "again"),
        scan(hours(56), "out_for_delivery"),
        scan(hours(60), "delivered"),
    ) == ["1 info_received", "20 picked_up", "30 in_transit", "56 out_for_delivery", "60 delivered"]


def test_delivered_before_shipped() -> None:
    """What was left out is not told afterwards."""
    assert story(registered(), scan(hours(5), "delivered"), scan(hours(6), "picked_up")) == ["5 delivered"]


def test_several_failed_attempts() -> None:
    """The first is told; later ones are counted and told with what comes next."""
    events = [
        registered(),
        scan(hours(10), "picked_up"),
        scan(hours(30), "out_for_delivery"),
        scan(hours(34), "attempt_failed"),
        scan(hours(40), "in_transit"),
        scan(hours(54), "out_for_delivery", "second"),
        scan(hours(58), "attempt_failed", "second-failed"),
        scan(hours(70), "available_for_pickup"),
    ]
    assert milestones(*events)[:4] == ["picked_up", "out_for_delivery", "attempt_failed", "available_for_pickup"]
    told = [record for record in follow({KEY: events}, RULES, weekdays).news if isinstance(record, Milestone)]
    assert [record.attempts for record in told] == [0, 0, 1, 2]


def test_an_exception_that_passes() -> None:
    """Each reason once; what comes after it goes on up the line."""
    assert milestones(
        registered(),
        scan(hours(10), "in_transit"),
        scan(hours(12), "exception", reason="customs"),
        scan(hours(13), "in_transit"),
        scan(hours(14), "exception", "held-again", reason="customs"),
        scan(hours(15), "exception", reason="weather"),
        scan(hours(30), "delivered"),
    ) == ["in_transit", "exception customs", "exception weather", "delivered"]


def test_returned_after_delivered() -> None:
    """It may be, once; nothing else follows the end."""
    assert story(
        registered(),
        scan(hours(10), "delivered"),
        scan(hours(11), "exception", reason="damaged"),
        scan(hours(12), "in_transit"),
        scan(hours(50), "returned"),
        scan(hours(60), "delivered", "to-the-shop"),
    ) == ["10 delivered", "50 returned"]


def test_expired_is_not_the_end() -> None:
    """The carrier gave up looking, then the parcel came."""
    assert milestones(
        registered(), scan(hours(1), "in_transit"), scan(hours(700), "expired"), scan(hours(900), "delivered")
    )[-2:] == ["expired", "delivered"]


def test_a_recycled_number() -> None:
    """A registration 60 days later corrects, a moment more is another parcel; its scans may come first."""
    first = registered()
    end = scan(hours(30), "delivered")
    ahead = scan(MONDAY + 60 * DAY_MS, "picked_up", "new-life")
    same = registered(MONDAY + 60 * DAY_MS, "r2", order_id="o2")
    other = registered(MONDAY + 60 * DAY_MS + 1, "r2", order_id="o2")
    assert [line for line in story(first, end, ahead, same) if "no_" not in line] == ["30 delivered"]
    told = follow({KEY: [first, end, ahead, other]}, RULES, weekdays).news
    assert [(record.order_id, record.parcel_id != told[0].parcel_id) for record in told[:2]] == [
        ("o1", False),
        ("o2", True),
    ]


def test_scans_before_the_registration() -> None:
    """They wait 30 days: told at their own times, with the registration; later they are unmatched."""
    early = scan(MONDAY, "picked_up")
    in_time = follow({KEY: [early, registered(MONDAY + 30 * DAY_MS)]}, RULES, weekdays)
    assert (in_time.moments[0], to_ms(in_time.news[0].at)) == (MONDAY + 30 * DAY_MS, MONDAY)
    too_late = follow({KEY: [early, registered(MONDAY + 30 * DAY_MS + 1)]}, RULES, weekdays)
    assert too_late.unmatched == 1
    assert not any(isinstance(record, Milestone) for record in too_late.news)


@pytest.mark.parametrize(
    ("ready", "due"),
    [
        (0, 72),  # Monday → Thursday
        (3 * 24 + 9, 7 * 24 + 9),  # Thursday 9:00 → Sunday 9:00, so Monday 9:00
    ],
)
def test_no_pickup(ready: int, due: int) -> None:
    """72 hours after the parcel was ready; not on a weekend. Escalates, and clears itself by the pickup."""
    parcel = registered(ready_at=hours(ready))
    assert story(parcel, scan(hours(due), "picked_up"))[0] == f"{due} picked_up"
    later = f"{(hours(due) + 1 - MONDAY) / HOUR_MS:g}"
    assert story(parcel, scan(hours(due) + 1, "picked_up"))[:3] == [
        f"{due} no_pickup 1 customer+operations",
        f"{later} picked_up",
        f"{later} cleared no_pickup 1",
    ]


def test_delays_escalate() -> None:
    """Found Thursday; two business days later, Monday, to operations; after five, the Thursday after, to both."""
    assert story(registered()) == [
        "72 no_pickup 1 customer+operations",
        f"{7 * 24} no_pickup 2 operations",
        f"{10 * 24} no_pickup 3 customer+operations",
    ]


def test_no_scan() -> None:
    """Three business days, five across a border; it clears itself, and is found anew after the next scan."""
    monday = [registered(), scan(hours(10), "picked_up")]
    assert story(*monday)[1] == "82 no_scan 1 customer+operations"
    abroad = registered(origin=Place(country="DE"), destination=Place(country="BR"))
    assert story(abroad, monday[1])[1] == f"{7 * 24 + 10} no_scan 1 customer+operations"
    moved = story(*monday, scan(hours(100), "in_transit"))
    assert moved[1:5] == [
        "82 no_scan 1 customer+operations",
        "100 in_transit",
        "100 cleared no_scan 1",
        f"{9 * 24 + 4} no_scan 1 customer+operations",
    ]


def test_waiting_at_a_pickup_point_is_no_delay() -> None:
    """The customer is to come; the carrier has nothing to scan."""
    assert story(registered(), scan(hours(10), "available_for_pickup")) == ["10 available_for_pickup"]


def test_estimate_passed() -> None:
    """The promise of a day is over at its end; a parcel that moves on clears that, and is not late anew."""
    parcel = registered(promised_at=MONDAY + DAY_MS)
    lines = story(
        parcel, scan(hours(40), "in_transit"), scan(hours(50), "in_transit", "x"), scan(hours(60), "delivered")
    )
    assert lines == ["40 in_transit", "48 estimate 1 customer+operations", "50 cleared estimate 1", "60 delivered"]


def test_what_of_an_estimate_is_told() -> None:
    """Later than promised, or a day or more apart; each date once."""
    parcel = registered(promised_at=MONDAY + 4 * DAY_MS)
    assert story(parcel, estimate(hours(1), MONDAY + 4 * DAY_MS + 9 * HOUR_MS))[0] != "1 estimate"
    assert story(parcel, estimate(hours(1), MONDAY + 3 * DAY_MS))[0] == "1 estimate"
    assert story(parcel, estimate(hours(1), MONDAY + 5 * DAY_MS + HOUR_MS))[0] == "1 estimate late"
    told = story(
        parcel,
        estimate(hours(1), MONDAY + 6 * DAY_MS),
        estimate(hours(2), MONDAY + 6 * DAY_MS + HOUR_MS),
        estimate(hours(3), MONDAY + 7 * DAY_MS),
        estimate(hours(4), MONDAY + 6 * DAY_MS),
        scan(hours(5), "delivered"),
        estimate(hours(6), MONDAY + 9 * DAY_MS),
    )
    assert told == ["1 estimate late", "3 estimate late", "5 delivered"]


def test_without_a_promise_the_first_estimate_is_no_change() -> None:
    """There is nothing that it could change."""
    assert story(registered(), estimate(hours(1), MONDAY + 9 * DAY_MS), scan(hours(2), "delivered")) == ["2 delivered"]


def test_an_estimate_ahead_clears_its_delay() -> None:
    """The carrier has spoken again."""
    parcel = registered(promised_at=MONDAY)
    lines = story(parcel, scan(hours(1), "in_transit"), estimate(hours(30), MONDAY + 3 * DAY_MS))
    assert lines[1:4] == ["24 estimate 1 customer+operations", "30 cleared estimate 1", "30 estimate late"]


def test_a_late_scan_tells_nothing_but_the_end() -> None:
    """In a stream a scan may come days after its time."""
    parcel, out = Parcel(key=KEY), Tracked()
    context = Context(rules=RULES, business_days=weekdays)
    for event in (
        registered(),
        scan(hours(10), "in_transit"),
        scan(hours(20), "exception", reason="weather"),
        scan(hours(15), "out_for_delivery"),
        scan(hours(16), "exception", reason="damaged"),
        scan(hours(17), "delivered"),
    ):
        fold.arrive(parcel, [event], out)
        fold.advance(parcel, hours(21), context, out)
    told: list[Any] = [record.status for record in out.news if isinstance(record, Milestone)]
    assert told == ["in_transit", "exception", "delivered"]
    assert (parcel.status, out.late) == ("delivered", 2)


def test_one_number_however_it_is_written() -> None:
    """Blanks, hyphens and case do not matter; nor does the way a scan came."""
    assert parcel_key("dhl", "jd 01-46") == parcel_key("dhl", "JD0146") == "dhl:JD0146"
    assert normalised("  ё- ") == ""
    pushed = scan_id(parcel_key("dhl", "jd 01-46"), "in_transit", "2022-10-03T10:00", "Leipzig")
    assert pushed == scan_id(parcel_key("dhl", "JD0146"), "in_transit", "2022-10-03T10:00", "Leipzig")
    assert pushed != scan_id(parcel_key("dhl", "JD0147"), "in_transit", "2022-10-03T10:00", "Leipzig")
