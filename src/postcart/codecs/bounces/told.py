"""What a returned mail says of one recipient, and how a status code is to be taken.

Owns: the kinds, and the map from enhanced status codes (RFC 3463) to them. Must not: read mails.
"""

import re
from typing import Final, Literal, NamedTuple

Kind = Literal["delivered", "hard", "soft", "policy", "complaint", "other"]
Source = Literal["dsn", "arf", "text", "none"]
"""A delivery report (RFC 3464), a feedback report (RFC 5965), words that people are meant to read, or nothing."""

DETAIL_MOST: Final = 300

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_POLICY: Final = 7


class Told(NamedTuple):
    """One recipient's fate.

    Attributes:
        kind: ``hard`` and ``soft`` failures, refused for ``policy``, ``complaint``, ``delivered``, or nothing of these.
        recipient: The address, as it stands there.
        status: Enhanced status code, or the SMTP code where there is none.
        detail: The diagnostic text, one line; may hold addresses.
    """

    kind: Kind
    recipient: str | None = None
    status: str | None = None
    detail: str = ""
    source: Source = "none"


NOTHING: Final = Told("other")


class Status(NamedTuple):
    """An enhanced status code."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    @property
    def is_generic(self) -> bool:
        """``X.0.0`` says no more than its class."""
        return self.subject == 0 and self.detail == 0

    @property
    def kind(self) -> Kind:
        """5.7.x is policy, whatever else is 5 is hard; 4 is soft; 2 is no failure."""
        if self.klass == 4:  # noqa: PLR2004 -- the class of RFC 3463
            return "soft"
        if self.klass == 2:  # noqa: PLR2004
            return "other"
        return "policy" if self.subject == _POLICY else "hard"


def statuses(text: str) -> list[Status]:
    """Every enhanced status code in ``text``, in order. Numbers of four parts, as of hosts, are none."""
    return [Status(int(found[1]), int(found[2]), int(found[3])) for found in _STATUS.finditer(text)]


def refined(status: Status, diagnostic: str) -> Status:
    """A generic status with what the diagnostic text knows better.

    Remote servers' codes reach some reports only as text. A policy there wins: that recipient is not at fault. A code
    of class 5 wins over a generic 4; a 4 does not win over a generic 5: then the sender had given up.
    """
    if not status.is_generic:
        return status
    said = [code for code in statuses(diagnostic) if not code.is_generic and code.klass >= status.klass]
    policies = [code for code in said if code.kind == "policy"]
    return next(iter(policies or said), status)
