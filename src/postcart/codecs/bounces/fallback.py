"""Formats that only flufl.bounce knows: asked last, for notices of which we read nothing.

Owns: asking it. Must not: let it see a report (it reads 4.2.2 as permanent, and no feedback), or a large mail.
"""

import email
import email.policy
from typing import Final

from flufl.bounce import all_failures

from postcart.codecs.bounces.told import Told

_LOOKED_AT: Final = 20_000
"""It tries dozens of patterns on every line."""


def guessed(data: bytes) -> list[Told]:
    """What flufl.bounce finds in the beginning of a mail; empty if nothing."""
    try:
        message = email.message_from_bytes(data[:_LOOKED_AT], policy=email.policy.compat32)
        temporary, permanent = all_failures(message)
    except Exception:  # noqa: BLE001 -- foreign detectors over hostile bytes: whatever they raise, they know nothing
        return []
    told = [Told("hard", _text(address), None, "", "text") for address in sorted(map(_text, permanent))]
    return told + [Told("soft", _text(address), None, "", "text") for address in sorted(map(_text, temporary))]


def _text(address: bytes | str) -> str:
    return address.decode("latin-1") if isinstance(address, bytes) else address
