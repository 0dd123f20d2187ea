"""Addresses: the short way of plain ones says the same as the library."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from postcart.content.addresses import parse_address
from postcart.errors import RecipientRejected

pieces = st.text("abZ09.+-_@\"' ,:;<>()äé\x00", max_size=12)
locals_ = st.one_of(pieces, st.text("a.b+_-", min_size=1, max_size=70))
domains = st.one_of(
    pieces,
    st.sampled_from(["example.com", "EXAMPLE.com", "münchen.de", "a.test", "localhost", "x..y", "-a.de", "1.2.3.4"]),
)


def by_the_library(text: str) -> str | None:
    try:
        found = validate_email(text, allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"


def parsed(text: str) -> str | None:
    try:
        return parse_address(text)
    except RecipientRejected:
        return None


@given(locals_, domains)
def test_as_the_library_says(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    assert parsed(text) == by_the_library(text)


@pytest.mark.parametrize(
    "text",
    ["ann@example.com", "a.n-n+x_1@Example.COM", f"{'a' * 64}@example.com", f"{'a' * 65}@example.com", "ann@münchen.de",
     "ann@" + 4 * f"{60 * 'a'}." + "com", "ann", "", "@", "ann@", "a@b@example.com", "postmaster@example.com"],
)  # fmt: skip
def test_at_the_edges(text: str) -> None:
    assert parsed(text) == by_the_library(text)
