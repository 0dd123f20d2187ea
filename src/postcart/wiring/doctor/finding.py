"""What the doctor found: one line each.

Owns: that shape. Must not: look at anything.
"""

from typing import Literal

from msgspec import Struct

State = Literal["ok", "warn", "fail"]


class Finding(Struct, frozen=True, kw_only=True):
    """One check, and how it ended.

    Attributes:
        check: Its name; the same in every run.
        state: ``warn``: works, but will hurt; ``fail``: does not work, or must not be done.
        detail: What was found.
        todo: What to do about it; empty if all is well.
        unreachable: A service does not answer: what depends on it was not looked at.
    """

    check: str
    state: State
    detail: str
    todo: str = ""
    unreachable: bool = False


def ok(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check=check, state="ok", detail=detail)


def warn(check: str, detail: str, todo: str) -> Finding:
    """Works, but will hurt."""
    return Finding(check=check, state="warn", detail=detail, todo=todo)


def fail(check: str, detail: str, todo: str, *, unreachable: bool = False) -> Finding:
    """Does not work."""
    return Finding(check=check, state="fail", detail=detail, todo=todo, unreachable=unreachable)
