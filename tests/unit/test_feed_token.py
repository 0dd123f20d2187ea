"""Tokens of the in-app feed: whose they are, until when, and everything that is refused."""

import base64
import hmac
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.feed_token import LONGEST_MS, Holder, mint, read

SECRET, FORMER = b"a secret of thirty-two bytes ----", b"another of thirty-two bytes -----"
NOW_MS = 1_790_000_000_000


def text(value: Any) -> str:
    """As RFC 7515 writes it, not by the code under test."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(claims: Any, *, header: Any = None, secret: bytes = SECRET) -> str:
    """A token as any library makes it."""
    whole = f"{text(header or {'typ': 'JWT', 'alg': 'HS256'})}.{text(claims)}"
    return f"{whole}.{text(hmac.new(secret, whole.encode(), sha256).digest())}"


def claims(**changes: Any) -> dict[str, Any]:
    """Good ones, but for the changes; None takes one away."""
    whole = {"sub": "customer 7", "aud": "postcart.feed", "exp": NOW_MS / 1000 + 600} | changes
    return {name: value for name, value in whole.items() if value is not None}


def test_a_shops_own_token() -> None:
    """Made by any library; by the present secret or the former one; the person may be named by either id."""
    expires_ms = NOW_MS + 600_000
    for secret in (SECRET, FORMER):
        found = read(signed(claims(), secret=secret), [SECRET, FORMER], now_ms=NOW_MS)
        assert found == Holder("customer 7", None, expires_ms)
    listed = claims(aud=["other", "postcart.feed"], person="p", sub="ignored")
    assert read(signed(listed), [SECRET], now_ms=NOW_MS) == Holder(None, "p", expires_ms)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"exp": NOW_MS / 1000 - 61}, "expired"),
        ({"exp": None}, "too_long"),
        ({"exp": (NOW_MS + LONGEST_MS) / 1000 + 61}, "too_long"),
        ({"nbf": NOW_MS / 1000 + 61}, "not_yet"),
        ({"aud": None}, "audience"),
        ({"aud": "shop"}, "audience"),
        ({"sub": None}, "nobody"),
        ({"sub": ""}, "nobody"),
        ({"sub": "x" * 257}, "nobody"),
        ({"sub": 7}, "malformed"),
        ({"exp": "soon"}, "malformed"),
    ],
)
def test_claims_that_open_nothing(changes: dict[str, Any], fault: str) -> None:
    """Each has its name."""
    assert read(signed(claims(**changes)), [SECRET], now_ms=NOW_MS) == fault


def test_signatures_that_open_nothing() -> None:
    """Another secret, no signature, another algorithm, critical extensions, changed claims."""
    good = signed(claims())
    head, body, tag = good.split(".")
    other = text(claims(sub="customer 8"))
    forged = [
        signed(claims(), secret=b"x" * 32),
        f"{head}.{other}.{tag}",
        f"{text({'alg': 'none'})}.{body}.",
        signed(claims(), header={"alg": "none"}),
        signed(claims(), header={"alg": "HS512"}),
        signed(claims(), header={"alg": "HS256", "crit": ["b64"]}),
    ]
    assert [read(one, [SECRET, FORMER], now_ms=NOW_MS) for one in forged] == ["forged"] * len(forged)
    for one in ("", ".", "..", "a.b", f"{good}.{tag}", good + "=" * 5000, f"{head}.{body}.!!", "ä.ä.ä"):
        assert read(one, [SECRET], now_ms=NOW_MS) in {"malformed", "forged"}


@given(garbage=st.text(max_size=60))
def test_any_text_is_read(garbage: str) -> None:
    """Whatever comes is refused, and breaks nothing."""
    assert read(garbage, [SECRET], now_ms=NOW_MS) in {"malformed", "forged"}


@given(who=st.text(min_size=1, max_size=50).filter(lambda one: "\0" not in one), days=st.integers(1, 31))
def test_what_is_minted_is_read(who: str, days: int) -> None:
    """Until it expires; a letter changed anywhere, and it is nobody's."""
    until = NOW_MS + days * 86_400_000
    for holder in (Holder(who, None, until), Holder(None, who, until)):
        token = mint(holder, SECRET, now_ms=NOW_MS, locale=who)
        assert read(token, [SECRET], now_ms=NOW_MS) == holder
        assert read(token, [SECRET], now_ms=until + 60_001) == "expired"
        assert read(token.replace(".", ".A", 1), [SECRET], now_ms=NOW_MS) in {"malformed", "forged"}
