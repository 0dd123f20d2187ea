"""What Twilio's error codes mean for a message, its recipient and us.

Owns: that table. Must not: do anything with it. Each code's source is its page, ``source(code)``; looked at 2026-11.
"""

from typing import Final, Literal, NamedTuple

Refusal = Literal["recipient", "unroutable", "stopped", "policy", "message", "account", "busy"]
"""``recipient``: no such number, or none for texts; ``stopped``: the recipient said STOP; ``unroutable``: no way from
our number to this one; ``policy``: about us, for this recipient; ``message``: about this text; ``account``: about all
that we send; ``busy``: not now."""

Fate = Literal["hard", "soft", "policy", "other"]
"""As in ``events.jobs.ReportKind``: what became of a message that had been accepted."""


class Meaning(NamedTuple):
    """Of a refusal when a message is handed over; ``status`` is the enhanced code (RFC 3463) that means the same."""

    refusal: Refusal
    status: str


REFUSALS: Final[dict[int, Meaning]] = {
    20003: Meaning("account", ""),  # authentication error
    20005: Meaning("account", ""),  # account not active
    20404: Meaning("account", ""),  # the account in the URL is not there
    20429: Meaning("busy", ""),  # too many requests
    21211: Meaning("recipient", "5.1.3"),  # invalid 'To'
    21212: Meaning("account", ""),  # invalid 'From'
    21217: Meaning("recipient", "5.1.3"),  # the number does not appear to be valid
    21266: Meaning("recipient", "5.1.3"),  # 'To' and 'From' are the same
    21408: Meaning("policy", "5.7.1"),  # no permission for the region
    21601: Meaning("account", ""),  # our number can't send texts
    21602: Meaning("message", "5.6.0"),  # body is missing
    21603: Meaning("account", ""),  # 'From' is missing
    21604: Meaning("recipient", "5.1.3"),  # 'To' is missing
    21606: Meaning("account", ""),  # 'From' is not a number of ours that can text this destination
    21608: Meaning("account", ""),  # a trial account only texts verified numbers
    21610: Meaning("stopped", "5.2.1"),  # the recipient has replied STOP
    21611: Meaning("busy", ""),  # our number's queue is full
    21612: Meaning("unroutable", "5.4.4"),  # no route from our number to this one
    21614: Meaning("recipient", "5.1.1"),  # no mobile number
    21617: Meaning("message", "5.3.4"),  # longer than 1,600 characters
    21635: Meaning("recipient", "5.1.1"),  # a landline
    21654: Meaning("account", ""),  # a template's SID is wrong
    21659: Meaning("account", ""),  # 'From' is no number of Twilio
    21660: Meaning("account", ""),  # 'From' is not ours
    21661: Meaning("account", ""),  # 'From' can't send texts
    21703: Meaning("account", ""),  # the messaging service has no numbers
    21705: Meaning("account", ""),  # the messaging service is not there
}
"""Answers to a request to send a message."""

FATES: Final[dict[int, tuple[Fate, str]]] = {
    21610: ("hard", "5.2.1"),  # the recipient has replied STOP
    30001: ("soft", "4.3.2"),  # queue overflow
    30002: ("policy", "5.7.1"),  # our account is suspended
    30003: ("soft", "4.2.1"),  # unreachable handset: off, no signal, roaming
    30004: ("soft", "4.7.1"),  # blocked by carrier or handset
    30005: ("hard", "5.1.1"),  # unknown or inactive number
    30006: ("hard", "5.1.1"),  # landline or unreachable carrier
    30007: ("policy", "5.7.1"),  # filtered as spam
    30008: ("soft", "4.0.0"),  # unknown
    30009: ("soft", "4.4.7"),  # a segment was lost
    30010: ("policy", "5.7.1"),  # dearer than our limit
    30017: ("soft", "4.4.5"),  # carrier congested
    30018: ("policy", "5.7.1"),  # sender not registered for the destination
    30019: ("other", "5.3.4"),  # too large for the carrier
    30022: ("soft", "4.7.0"),  # our rate, US carriers
    30023: ("policy", "5.7.1"),  # our daily limit, US carriers
    30024: ("policy", "5.7.1"),  # sender not provisioned by the carrier
    30032: ("policy", "5.7.1"),  # toll-free number not verified
    30034: ("policy", "5.7.1"),  # number not registered (A2P 10DLC)
    30036: ("other", "4.4.7"),  # validity period over
    30410: ("soft", "4.4.1"),  # the provider behind did not answer
    30453: ("policy", "5.7.1"),  # taken for pumped traffic
}
"""``ErrorCode`` of status callbacks."""


def source(code: int) -> str:
    """Where Twilio documents a code."""
    return f"https://www.twilio.com/docs/api/errors/{code}"
