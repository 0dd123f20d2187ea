"""Contact points of a profile, by channel: one address, one number, several subscriptions to push messages.

Owns: which field of a profile is which channel's, and how several points of one channel are told apart. Must not: seal,
or make ids (processors.gate has both made).
"""

from msgspec import json

from postcart.events.event import moment_ms
from postcart.events.shop import ProfileUpdated, PushSubscription


def contact_points(profile: ProfileUpdated) -> dict[str, tuple[str, ...]]:
    """Per channel the texts that tell its contact points apart; channels without any are left out.

    Of a profile whose contact points are sealed: these, in the same order.
    """
    points = {
        "email": (profile.email,),
        "sms": (profile.phone,),
        "push": tuple(_told_apart(one) for one in profile.push),
    }
    found = {channel: tuple(one for one in texts if one) for channel, texts in points.items()}
    return {channel: texts for channel, texts in found.items() if texts}


def push_text(subscription: PushSubscription) -> str:
    """All of a subscription, to be sealed."""
    return json.encode(subscription).decode()


def read_push_text(text: str) -> PushSubscription:
    """What ``push_text`` wrote."""
    return json.decode(text, type=PushSubscription)


def _told_apart(one: PushSubscription) -> str:
    """The token; a subscription that was made again is another contact point than the one that was given up."""
    return one.token if one.since is None else f"{one.token} {moment_ms(one.since)}"
