"""Mail addresses: one validated address, or none.

Owns: validation and redaction. Must not: look anything up in the DNS, or show an address in an error.
"""

import re

from email_validator import EmailNotValidError, validate_email

from postcart.errors import RecipientRejected

_ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@[^\s<>\"'(),;:]+")


def parse_address(text: str) -> str:
    """The one address that ``text`` is, with an ASCII domain; ``a, b@x`` is none.

    Raises:
        RecipientRejected: It is no address that mail can be sent to (status ``5.1.3``, RFC 3463).
    """
    try:
        # A local part beyond ASCII needs SMTPUTF8 on the whole way, which few servers have.
        found = validate_email(text, allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        # Without the cause: its text quotes the address, and tracebacks are logged.
        raise RecipientRejected("the recipient's address is not valid", status="5.1.3") from None
    return f"{found.local_part}@{found.ascii_domain}"


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
