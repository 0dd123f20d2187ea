"""Signatures of Standard Webhooks (https://www.standardwebhooks.com, specification of 2024).

Owns: signatures. Must not: know what is signed.
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256


def signed_headers(message_id: str, body: bytes, *, at_s: int, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message: a signature per key, so that a key can be replaced while both are known."""
    text = f"{message_id}.{at_s}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, text, sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
