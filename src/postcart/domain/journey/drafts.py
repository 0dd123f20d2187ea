"""Jobs of messages about orders and parcels, as far as they don't depend on the channel.

Owns: their common fields, and how long they are worth telling. Must not: choose a channel.
"""

from datetime import datetime, timedelta

from postcart.domain.journey.outcome import Context
from postcart.domain.journey.person import Person, known_profile
from postcart.domain.messages import Message, Occasion
from postcart.events.jobs import Job
from postcart.events.times import from_ms, to_ms

_ONE_DAY = timedelta(days=1)


def draft(
    person: Person, about: str, occasion: Occasion, message: Message, context: Context, *, at_ms: int, until_ms: int
) -> Job:
    """The job of ``message`` about a parcel or an order, for what happened at ``at_ms``."""
    return Job(
        job_id="",
        person_id=person.person_id,
        episode_id=about,
        step=0,
        channel="email",
        purpose="transactional",
        campaign=context.messages.name,
        campaign_version=context.messages.version,
        journey=occasion,
        template=message.template,
        armed_ms=at_ms,
        planned_ms=at_ms,
        due_ms=at_ms,
        not_after_ms=until_ms,
        priority=message.priority,
    )


def end_of_telling(person: Person, message: Message, at_ms: int, context: Context) -> int:
    """The last moment at which it is worth telling; of a day's end where zones differ, the latest."""
    if message.until_ms:
        return at_ms + message.until_ms
    zones = context.zones(known_profile(person))
    days = [(zone, from_ms(at_ms).astimezone(zone).date() + _ONE_DAY) for zone in zones]
    return max(to_ms(datetime(day.year, day.month, day.day, tzinfo=zone)) - 1 for zone, day in days)
