"""When a carrier that pushes nothing is asked about a parcel.

Owns: from when to when it is asked, how often, and the pauses that grow while nothing is new. Must not: ask, or read a
clock: a parcel's rounds depend on its row and on the moments at which the task looks at it.

A round falls due in the row, like a delay, but it decides nothing and tells nobody: what the carrier answers comes back
as events. So it is judged once the parcel has been folded up to the clock, and a parcel whose rounds went by while
nobody looked (an outage) is asked once. While the task reads what has piled up, rounds wait for the present.
"""

from typing import Final

from postcart.domain.jitter import jittered_ms
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import FOR_EVER, Parcel, Poll, when_ms
from postcart.domain.track.rules import Polling
from postcart.events.polls import PollRequest
from postcart.events.shipments import ParcelRegistered

JITTER: Final = 0.1
"""Share of a pause that it may be shorter or longer: parcels of one van are not asked about all at once."""
GROWTH: Final = 1.5
"""Of the pause, with each round that brought nothing new."""
_MOST_STEPS: Final = 40
"""Far beyond any longest pause."""


def turn(parcel: Parcel, clock_ms: int, context: Context, out: Tracked) -> None:
    """Begin, go on with or end the asking about a parcel that was folded up to ``clock_ms``."""
    rules, registered = context.rules.polling, parcel.registered
    if rules is None or registered is None or parcel.final_ms or not rules.covers(registered.carrier):
        parcel.poll = None
        return
    poll = parcel.poll
    if poll is None:
        poll = parcel.poll = Poll(_due_ms(parcel, registered, Poll(0), rules))
    if parcel.last.id != poll.last:
        poll.last, poll.unchanged = parcel.last.id, 0
        poll.due_ms = min(poll.due_ms, _due_ms(parcel, registered, poll, rules))
    if parcel.status == "expired":
        poll.due_ms = FOR_EVER  # until a scan brings it back
    if poll.due_ms > clock_ms:
        return
    if clock_ms < context.present_ms - rules.interval_ms and not poll.put_off:
        poll.due_ms, poll.put_off = context.present_ms, True
        return
    _ask(parcel, registered, clock_ms, context, out)
    poll.round, poll.unchanged, poll.asked_ms, poll.put_off = poll.round + 1, poll.unchanged + 1, clock_ms, False
    poll.due_ms = _due_ms(parcel, registered, poll, rules)


def _ask(parcel: Parcel, registered: ParcelRegistered, clock_ms: int, context: Context, out: Tracked) -> None:
    out.polls.append(
        PollRequest(
            parcel_id=parcel.parcel_id,
            carrier=registered.carrier,
            tracking_number=registered.tracking_number,
            round=parcel.poll.round if parcel.poll else 0,
            at_ms=clock_ms,
            since_ms=max(parcel.floor_ms + 1, when_ms(registered) - context.rules.known_ms),
        )
    )


def _due_ms(parcel: Parcel, registered: ParcelRegistered, poll: Poll, rules: Polling) -> int:
    """A pause after the latest round, or the registration; the first pause is the interval."""
    grown = rules.interval_ms * GROWTH ** min(max(poll.unchanged - 1, 0), _MOST_STEPS)
    pause_ms = jittered_ms(min(grown, rules.longest_ms), parcel.key, poll.round, share=JITTER)
    return (poll.asked_ms or when_ms(registered)) + pause_ms
