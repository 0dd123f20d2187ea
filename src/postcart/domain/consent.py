"""Which word counts as consent to what.

Owns: the kinds of messages that need more than a yes. Must not: know a person.
"""

from typing import Final

from postcart.events.jobs import Channel, Purpose

_DOUBLE: Final = frozenset({("sms", "marketing")})
"""Cart reminders by text message need a double opt-in that names them (delivery rules, "SMS")."""


def counts(channel: Channel, purpose: Purpose, *, given: bool, double_opt_in: bool = False) -> bool:
    """Whether a word given counts as consent; a profile's is never a double opt-in, a consent record says so."""
    return given and (double_opt_in or (channel, purpose) not in _DOUBLE)
