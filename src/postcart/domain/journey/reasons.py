"""What each rule said, and on which inputs, for those who ask later why.

Owns: the words of JOURNEY's rules, as short texts. Must not: decide; or hold a contact point.
"""

from collections.abc import Collection, Sequence
from datetime import tzinfo

from postcart.domain.campaign import Campaign, QuietHours, in_season
from postcart.domain.caps import Reserved
from postcart.domain.detect.abandonment import value_of
from postcart.domain.journey.lines import united
from postcart.domain.journey.outcome import Context
from postcart.domain.journey.person import Episode, Person
from postcart.domain.zones import COUNTRY_ZONES
from postcart.events.decisions import RuleSaid
from postcart.events.jobs import Channel, Purpose
from postcart.events.shop import ProfileUpdated, time_ms
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS, iso


def quiet_hours(
    at_ms: int, until_ms: int, zones: Sequence[tzinfo], quiet: QuietHours | None, profile: ProfileUpdated | None
) -> RuleSaid:
    """Whether it is night where the person lives; ``until_ms`` is ``at_ms`` if it is not."""
    inputs = {"at": iso(at_ms), **zone_inputs(zones, profile)}
    if quiet is None:
        return RuleSaid("quiet_hours", "pass", {**inputs, "window": "off"})
    inputs["window"] = f"{quiet.start:%H:%M}-{quiet.end:%H:%M}"
    if until_ms == at_ms:
        return RuleSaid("quiet_hours", "pass", inputs)
    return RuleSaid("quiet_hours", "wait", {**inputs, "until": iso(until_ms)})


def frequency(at_ms: int, until_ms: int, channel: Channel, sent: Collection[Reserved]) -> RuleSaid:
    """Whether the person has had enough messages lately; ``until_ms`` is ``at_ms`` if not."""
    own = [one.at_ms for one in sent if one.channel == channel]
    inputs = {"at": iso(at_ms), "channel": channel, "last": iso(max(own)) if own else "never"}
    inputs["last_day"] = str(sum(at_ms - DAY_MS < one.at_ms <= at_ms for one in sent))
    if until_ms == at_ms:
        return RuleSaid("frequency", "pass", inputs)
    return RuleSaid("frequency", "wait", {**inputs, "until": iso(until_ms)})


def time_zone(person: Person, context: Context) -> RuleSaid:
    """Where the person is thought to live; each step asks again."""
    return RuleSaid("time_zone", "pass", zone_inputs(context.zones(person.profile), person.profile))


def zone_inputs(zones: Sequence[tzinfo], profile: ProfileUpdated | None) -> dict[str, str]:
    """The zones that counted, and where they are known from: the profile, its country, or the shop's country."""
    names = [str(getattr(zone, "key", zone)) for zone in zones]
    source = "shop"
    if profile is not None and profile.time_zone and names == [profile.time_zone]:
        source = "profile"
    elif profile is not None and tuple(names) == COUNTRY_ZONES.get(profile.country or ""):
        source = "country"
    return {"zone": ", ".join(names), "zone_from": source}


def not_after(at_ms: int, limit_ms: int) -> RuleSaid:
    """Whether the step's last moment has passed."""
    inputs = {"at": iso(at_ms), "not_after": iso(limit_ms)}
    return RuleSaid("not_after", "stop" if at_ms > limit_ms else "pass", inputs)


def consent(person: Person, channel: Channel, purpose: Purpose, *, given: bool) -> RuleSaid:
    """What consent there is, and which record said so."""
    inputs = {"channel": channel, "purpose": purpose, "given": "yes" if given else "no"}
    profile = person.profile
    if f"{channel}/{purpose}" in person.consents:
        inputs["source"] = "consent record"
    elif profile is not None and any(one.channel == channel and one.purpose == purpose for one in profile.consents):
        inputs |= {"source": "profile", "profile_event": profile.id, "profile_time": iso(time_ms(profile))}
    else:
        inputs["source"] = "no record"
    return RuleSaid("consent", "pass" if given else "stop", inputs)


def contact(channel: Channel, *, known: bool) -> RuleSaid:
    """Whether there is an address to send to."""
    return RuleSaid("contact", "pass" if known else "stop", {"channel": channel, "known": "yes" if known else "no"})


def cool_off(person: Person, campaign: Campaign, at_ms: int) -> RuleSaid:
    """Whether the person was reminded too recently for another sequence."""
    if not person.sent:
        return RuleSaid("cool_off", "pass", {"last_sent": "never"})
    last_ms = max(person.sent.values())
    until_ms = last_ms + campaign.cool_off_ms
    inputs = {"last_sent": iso(last_ms), "until": iso(until_ms)}
    return RuleSaid("cool_off", "stop" if at_ms < until_ms else "pass", inputs)


def journey(person: Person, episode: Episode, context: Context, lines: tuple[LineState, ...] | None = None) -> RuleSaid:
    """Which journey the episode pins, and by which value, threshold and season.

    ``lines`` are those that counted; the united ones of now by default.
    """
    campaign = context.campaign
    value, currency = value_of(united(person) if lines is None else lines, context.currency)
    inputs = {"campaign": episode.campaign, "version": episode.version, "journey": episode.journey.name}
    if value is not None and currency is not None:
        inputs["value"] = f"{value} {currency}"
    high = campaign.high_value
    threshold = high.threshold.get(currency) if high and currency is not None else None
    if threshold is not None:
        inputs["high_value_from"] = f"{threshold} {currency}"
    if campaign.peak:
        inputs["peak"] = "yes" if in_season(campaign.peak.seasons, episode.opened_ms) else "no"
    if episode.pinning:
        inputs["waits_for"] = f"{len(episode.pinning.waiting)} other visits"
        return RuleSaid("journey", "wait", inputs)
    return RuleSaid("journey", "pass", inputs)
