"""What JOURNEY remembers of messages that went out: to which contact point, and what came of them.

Owns: that memory, its bounds, and how soft bounces in a row are counted. Must not: decide what follows.

*In a row*: of the messages to one contact point, in the order in which providers accepted them, the latest ones that
bounced softly, up to one that arrived. A message has arrived if a report says so, or if nothing came back for 72 hours
after it was accepted; until then it is left out of the count. So five soft bounces count the same in whatever order
their reports come, and several notices about one message count once.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from postcart.events.jobs import Channel
from postcart.events.times import DAY_MS, HOUR_MS

ARRIVED_AFTER_MS: Final = 72 * HOUR_MS
"""So long servers go on trying (deliverability rules): who has heard nothing by then may take it for delivered."""
REMEMBERED_MS: Final = 31 * DAY_MS
SOFT_REMEMBERED_MS: Final = 180 * DAY_MS
"""Soft bounces stay longer: who gets a mail a month must be able to have five in a row."""
MOST: Final = 40

Fate = Literal["open", "soft", "counted", "delivered", "failed"]
"""``counted``: a soft bounce that was part of a row that led to a suppression; the next row begins anew."""


class Mailing(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A message that a provider took, or may have taken.

    Attributes:
        at_ms: When.
        accepted: False while that is uncertain: silence then says nothing.
        complained: A complaint came, too.
    """

    contact_id: str
    channel: Channel
    at_ms: int
    accepted: bool = True
    fate: Fate = "open"
    complained: bool = False


Mailed = dict[str, Mailing]
"""By job id."""


def soft_in_a_row(mailed: Mapping[str, Mailing], *, like: Mailing, now_ms: int) -> list[Mailing]:
    """The soft bounces in a row of ``like``'s contact point as of ``now_ms``, the latest first."""
    row: list[Mailing] = []
    for item in _newest_first(mailed, like):
        if item.fate == "soft":
            row.append(item)
        elif _ends_a_row(item, now_ms):
            break
    return row


def remember(mailed: Mailed, job_id: str, mailing: Mailing) -> None:
    """Add a message; the oldest one goes if there are too many."""
    mailed[job_id] = mailing
    if len(mailed) > MOST:
        oldest = min(mailed, key=lambda key: (mailed[key].at_ms, key))
        _forget(mailed, oldest, mailed[oldest].at_ms + REMEMBERED_MS)


def forget(mailed: Mailed, clock_ms: int) -> None:
    """Drop what is old enough. A row that an old message had ended stays ended: what was before goes with it."""
    for job_id in [key for key, item in mailed.items() if forgotten_ms(item) <= clock_ms]:
        if job_id in mailed:
            _forget(mailed, job_id, clock_ms)


def forgotten_ms(mailing: Mailing) -> int:
    """When it may be dropped."""
    return mailing.at_ms + (SOFT_REMEMBERED_MS if mailing.fate == "soft" else REMEMBERED_MS)


def _forget(mailed: Mailed, job_id: str, clock_ms: int) -> None:
    gone = mailed.pop(job_id)
    if _ends_a_row(gone, clock_ms):
        earlier = (gone.at_ms, job_id)
        for key in [key for key, item in mailed.items() if _same(item, gone) and (item.at_ms, key) < earlier]:
            del mailed[key]


def _newest_first(mailed: Mapping[str, Mailing], like: Mailing) -> Iterator[Mailing]:
    own = [(item.at_ms, job_id) for job_id, item in mailed.items() if _same(item, like)]
    return (mailed[job_id] for _, job_id in sorted(own, reverse=True))


def _same(one: Mailing, other: Mailing) -> bool:
    return one.contact_id == other.contact_id and one.channel == other.channel


def _ends_a_row(item: Mailing, now_ms: int) -> bool:
    if item.fate == "open":
        return item.accepted and item.at_ms + ARRIVED_AFTER_MS <= now_ms
    return item.fate != "soft"
