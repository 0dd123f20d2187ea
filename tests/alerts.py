"""Alerts to employees, as they come and as they are bundled.

Owns: making them. Must not: know what is news.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from postcart.domain.troubles import Bundle, Sort
from postcart.events.alerts import Alert

START = datetime(2026, 11, 27, 14, tzinfo=UTC)


def alert(key: str = "parcel-1/no_scan", *, minute: int = 0, **changes: Any) -> Alert:
    """A parcel of dhl stands still, unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {
        "alert_id": f"{key}/{minute}/{changes}",
        "kind": "delivery_trouble",
        "dedup_key": key,
        "at": START + timedelta(minutes=minute),
        "cause": "no_scan",
        "carrier": "dhl",
        "tracking_number": "JD014600003",
        "order_id": "A-1001",
    }
    return Alert(**(fields | changes))


def bundle(*found: Alert, over: bool = False) -> Bundle:
    """Those of the first one's sort, as they go into one message."""
    made = Bundle(Sort(found[0].kind, found[0].cause, found[0].carrier, over), 0.0)
    made.alerts = {one.dedup_key: one for one in found}
    return made
