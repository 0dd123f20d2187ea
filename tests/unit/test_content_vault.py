"""Sealed texts open for their person with their key, and for nothing else."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.vault import KeyUnavailable, Vault
from postcart.errors import ConfigurationError

MASTER = bytes(range(32))


def counting() -> Callable[[int], bytes]:
    """Random bytes that a test can repeat; different for each call."""
    state = {"calls": 0}

    def random(count: int) -> bytes:
        state["calls"] += 1
        return state["calls"].to_bytes(count, "big")

    return random


@given(text=st.text(), person=st.text(min_size=1))
def test_round_trip(text: str, person: str) -> None:
    """Any text of any person comes back."""
    vault = Vault(MASTER, os.urandom)
    key = vault.new_key()
    assert vault.open(key, person, vault.seal(key, person, text)) == text


def test_only_key_and_person_open_it() -> None:
    """Another person, another key, another master key, a changed text: all KeyUnavailable."""
    vault = Vault(MASTER, counting())
    key, other = vault.new_key(), vault.new_key()
    sealed = vault.seal(key, "p1", "a@example.com")
    assert "example" not in sealed
    attempts = [
        lambda: vault.open(key, "p2", sealed),
        lambda: vault.open(other, "p1", sealed),
        lambda: Vault(bytes(32), counting()).open(key, "p1", sealed),
        lambda: vault.open(key, "p1", sealed[:-4] + "AAA="),
        lambda: vault.open(key, "p1", "not base64!"),
        lambda: vault.open(key, "p1", ""),
        lambda: vault.open(b"", "p1", sealed),
        lambda: vault.open(b"\x02" + key[1:], "p1", sealed),
    ]
    for attempt in attempts:
        with pytest.raises(KeyUnavailable):
            attempt()


def test_written_bytes_stay_readable() -> None:
    """Golden: a key and a text as this version of the format has them."""
    wrapped = bytes.fromhex(
        "0100000000000000000000000115d6bffc44f4301e0e2e5139eca63af7159f1c5464b25484730003d92630735cdf98a5fac3e985f37617a15"
        "e463d1b05"
    )
    sealed = "AQAAAAAAAAAAAAAAAz+dZ7RtVPRGvApcfhEBWw4YVk+bGWR1c2b57eVw"
    assert Vault(MASTER, counting()).open(wrapped, "p1", sealed) == "a@example.com"


def test_unwrapped_keys_are_bounded() -> None:
    """The least recently used key goes; it is unwrapped again when needed."""
    vault = Vault(MASTER, counting(), cached_keys=2)
    keys = [vault.new_key() for _ in range(5)]
    sealed = [vault.seal(key, "p", str(number)) for number, key in enumerate(keys)]
    assert len(vault._ciphers) == 2
    assert [vault.open(key, "p", text) for key, text in zip(keys, sealed, strict=True)] == ["0", "1", "2", "3", "4"]
    assert list(vault._ciphers) == keys[-2:]


def test_the_master_key_has_32_bytes() -> None:
    """Anything else is told at once."""
    with pytest.raises(ConfigurationError, match="32"):
        Vault(b"short", os.urandom)
