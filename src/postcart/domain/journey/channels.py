"""Over which channel a person is written to: what is possible, in which order.

Owns: contact, consent and suppression as far as JOURNEY knows them, preference, and past response. Must not: send, or
have the last word: a channel's gate looks again at all of it.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from postcart.domain.consent import counts
from postcart.domain.journey.contacts import contact_points
from postcart.domain.journey.mailing import Mailing
from postcart.domain.journey.person import Person, contact_ids_of, known_profile
from postcart.events.decisions import RuleSaid
from postcart.events.jobs import Channel, Purpose
from postcart.events.shop import ProfileUpdated

_FAILING: Final = frozenset({"soft", "counted", "failed"})


class Choice(NamedTuple):
    """What may be tried.

    Attributes:
        channels: Possible ones, the best first.
        said: The rule's word.
        reason: Why there is none.
    """

    channels: tuple[Channel, ...]
    said: RuleSaid
    reason: str | None = None


def choose(
    person: Person, candidates: Sequence[Channel], purpose: Purpose, impersonal: Collection[Channel] = ()
) -> Choice:
    """The candidates that are possible, the best first.

    Those that answered last time come before those that did not; then the person's preference counts, then their order.
    ``impersonal`` channels need no contact point of the person.
    """
    profile = known_profile(person)
    lacks = {channel: _lack(person, profile, channel, purpose, impersonal) for channel in candidates}
    preferred = profile.channels if profile else ()

    def place(channel: Channel) -> tuple[bool, int]:
        wish = preferred.index(channel) if channel in preferred else len(preferred)
        return _is_silent(person, profile, channel), wish

    possible = tuple(sorted((channel for channel in candidates if lacks[channel] is None), key=place))
    inputs: dict[str, str] = {channel: lack for channel, lack in lacks.items() if lack is not None}
    inputs |= {channel: "did not answer" for channel in possible if _is_silent(person, profile, channel)}
    if preferred:
        inputs["preference"] = ", ".join(preferred)
    if possible:
        return Choice(possible, RuleSaid("channel", "pass", {"chosen": possible[0], **inputs}))
    reason = next((lack for lack in lacks.values() if lack != "no_contact"), "no_contact")
    return Choice((), RuleSaid("channel", "stop", inputs), reason)


def has_consent(person: Person, channel: Channel, purpose: Purpose) -> bool:
    """Whether consent was given: by the consent record, or while there is none by the profile. No word is a no."""
    return consent_said(person, person.profile, channel, purpose) is True


def consent_said(person: Person, profile: ProfileUpdated | None, channel: Channel, purpose: Purpose) -> bool | None:
    """The last word on it; None: there is none."""
    recorded = person.consents.get(f"{channel}/{purpose}")
    if recorded is not None:
        return recorded
    given = None
    for consent in profile.consents if profile else ():
        if consent.channel == channel and consent.purpose == purpose:
            given = counts(channel, purpose, given=consent.given)
    return given


def has_contact(profile: ProfileUpdated | None, channel: Channel, impersonal: Collection[Channel] = ()) -> bool:
    """Whether there is an address to send to; ``impersonal`` channels need none of the person."""
    if channel in impersonal:
        return True
    return profile is not None and channel in contact_points(profile)


def _lack(
    person: Person,
    profile: ProfileUpdated | None,
    channel: Channel,
    purpose: Purpose,
    impersonal: Collection[Channel],
) -> str | None:
    """Why nothing of this purpose can go there; None if it can. Marketing needs a yes, the rest no no."""
    given = consent_said(person, profile, channel, purpose)
    if given is False or (purpose == "marketing" and not given):
        return "no_consent"
    if not has_contact(profile, channel, impersonal):
        return "no_contact"
    points = _points(person, profile, channel)
    if points and all(_is_suppressed(person, channel, point, purpose) for point in points):
        return "suppressed_address"
    return None


def _is_suppressed(person: Person, channel: Channel, point: str, purpose: Purpose) -> bool:
    reason = person.suppressed.get(f"{channel}:{point}")
    return reason is not None and (purpose == "marketing" or reason != "complaint")


def _is_silent(person: Person, profile: ProfileUpdated | None, channel: Channel) -> bool:
    """Whether the last message over it did not arrive, as far as was reported, or was given up waiting for."""
    if channel in person.silent:
        return True
    points = _points(person, profile, channel)
    mine = [item for item in person.mailed.values() if item.channel == channel and item.contact_id in points]
    last = max(mine, key=_when, default=None)
    return last is not None and last.fate in _FAILING


def _points(person: Person, profile: ProfileUpdated | None, channel: Channel) -> list[str]:
    """Ids of the channel's contact points: one, or several browsers and apps."""
    return contact_ids_of(person, profile).get(channel, "").split()


def _when(item: Mailing) -> int:
    return item.at_ms
