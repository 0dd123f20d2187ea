"""Deterministic ids: uuid5 over immutable input, so replays and crashes arrive at the same ids.

Owns: every rule by which an id is derived. Must not: use a clock, an offset, a counter or randomness.
"""

import hmac
from hashlib import sha1, sha256
from uuid import UUID

POSTCART = UUID("6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11")
"""Namespace of everything that has no nearer one."""

_POSTCART_BYTES = POSTCART.bytes
_UUID_DIGITS = 32
_VARIANT = [f"{0x80 | bits:02x}" for bits in range(0x40)]


def uuid5(namespace: UUID, name: str) -> str:
    """RFC 9562 version 5, as ``uuid.uuid5`` but straight to its text: this is on the hot path."""
    return _uuid5(namespace.bytes, name)


def namespace_of(identifier: str) -> UUID:
    """The identifier itself where it is a UUID, else one derived from it: shops' cookies have any form."""
    return UUID(bytes=_namespace_bytes(identifier))


def _uuid5(namespace: bytes, name: str) -> str:
    digest = sha1(namespace + name.encode(), usedforsecurity=False).digest()
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[digest[8] & 0x3F]}{text[18:20]}-{text[20:32]}"


def _namespace_bytes(identifier: str) -> bytes:
    """``namespace_of(identifier).bytes``, mostly without making a UUID or raising an error."""
    digits = identifier.replace("-", "")
    if len(digits) != _UUID_DIGITS:
        digits = identifier.replace("urn:", "").replace("uuid:", "").strip("{}").replace("-", "")  # as UUID takes them
        if len(digits) != _UUID_DIGITS:
            return _derived(identifier)
    try:
        namespace = bytes.fromhex(digits)
    except ValueError:
        namespace = b""
    if len(namespace) == _UUID_DIGITS // 2:  # fromhex passes over blanks
        return namespace
    try:
        return UUID(identifier).bytes
    except ValueError:
        return _derived(identifier)


def _derived(identifier: str) -> bytes:
    return bytes.fromhex(_uuid5(_POSTCART_BYTES, identifier).replace("-", ""))


def person_id(tenant: UUID, identity_key: bytes, natural_id: str) -> str:
    """Opaque id of a person: uuid5(tenant, HMAC-SHA256(customer id, or for guests the address))."""
    return uuid5(tenant, hmac.new(identity_key, natural_id.encode(), sha256).hexdigest())


def contact_id(identity_key: bytes, channel: str, contact_point: str) -> str:
    """Opaque id of a contact point: HMAC-SHA256 over channel and contact point (an address folded to lower case).

    Half of the digest, 32 hex digits: it can't be turned back, and tells two contact points apart.
    """
    text = f"{channel}:{contact_point.strip().casefold()}"
    return hmac.new(identity_key, text.encode(), sha256).hexdigest()[:32]


def end_id(visitor_id: str, last_event_id: str) -> str:
    """Id of the end of a session, and of the abandonment if it is one."""
    return _uuid5(_namespace_bytes(visitor_id), last_event_id)


def episode_id(abandonment_id: str) -> str:
    """Id of the episode that this abandonment opens, or would open."""
    return _uuid5(_namespace_bytes(abandonment_id), "episode")


def job_id(episode: str, step: int, armed_by: str, channel: str) -> str:
    """Id of a cart job: a step that is planned again after another end is another job."""
    return _uuid5(_namespace_bytes(episode), f"{step}/{armed_by}/{channel}")


def message_id(about: str, occasion: str, occurrence: str, channel: str) -> str:
    """Id of a job about a parcel's incarnation or an order: what happened once is told once on a channel."""
    return _uuid5(_namespace_bytes(about), f"{occasion}/{occurrence}/{channel}")
