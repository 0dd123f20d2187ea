"""Whether a callback is Twilio's (https://www.twilio.com/docs/usage/webhooks/webhooks-security).

Owns: the check of X-Twilio-Signature. Must not: read what the callback says.
"""

import base64
import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha1


def is_signed(url: str, form: Sequence[tuple[str, str]], signature: str, *, tokens: Iterable[str]) -> bool:
    """Whether a form was signed with one of the tokens. All are tried, in constant time each.

    Args:
        url: As Twilio called it, with the query.
        form: Names and values as they came; of a name with several values each distinct one counts, in order.
        signature: The header.
        tokens: Auth tokens; two while one is being replaced.
    """
    text = url + "".join(f"{name}{value}" for name, value in sorted(set(form)))
    given = signature.encode("utf-8", "replace")
    holds = False
    for token in tokens:
        wanted = base64.b64encode(hmac.new(token.encode(), text.encode(), sha1).digest())
        holds |= hmac.compare_digest(wanted, given)
    return holds
