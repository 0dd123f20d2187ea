"""Apple's push service for trials and tests: HTTP/2, provider tokens, headers and bounds are checked as Apple does.

Owns: checking what comes, and Apple's reasons for refusing it. Must not: show anything to anybody.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from postcart.adapters.sandbox import Arrival, Tell, unheard
from postcart.adapters.sandbox.http2 import Asked, Told
from postcart.codecs.jwt import verified

_DEVICE: Final = re.compile(r"/3/device/([0-9a-fA-F]{2,200})")
_TYPES: Final = frozenset({"alert", "background", "voip", "location", "fileprovider", "mdm", "liveactivity"})
_MOST_BYTES: Final = 4_096
_COLLAPSE_MOST: Final = 64
_TOKEN_OLDEST_S: Final = 3_600
_RENEWED_LEAST_S: Final = 20 * 60

Reply = Callable[[str, Mapping[str, str]], tuple[int, Mapping[str, Any]] | None]
"""From device and headers to a status and the body's fields; None: as Apple would."""


@dataclass(frozen=True, slots=True)
class Notified:
    """A message that came."""

    device: str
    said: Any
    headers: Mapping[str, str]


class ApnsSandbox:
    """One team's access to it. Its ``handle`` is served by ``http2.Http2Server``.

    Args:
        team_id: Of the provider tokens; ``key_id`` and ``key``: what they are signed with.
        topics: Apps of the team.
        now_ms: Real time.
        tell: Hears of each request.
    """

    def __init__(
        self,
        *,
        team_id: str,
        key_id: str,
        key: ec.EllipticCurvePublicKey,
        topics: tuple[str, ...],
        now_ms: Callable[[], int],
        tell: Tell = unheard,
    ) -> None:
        self.reply: Reply = lambda _device, _headers: None
        self.notified: list[Notified] = []
        self.faults: list[str] = []
        self.gone: dict[str, int] = {}
        """Devices that take nothing any more, and since when, in milliseconds."""
        self._team_id, self._key_id, self._key = team_id, key_id, key
        self._topics = topics
        self._now_ms = now_ms
        self._tell = tell
        self._tokens: dict[str, int] = {}

    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""
        headers = asked.headers
        device = _DEVICE.fullmatch(headers.get(":path", ""))
        name = device[1] if device else ""
        scripted = self.reply(name, headers)
        status, body = scripted or self._judged(name, headers, asked.body)
        if status != 200:  # noqa: PLR2004 -- HTTP's
            reason = str(body.get("reason", ""))
            if scripted is None and reason != "Unregistered":
                self.faults.append(reason)
            self._tell(Arrival("apns", accepted=False, faults=(reason,), shown={"device": name}))
            return Told(status, {"apns-id": headers.get("apns-id", "")}, msgspec.json.encode(body))
        said = msgspec.json.decode(asked.body)
        self.notified.append(Notified(name, said, dict(headers)))
        alert = said["aps"]["alert"]
        shown = {"device": name, "title": alert["title"], "body": alert["body"], "link": str(said.get("link", ""))}
        self._tell(Arrival("apns", accepted=True, shown=shown))
        return Told(200, {"apns-id": headers.get("apns-id", "")})

    def _judged(self, device: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        found = self._token_fault(headers.get("authorization", "")) or _header_fault(headers, self._topics)
        if found is None and headers.get(":method") != "POST":
            found = 405, "MethodNotAllowed"
        if found is None and not device:
            found = 400, "BadDeviceToken"
        if found is None and not body:
            found = 400, "PayloadEmpty"
        if found is None and len(body) > _MOST_BYTES:
            found = 413, "PayloadTooLarge"
        if found is not None:
            return found[0], {"reason": found[1]}
        if device in self.gone:
            return 410, {"reason": "Unregistered", "timestamp": self.gone[device]}
        return 200, {}

    def _token_fault(self, authorization: str) -> tuple[int, str] | None:
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer":
            return 403, "MissingProviderToken"
        try:
            head, claims = verified(token, self._key)
        except ValueError:
            return 403, "InvalidProviderToken"
        if head.get("alg") != "ES256" or head.get("kid") != self._key_id or claims.get("iss") != self._team_id:
            return 403, "InvalidProviderToken"
        made_s = int(claims.get("iat", 0))
        if not -_TOKEN_OLDEST_S < self._now_ms() // 1_000 - made_s <= _TOKEN_OLDEST_S:
            return 403, "ExpiredProviderToken"
        if token not in self._tokens and any(abs(made_s - one) < _RENEWED_LEAST_S for one in self._tokens.values()):
            return 429, "TooManyProviderTokenUpdates"
        self._tokens[token] = made_s
        return None


def _header_fault(headers: Mapping[str, str], topics: tuple[str, ...]) -> tuple[int, str] | None:
    topic = headers.get("apns-topic")
    checks = (
        (topic is not None, "MissingTopic"),
        (topic in topics, "DeviceTokenNotForTopic"),
        (headers.get("apns-push-type") in _TYPES, "InvalidPushType"),
        (headers.get("apns-priority", "10") in {"1", "5", "10"}, "BadPriority"),
        (headers.get("apns-expiration", "0").isdigit(), "BadExpirationDate"),
        (len(headers.get("apns-collapse-id", "").encode()) <= _COLLAPSE_MOST, "BadCollapseId"),
        (_is_uuid(headers.get("apns-id")), "BadMessageId"),
    )
    return next(((400, reason) for holds, reason in checks if not holds), None)


def _is_uuid(text: str | None) -> bool:
    try:
        return text is None or str(UUID(text)) == text.lower()
    except ValueError:
        return False
