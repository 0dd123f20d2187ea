"""Whose a phone number is: from its opaque id to persons, as the gate's topic has them.

Owns: that index, about 400 bytes per person with a number. Must not: hold a number, or read a topic.

Filled on a reader's thread, asked on others: single operations on dicts need no lock.
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct

_SMS = b'"sms"'


class Holder(NamedTuple):
    """A person with that number."""

    person_id: str
    locale: str | None
    unconfirmed: bool
    """The shop says that it agreed to reminders by text message; to be confirmed from the number itself."""


class _Record(Struct, frozen=True, gc=False):
    person_id: str
    contact_ids: dict[str, str] = {}
    locale: str | None = None
    unconfirmed: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_Record).decode


class PhoneBook:
    """Takes in records of ``gate``."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[bytes, Holder]] = {}
        self._number_of: dict[bytes, str] = {}
        self.malformed = 0

    def __len__(self) -> int:
        return len(self._number_of)

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record; None removes the person."""
        if key is None:
            return
        former = self._number_of.pop(key, None)
        if former is not None:
            self._leave(former, key)
        if value is None or _SMS not in value:
            return
        try:
            found = _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.malformed += 1
            return
        number = found.contact_ids.get("sms")
        if number is not None:
            holder = Holder(found.person_id, found.locale, "sms/marketing" in found.unconfirmed)
            self._holders[number] = {**self._holders.get(number, {}), key: holder}
            self._number_of[key] = number

    def holders(self, contact_id: str) -> tuple[Holder, ...]:
        """Everybody with that number, as far as is known."""
        return tuple(self._holders.get(contact_id, {}).values())

    def _leave(self, number: str, key: bytes) -> None:
        left = {other: holder for other, holder in self._holders.get(number, {}).items() if other != key}
        if left:
            self._holders[number] = left
        else:
            self._holders.pop(number, None)
