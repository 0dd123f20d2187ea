"""A push service and the browsers behind it, for trials and tests: it checks requests and decrypts as browsers do.

Owns: checking what comes by RFC 8030, 8188, 8291 and 8292, independently of the code that sends. Must not: show
anything to anybody.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard
from postcart.codecs.jwt import base64url, from_base64url, verified
from postcart.codecs.web_push import origin, public_point
from postcart.events.shop import PushSubscription

_MOST_BYTES: Final = 4_096
_DAY_S: Final = 86_400
_URGENCIES: Final = frozenset({"very-low", "low", "normal", "high"})
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_VAPID: Final = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)")

Reply = Callable[[Mapping[str, str]], tuple[int, Mapping[str, str]] | None]


@dataclass(frozen=True, slots=True)
class Browser:
    """A user agent that has subscribed."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    auth: bytes = field(repr=False)

    def decrypted(self, body: bytes) -> bytes:
        """The message (RFC 8291, 3.4 and RFC 8188, 2).

        Raises:
            ValueError: It is none for this browser.
        """
        salt, size, length = body[:16], int.from_bytes(body[16:20]), int.from_bytes(body[20:21])
        server, cipher = body[21 : 21 + length], body[21 + length :]
        if len(cipher) > size:
            raise ValueError("more than one record")
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), server)
        secret = self.key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\x00" + public_point(self.key) + server
        material = _mac(_mac(self.auth, secret), info + b"\x01")
        extracted = _mac(salt, material)
        content_key = _mac(extracted, b"Content-Encoding: aes128gcm\x00\x01")[:16]
        nonce = _mac(extracted, b"Content-Encoding: nonce\x00\x01")[:12]
        try:
            plain = AESGCM(content_key).decrypt(nonce, cipher, None).rstrip(b"\x00")
        except InvalidTag as error:
            raise ValueError("it is not encrypted for this browser") from error
        if plain[-1:] != b"\x02":
            raise ValueError("the last record does not end as such")
        return plain[:-1]


@dataclass(frozen=True, slots=True)
class Pushed:
    """A message that came."""

    browser: str
    said: Any
    headers: Mapping[str, str]
    size: int


class WebPushSandbox:
    """One push service.

    Args:
        base_url: What it is reached by, for the endpoints and as audience.
        now_ms: Real time.
        random: Gives so many unpredictable bytes.
        tell: Hears of each request.
    """

    def __init__(
        self, base_url: str, *, now_ms: Callable[[], int], random: Callable[[int], bytes], tell: Tell = unheard
    ) -> None:
        self.base_url = base_url
        self.reply: Reply = lambda _: None
        self.pushed: list[Pushed] = []
        self.faults: list[str] = []
        self.over: set[str] = set()
        """Names of browsers that take nothing any more."""
        self._browsers: dict[str, Browser] = {}
        self._now_ms = now_ms
        self._random = random
        self._tell = tell
        self.app = Starlette(routes=[Route("/push/{name}", self._receive, methods=["POST"])])

    def subscribe(self, name: str) -> PushSubscription:
        """A new browser's subscription."""
        browser = Browser(name, ec.generate_private_key(ec.SECP256R1()), self._random(16))
        self._browsers[name] = browser
        return PushSubscription(
            kind="web",
            token=f"{self.base_url}/push/{name}",
            p256dh=base64url(public_point(browser.key)),
            auth=base64url(browser.auth),
        )

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        browser = self._browsers.get(request.path_params["name"])
        if browser is None or browser.name in self.over:
            return self._answer(browser, 404 if browser is None else 410, ("no such subscription",), None)
        scripted = self.reply(request.headers)
        if scripted is not None and scripted[0] >= 300:  # noqa: PLR2004 -- HTTP's
            return self._answer(browser, scripted[0], (f"scripted {scripted[0]}",), None, scripted[1])
        faults, said = list(self._faults(request.headers, body)), None
        try:
            said = msgspec.json.decode(browser.decrypted(body))
        except (ValueError, IndexError, msgspec.DecodeError) as error:
            faults.append(f"can't be decrypted: {error}")
        self.faults += faults
        if faults:
            return self._answer(browser, 413 if len(body) > _MOST_BYTES else 400, tuple(faults), None)
        self.pushed.append(Pushed(browser.name, said, dict(request.headers), len(body)))
        return self._answer(browser, 201, (), said)

    def _answer(
        self, browser: Browser | None, status: int, faults: tuple[str, ...], said: Any, headers: Mapping[str, str] = {}
    ) -> Response:
        shown = {"browser": browser.name if browser else "unknown", "answer": str(status)}
        if isinstance(said, dict):
            shown |= {name: str(said.get(name, "")) for name in ("title", "body", "link")}
        self._tell(Arrival("web push", accepted=status == 201, faults=faults, shown=shown))  # noqa: PLR2004 -- HTTP's
        return Response(status_code=status, headers=dict(headers))

    def _faults(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        found = []
        if headers.get("content-encoding") != "aes128gcm":
            found.append("Content-Encoding is not aes128gcm")
        if not headers.get("ttl", "").isdigit():
            found.append("TTL is missing")
        if headers.get("urgency", "normal") not in _URGENCIES:
            found.append("Urgency is none of the four")
        if "topic" in headers and not _TOPIC.fullmatch(headers["topic"]):
            found.append("Topic has at most 32 characters of base64url")
        if len(body) > _MOST_BYTES:
            found.append("larger than 4,096 bytes")
        return found + self._signature_faults(headers.get("authorization", ""))

    def _signature_faults(self, authorization: str) -> list[str]:
        match = _VAPID.fullmatch(authorization)
        if match is None:
            return ["Authorization is not vapid t=…, k=…"]
        try:
            point = from_base64url(match[2])
            _, claims = verified(match[1], ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
        except ValueError as error:
            return [f"VAPID: {error}"]
        found = []
        if claims.get("aud") != origin(self.base_url):
            found.append("VAPID: aud is another origin")
        if not 0 < int(claims.get("exp", 0)) - self._now_ms() // 1_000 <= _DAY_S:
            found.append("VAPID: exp is over, or more than 24 hours away")
        if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
            found.append("VAPID: sub names nobody")
        return found


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, sha256).digest()
