"""Push messages to apps over Apple's Push Notification service, HTTP/2 with provider tokens.

Owns: requests and answers of that API (https://developer.apple.com/documentation/usernotifications, "Sending
notification requests to APNs", "Handling notification responses from APNs"). Must not: render, or try again, but for a
new token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from postcart.adapters.http import HttpAnswer, HttpClient
from postcart.adapters.providers import Accepted
from postcart.adapters.providers.apns_reasons import CREDENTIALS, GONE, OURS, PACE
from postcart.adapters.providers.http_status import TOO_MANY, by_status
from postcart.codecs.jwt import es256
from postcart.content.push import OutgoingPush, Target
from postcart.errors import (
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.event import moment_ms
from postcart.events.ids import namespace_of, uuid5

LONGEST_PAYLOAD: Final = 4_096
RENEW_S: Final = 40 * 60
"""Apple refuses tokens older than an hour, and providers that renew more often than every 20 minutes. All workers make
the same token: its time is that of the beginning of such a span, and its signature has no chance in it."""
_OK: Final = 200
_REASON_MOST: Final = 60

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class ApnsTeam:
    """Who sends.

    Attributes:
        base_url: ``https://api.push.apple.com``, or that of the sandbox.
        topic: Of subscriptions that name none: the app's bundle id.
    """

    base_url: str
    team_id: str
    key_id: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    topic: str | None = None


class ApnsProvider:
    """One team.

    Args:
        team: Who.
        http: A client that speaks HTTP/2; closed with the provider.
        now_ms: Real time: it is signed.
    """

    def __init__(self, team: ApnsTeam, http: HttpClient, *, now_ms: Callable[[], int]) -> None:
        self._team = team
        self._http = http
        self._now_ms = now_ms
        self._token, self._made_s = "", 0

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:
        """Hand over one message for one app.

        Raises:
            RecipientRejected: The app is gone (``gone``), or the message is refused; a token that does not fit our
                topic is about us (5.7.0).
            DeliveryDeferred: Too many messages for this device.
            ProviderBusy: Our token was renewed too often, or 503 with a time.
            ChannelUnavailable: Not reached, or 503.
            CredentialsRejected: Our key, team or topic is refused.
            DeliveryUncertain: It may have it.
        """
        topic = target.subscription.app or self._team.topic
        if topic is None:
            raise RecipientRejected("no topic: neither it nor POSTCART_APNS__TOPIC names one", status="topic 5.7.0")
        answer = await self._post(message, target, topic)
        if _reason(answer) == "ExpiredProviderToken":
            self._sign(self._now_ms() // 1_000)
            answer = await self._post(message, target, topic)
        if answer.status == _OK:
            return Accepted("200", answer.headers.get("apns-id", ""))
        raise self._refused(answer, target)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, message: OutgoingPush, target: Target, topic: str) -> HttpAnswer:
        headers = {
            "authorization": f"bearer {self._provider_token()}",
            "apns-id": uuid5(namespace_of(message.job_id), target.contact_id),
            "apns-topic": topic,
            "apns-push-type": "alert",
            "apns-priority": "5" if message.purpose == "marketing" else "10",
            "apns-expiration": str(self._now_ms() // 1_000 + message.valid_s),
            "apns-collapse-id": message.tag,
            "content-type": "application/json",
        }
        url = f"{self._team.base_url}/3/device/{quote(target.subscription.token, safe='')}"
        return await self._http.post(url, apns_payload(message), headers)

    def _provider_token(self) -> str:
        now_s = self._now_ms() // 1_000
        if not self._token or not 0 <= now_s - self._made_s < RENEW_S:
            self._sign(now_s - now_s % RENEW_S)
        return self._token

    def _sign(self, at_s: int) -> None:
        self._token = es256({"iss": self._team.team_id, "iat": at_s}, self._team.key, kid=self._team.key_id)
        self._made_s = at_s

    def _refused(self, answer: HttpAnswer, target: Target) -> DeliveryError:
        reason = _reason(answer) or str(answer.status)
        text, status = f"{reason}: HTTP {answer.status}", f"{answer.status} {reason}"
        if reason in GONE | OURS:
            error = RecipientRejected(text, status=f"{status} 5.7.0" if reason in OURS else status)
            error.gone = (target.contact_id,) if reason in GONE and not _made_later(target, answer) else ()
            return error
        if reason in CREDENTIALS:
            return CredentialsRejected(f"{text}; check POSTCART_APNS__*", status=status)
        if reason in PACE:
            return ProviderBusy(text, status=status, retry_after_ms=PACE[reason])
        if answer.status == TOO_MANY:
            asked_ms = answer.retry_after_ms(self._now_ms())
            return DeliveryDeferred(text, status=status, retry_after_ms=asked_ms)
        return by_status(answer, text, status=status, now_ms=self._now_ms())


def apns_payload(message: OutgoingPush) -> bytes:
    """What the app gets. Title, text and link have bounds of their own that stay well below ``LONGEST_PAYLOAD``."""
    alert = {"title": message.title, "body": message.body}
    return _encode({"aps": {"alert": alert, "thread-id": message.tag}, "link": message.link, "id": message.job_id})


def _made_later(target: Target, answer: HttpAnswer) -> bool:
    """Whether the device was registered after the moment at which Apple found it gone."""
    said: Any = answer.json()
    gone_ms = said.get("timestamp") if isinstance(said, dict) else None
    since = target.subscription.since
    return isinstance(gone_ms, int) and since is not None and moment_ms(since) > gone_ms


def _reason(answer: HttpAnswer) -> str:
    said = answer.json()
    return str(said.get("reason") or "")[:_REASON_MOST] if isinstance(said, dict) else ""
