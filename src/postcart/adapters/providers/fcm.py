"""Push messages to apps over Firebase Cloud Messaging, HTTP v1.

Owns: requests and answers of that API (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages,
https://firebase.google.com/docs/cloud-messaging/error-codes). Must not: render, or try again, but for a new token.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from postcart.adapters.http import HttpAnswer, HttpClient
from postcart.adapters.providers import Accepted
from postcart.adapters.providers.google_token import GoogleToken, ServiceAccount
from postcart.adapters.providers.http_status import by_status
from postcart.content.push import OutgoingPush, Target
from postcart.errors import CredentialsRejected, DeliveryError, ProviderBusy, RecipientRejected

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_OK: Final = 200
_UNAUTHORISED: Final = 401
_OURS: Final = frozenset({401, 403, 404})
"""About our account, where the code does not say that it is the token."""
_QUOTA_MS: Final = 60_000
"""How long to wait at least after QUOTA_EXCEEDED that names no time."""
_WORDS_MOST: Final = 150

_encode = msgspec.json.Encoder().encode


class FcmProvider:
    """One Firebase project.

    Args:
        account: Its service account.
        http: The client; closed with the provider.
        now_ms: Real time.
        base_url: ``https://fcm.googleapis.com``, or a trial's.
    """

    def __init__(
        self,
        account: ServiceAccount,
        http: HttpClient,
        *,
        now_ms: Callable[[], int],
        base_url: str = "https://fcm.googleapis.com",
    ) -> None:
        self._http = http
        self._now_ms = now_ms
        self._url = f"{base_url}/v1/projects/{account.project}/messages:send"
        self._token = GoogleToken(account, SCOPE, http, now_ms=now_ms)

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:
        """Hand over one message for one app.

        Raises:
            RecipientRejected: The app is gone (``gone``), or the message is refused; a token of another project is
                about us (5.7.0).
            ProviderBusy: QUOTA_EXCEEDED, or UNAVAILABLE with a time.
            ChannelUnavailable: Not reached, or UNAVAILABLE.
            CredentialsRejected: Our account, or its project's own keys, are refused.
            DeliveryUncertain: It may have it.
        """
        body = _encode({"message": fcm_message(message, target.subscription.token)})
        token = await self._token.get()
        answer = await self._post(body, token)
        if answer.status == _UNAUTHORISED and _code(answer) == "UNAUTHENTICATED":
            answer = await self._post(body, await self._token.get(instead_of=token))
        said = answer.json()
        if answer.status == _OK:
            name = said.get("name", "") if isinstance(said, dict) else ""
            return Accepted("200", str(name).rpartition("/")[2])
        raise self._refused(answer, target)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, body: bytes, token: str) -> HttpAnswer:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return await self._http.post(self._url, body, headers)

    def _refused(self, answer: HttpAnswer, target: Target) -> DeliveryError:
        code = _code(answer)
        text = f"{code}: HTTP {answer.status}"
        if code == "UNREGISTERED" or (code == "INVALID_ARGUMENT" and "message.token" in _fields(answer)):
            error = RecipientRejected(text, status=code)
            error.gone = (target.contact_id,)
            return error
        if code == "SENDER_ID_MISMATCH":
            return RecipientRejected(f"{text}: the app is another project's", status=f"{code} 5.7.0")
        if code == "QUOTA_EXCEEDED":
            asked_ms = answer.retry_after_ms(self._now_ms())
            return ProviderBusy(text, status=code, retry_after_ms=_QUOTA_MS if asked_ms is None else asked_ms)
        if answer.status in _OURS:
            return CredentialsRejected(f"{text}; check POSTCART_FCM__* and the project's keys", status=code)
        return by_status(answer, text, status=code, now_ms=self._now_ms())


def fcm_message(message: OutgoingPush, token: str) -> dict[str, Any]:
    """The message as FCM has it; ``data`` is what the app gets when it is touched."""
    return {
        "token": token,
        "notification": {"title": message.title, "body": message.body},
        "data": {"link": message.link, "tag": message.tag, "id": message.job_id},
        "android": {
            "collapse_key": message.tag,
            "ttl": f"{message.valid_s}s",
            "priority": "NORMAL" if message.purpose == "marketing" else "HIGH",
            "notification": {"tag": message.tag},
        },
        "apns": {"headers": {"apns-collapse-id": message.tag}},
    }


def _code(answer: HttpAnswer) -> str:
    """FCM's own code where it says one, else Google's, else HTTP's."""
    error = _error(answer)
    codes = [one["errorCode"] for one in _details(error) if isinstance(one.get("errorCode"), str)]
    return str((codes or [error.get("status") or answer.status])[0])[:_WORDS_MOST]


def _fields(answer: HttpAnswer) -> list[str]:
    """Which fields of the message it complains about."""
    found = (one.get("fieldViolations") for one in _details(_error(answer)))
    return [str(field.get("field")) for fields in found if isinstance(fields, list) for field in fields]


def _error(answer: HttpAnswer) -> dict[str, Any]:
    said = answer.json()
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
