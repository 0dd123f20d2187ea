"""Reasons, triggers and outcomes in words.

Owns: those words. Must not: know records.
"""

from typing import Final

REASONS: Final[dict[str, str]] = {
    "returned": "the person came back to the shop first",
    "ordered": "the person ordered",
    "emptied": "the cart was emptied",
    "cool_off": "the person was reminded within the last 7 days",
    "no_consent": "the person did not agree to it",
    "no_contact": "no address is known",
    "collapsed": "too late for it: the person was recognised only afterwards",
    "merged": "another cart of the person goes on in its place",
    "not_after": "its time had passed",
    "expired": "the cart was too old",
    "superseded": "a newer message took its place",
    "suppressed_address": "the address is suppressed after a bounce or a complaint",
    "out_of_stock": "nothing that was in the cart can be had any more",
    "too_old": "it was too old to be sent safely",
    "completed": "every reminder has had its end",
    "return_unconfirmed": "the person seems to be back; it is not yet certain",
    "key_missing": "the key that opens the address is missing",
    "quiet_hours": "it is night where the person lives",
    "frequency": "the person was written to shortly before",
    "order": "an earlier message is to go first",
    "paid": "the order was paid",
    "cancelled": "the order was cancelled",
}
"""Why something was not sent, or ended; an unknown reason is shown as it is."""

TRIGGERS: Final[dict[str, str]] = {
    "checkout": "the checkout was left",
    "ended": "the session was ended",
    "exit": "the page was left",
    "inactivity": "inactivity",
}

REPORTS: Final[dict[str, str]] = {
    "delivered": "delivered",
    "hard": "bounced for good",
    "soft": "bounced, perhaps for a while",
    "policy": "refused by the recipient's policy",
    "complaint": "marked as spam by the recipient",
    "other": "answered with a report",
}


def because(reason: str | None) -> str:
    """``reason`` as the end of a sentence."""
    return "of an unknown reason" if reason is None else REASONS.get(reason, reason.replace("_", " "))


def listed(numbers: list[int]) -> str:
    """``1, 2 and 3``."""
    words = [str(number) for number in numbers]
    return ", ".join(words[:-1]) + (" and " if words[:-1] else "") + words[-1]


def reminders(numbers: list[int]) -> str:
    """``reminder 2``, ``reminders 2 and 3``."""
    return f"{'reminders' if len(numbers) > 1 else 'reminder'} {listed(numbers)}"
