"""Quiet hours in the recipient's zone.

Owns: moving a time out of the quiet hours. Must not: know steps.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from oracle.basics import EPOCH, moment
from oracle.campaign import Campaign


def after_quiet_hours(at: int, zone: str | None, campaign: Campaign) -> int:
    """``at``, or the end of the quiet hours that it lies in (from the first hour, included, to the last, excluded)."""
    local = moment(at).astimezone(ZoneInfo(zone or "UTC"))
    if local.hour >= campaign.quiet_from:
        day = local.date() + timedelta(days=1)
    elif local.hour < campaign.quiet_to:
        day = local.date()
    else:
        return at
    end = datetime(day.year, day.month, day.day, campaign.quiet_to, tzinfo=local.tzinfo)
    return (end - EPOCH) // timedelta(milliseconds=1)
