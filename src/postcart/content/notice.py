"""What employees read: one notice for alerts of one sort, for a chat and for a mailbox.

Owns: the words, in English, and their bounds. Must not: send, or name a person: orders and parcels have ids.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

from postcart.content.context import one_line
from postcart.domain.troubles import Bundle, Sort
from postcart.events.alerts import Alert

SHOWN: Final = 10
"""Alerts that a notice names; of the others it tells how many there are."""

_WORDS: Final = {
    "not_handed_over": ("order is paid and not handed over", "orders are paid and not handed over"),
    "no_pickup": ("parcel is ready and not picked up", "parcels are ready and not picked up"),
    "no_scan": ("parcel has not moved for days", "parcels have not moved for days"),
    "estimate": ("parcel is later than expected", "parcels are later than expected"),
    "exception": ("parcel is in trouble", "parcels are in trouble"),
    "returned": ("parcel comes back", "parcels come back"),
    "expired": ("parcel was lost from sight", "parcels were lost from sight"),
    "low_stock": ("variant runs short", "variants run short"),
}
"""Of each cause, one and several; a cause that is not here is named as it is."""


class Notice(NamedTuple):
    """What is said. ``lines`` name the first few; ``more`` are not named."""

    title: str
    lines: tuple[str, ...]
    more: int
    over: bool


def notice_of(bundle: Bundle) -> Notice:
    """The notice of some alerts. The same alerts give the same notice."""
    alerts = list(bundle.alerts.values())
    return Notice(
        title=_title(bundle.sort, len(alerts)),
        lines=tuple(_line(alert) for alert in alerts[:SHOWN]),
        more=max(0, len(alerts) - SHOWN),
        over=bundle.sort.over,
    )


def slack_message(notice: Notice) -> dict[str, Any]:
    """For an incoming webhook of Slack, or of what is compatible. ``text`` is for those that show no blocks."""
    title = f"{':white_check_mark:' if notice.over else ':warning:'} *{_escaped(notice.title)}*"
    text = "\n".join([title, *(f"• {_escaped(line)}" for line in _all_lines(notice))])
    return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def plain_text(notice: Notice) -> str:
    """For a mailbox."""
    return "\n".join([notice.title, "", *(f"- {line}" for line in _all_lines(notice)), ""])


def _all_lines(notice: Notice) -> list[str]:
    return [*notice.lines, *([f"and {notice.more:,} more"] if notice.more else [])]


def _title(sort: Sort, count: int) -> str:
    one, several = _WORDS.get(sort.cause, (f"trouble: {sort.cause.replace('_', ' ')}",) * 2)
    carrier = f" ({sort.carrier})" if sort.carrier else ""
    return f"{'Over: ' if sort.over else ''}{count:,} {one if count == 1 else several}{carrier}"


def _line(alert: Alert) -> str:
    parts = [
        alert.order_id and f"order {alert.order_id}",
        alert.tracking_number and f"parcel {alert.carrier or ''} {alert.tracking_number}".replace("  ", " "),
        alert.variant_id
        and f"variant {alert.variant_id}{' is sold out' if alert.level > 1 and not alert.resolved else ''}",
        alert.reason and f"reason {alert.reason}",
        alert.since and f"since {_time(alert.since)}",
        f"level {alert.level}" if alert.level > 1 and not alert.resolved and not alert.variant_id else None,
        f"at {_time(alert.at)}",
    ]
    return one_line(", ".join(part for part in parts if part))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _escaped(text: str) -> str:
    """As Slack asks for (https://api.slack.com/reference/surfaces/formatting, "Escaping text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
