"""Mail addresses: one validated address, or none.

Owns: validation and redaction. Must not: look anything up in the DNS, or show an address in an error.
"""

import re
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from postcart.errors import RecipientRejected

_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_LONGEST_LOCAL, _LONGEST = 64, 254  # RFC 5321, 4.5.3.1
_ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@[^\s<>\"'(),;:]+")


def parse_address(text: str) -> str:
    """The one address that ``text`` is, with an ASCII domain; ``a, b@x`` is none.

    Raises:
        RecipientRejected: It is no address that mail can be sent to (status ``5.1.3``, RFC 3463).
    """
    local, _, domain = text.rpartition("@")
    try:
        if len(local) <= _LONGEST_LOCAL and len(text) <= _LONGEST and _PLAIN_LOCAL.fullmatch(local):
            return f"{local}@{_ascii_domain(domain)}"
        # A local part beyond ASCII needs SMTPUTF8 on the whole way, which few servers have.
        found = validate_email(text, allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        # Without the cause: its text quotes the address, and tracebacks are logged.
        raise RecipientRejected("the recipient's address is not valid", status="5.1.3") from None
    return f"{found.local_part}@{found.ascii_domain}"


@lru_cache(maxsize=4_096)  # half of all addresses have one of ten domains
def _ascii_domain(domain: str) -> str:
    """Raises EmailNotValidError."""
    return validate_email(f"a@{domain}", check_deliverability=False, test_environment=True).ascii_domain


def redact(text: str, *addresses: str) -> str:
    """``text`` of a server without addresses, neither those given, nor their local parts, nor any other."""
    # The pattern of an address is new for every recipient: compiling it takes longer than all the rest of a send.
    for address in addresses:
        if address.lower() in text.lower():
            text = re.sub(re.escape(address), "<address>", text, flags=re.IGNORECASE)
    text = _ADDRESS.sub("<address>", text)
    for address in addresses:
        local = address.partition("@")[0]
        if local.lower() not in text.lower():
            continue
        text = re.sub(rf"(?<![\w.+-]){re.escape(local)}(?![\w.+-])", "<local part>", text, flags=re.IGNORECASE)
    return text
