"""Push messages to browsers: encrypted (RFC 8291), signed (RFC 8292), handed to their push services (RFC 8030).

Owns: requests to push services and what their answers mean. Must not: render, or go to a host that is no push
service's: endpoints are of somebody else's choice.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from postcart.adapters.http import HttpAnswer, HttpClient
from postcart.adapters.providers import Accepted
from postcart.adapters.providers.http_status import TOO_MANY, by_status
from postcart.codecs.web_push import UserAgentKeys, encrypted, origin, user_agent_keys, vapid
from postcart.content.push import LONGEST_BODY, OutgoingPush, Target, shortened
from postcart.errors import DeliveryDeferred, DeliveryError, RecipientRejected

_TAKEN: Final = (200, 201, 202, 204)
_GONE: Final = (404, 410)
_REFUSED: Final = (401, 403)
_TOO_LARGE: Final = 413
_SHORT_BODY: Final = 60
_ORIGINS_MOST: Final = 1_000
_POLICY: Final = "5.7.0"
"""Of RFC 3463: about us."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class WebPushSender:
    """Who sends.

    Attributes:
        key: The one that the shop's pages subscribe with.
        contact: ``mailto:`` or ``https:`` address of whom a push service may ask.
        hosts: Of push services; ``*.example.org`` stands for all below.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    contact: str
    hosts: tuple[str, ...]


class WebPushProvider:
    """All push services of browsers.

    Args:
        sender: Who.
        http: The client; closed with the provider.
        now_ms: Real time: it is signed.
        random: Gives so many unpredictable bytes.
    """

    def __init__(
        self,
        sender: WebPushSender,
        http: HttpClient,
        *,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._sender = sender
        self._http = http
        self._now_ms = now_ms
        self._random = random
        self._signed: dict[str, tuple[str, int]] = {}

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:
        """Hand over one message for one browser.

        Raises:
            RecipientRejected: The subscription is over (``gone``), or is none; 401 and 403 are about us (5.7.0).
            DeliveryDeferred: 429; ``retry_after_ms`` where it says so. It is one of many services.
            ChannelUnavailable: Not reached, or 503.
            DeliveryUncertain: It may have it.
        """
        url = target.subscription.token
        if not known_host(url, self._sender.hosts):
            raise RecipientRejected("its endpoint is at no known push service", status="host")
        try:
            keys = user_agent_keys(target.subscription.p256dh, target.subscription.auth)
        except ValueError as error:
            raise _gone(RecipientRejected(f"no keys of a browser: {error}", status="keys"), target) from error
        answer = await self._post(message, url, keys, longest=LONGEST_BODY)
        if answer.status == _TOO_LARGE:
            answer = await self._post(message, url, keys, longest=_SHORT_BODY)
        if answer.status in _TAKEN:
            return Accepted(str(answer.status))
        raise self._refused(answer, target)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, message: OutgoingPush, url: str, keys: UserAgentKeys, *, longest: int) -> HttpAnswer:
        body = encrypted(
            payload(message, longest=longest),
            keys,
            key=ec.generate_private_key(ec.SECP256R1()),
            salt=self._random(16),
        )
        headers = {
            "authorization": self._authorization(url),
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            "ttl": str(message.valid_s),
            "urgency": "low" if message.purpose == "marketing" else "normal",
            "topic": message.tag,
        }
        return await self._http.post(url, body, headers)

    def _authorization(self, url: str) -> str:
        """Signed once per push service and half the time that it holds."""
        now_s, service = self._now_ms() // 1_000, origin(url)
        header, until_s = self._signed.get(service, ("", 0))
        if now_s >= until_s:
            if len(self._signed) >= _ORIGINS_MOST:
                self._signed.clear()
            header, until_s = vapid(url, self._sender.key, contact=self._sender.contact, now_s=now_s)
            self._signed[service] = header, until_s
        return header

    def _refused(self, answer: HttpAnswer, target: Target) -> DeliveryError:
        status = str(answer.status)
        if answer.status in _GONE:
            return _gone(RecipientRejected("the subscription is over", status=status), target)
        if answer.status in _REFUSED:
            said = f"HTTP {status}: made for another key than ours, or ours is refused (POSTCART_WEB_PUSH__KEY_FILE)"
            return RecipientRejected(said, status=f"{status} {_POLICY}")
        if answer.status == TOO_MANY:
            asked_ms = answer.retry_after_ms(self._now_ms())
            return DeliveryDeferred(f"HTTP {status}", status=status, retry_after_ms=asked_ms)
        return by_status(answer, f"HTTP {status}", status=status, now_ms=self._now_ms())


def payload(message: OutgoingPush, *, longest: int = LONGEST_BODY) -> bytes:
    """What a shop's service worker gets: JSON, its fields those of ``showNotification`` (docs/channels.md)."""
    return _encode(
        {
            "title": message.title,
            "body": shortened(message.body, longest),
            "link": message.link,
            "tag": message.tag,
            "lang": message.language,
            "dir": message.direction,
            "id": message.job_id,
        }
    )


def known_host(url: str, hosts: Collection[str]) -> bool:
    """Whether a URL is https, without a login, and at one of these hosts; ``*.`` stands for one label at least."""
    try:
        parts = urlsplit(url)
        host, login = parts.hostname, parts.username
        parts.port  # noqa: B018 -- raises where it is none
    except ValueError:
        return False
    if parts.scheme != "https" or not host or login is not None or "@" in parts.netloc or "\\" in url:
        return False
    return any(host.endswith(one[1:]) if one.startswith("*.") else host == one for one in hosts)


def _gone(error: RecipientRejected, target: Target) -> RecipientRejected:
    error.gone = (target.contact_id,)
    return error
