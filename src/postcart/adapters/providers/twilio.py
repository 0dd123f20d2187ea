"""Text messages over Twilio's Messages API, which others speak too.

Owns: requests and answers of that API (https://www.twilio.com/docs/messaging/api/message-resource). Must not: render,
or try again.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from postcart.adapters.http import HttpAnswer, HttpClient
from postcart.adapters.providers import Accepted
from postcart.adapters.providers.http_status import by_status
from postcart.adapters.providers.twilio_errors import REFUSALS
from postcart.content.phones import redact_phones
from postcart.content.sms import OutgoingSms
from postcart.errors import CredentialsRejected, DeliveryError, ProviderBusy, RecipientRejected

_CREATED: Final = (200, 201, 202)
_FAILED_AT_ONCE: Final = frozenset({"failed", "undelivered"})
_DETAIL_MOST: Final = 150


@dataclass(frozen=True, kw_only=True)
class TwilioAccount:
    """Whose account, and who sends.

    Attributes:
        base_url: ``https://api.twilio.com``, or that of another one with the same API.
        account: The account's SID.
        key: SID of an API key, or the account's once more; ``secret`` goes with it.
        sender: Number in E.164, short code or name; or the SID of a messaging service (``MG…``).
        callback_url: Where it tells what became of messages; None: it does not.
    """

    base_url: str
    account: str
    key: str
    secret: str = field(repr=False)
    sender: str
    callback_url: str | None = None


class TwilioProvider:
    """One account.

    Args:
        account: Whose.
        http: The client; closed with the provider.
        now_ms: Real time, for ``Retry-After`` as a date.
    """

    def __init__(self, account: TwilioAccount, http: HttpClient, *, now_ms: Callable[[], int]) -> None:
        self._account = account
        self._http = http
        self._now_ms = now_ms
        self._url = f"{account.base_url}/2010-04-01/Accounts/{quote(account.account, safe='')}/Messages.json"
        login = base64.b64encode(f"{account.key}:{account.secret}".encode()).decode()
        self._headers = {
            "authorization": f"Basic {login}",
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }

    async def send(self, message: OutgoingSms) -> Accepted:
        """Hand over one message.

        Raises:
            RecipientRejected: The recipient or the text is refused for good.
            ProviderBusy: 429, or 503 with a time; ``retry_after_ms`` where it says so.
            ChannelUnavailable: Not reached, or 503.
            CredentialsRejected: The login, the account or our number is refused.
            DeliveryUncertain: It may have it.
        """
        headers = {**self._headers, "idempotency-key": message.job_id}
        answer = await self._http.post(self._url, urlencode(self._form(message)).encode(), headers)
        said = answer.json()
        said = said if isinstance(said, dict) else {}
        if answer.status in _CREATED:
            return self._created(said, message)
        raise self._refused(answer, said, message)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _form(self, message: OutgoingSms) -> dict[str, str]:
        account = self._account
        form = {"To": message.to, "Body": message.body, "ValidityPeriod": str(message.valid_s)}
        form["MessagingServiceSid" if account.sender.startswith("MG") else "From"] = account.sender
        if account.callback_url is not None:
            query = urlencode({"job": message.job_id, "person": message.person_id})
            form["StatusCallback"] = f"{account.callback_url}?{query}"
        return form

    def _created(self, said: dict[str, Any], message: OutgoingSms) -> Accepted:
        status = str(said.get("status") or "accepted")
        if status in _FAILED_AT_ONCE:
            code = _int(said.get("error_code"))
            known = REFUSALS.get(code)
            raise RecipientRejected(f"failed at once: {code}", status=_status(code, known.status if known else ""))
        return Accepted(status, f"{said.get('sid') or 'no id'}, {message.segments.messages} segments")

    def _refused(self, answer: HttpAnswer, said: dict[str, Any], message: OutgoingSms) -> DeliveryError:
        code = _int(said.get("code"))
        words = redact_phones(str(said.get("message") or f"HTTP {answer.status}"), message.to)[:_DETAIL_MOST]
        text, known = f"{code or answer.status}: {words}", REFUSALS.get(code)
        if known is not None and known.refusal not in {"busy", "account"}:
            return RecipientRejected(text, status=_status(code, known.status))
        if answer.status == 429 or (known is not None and known.refusal == "busy"):  # noqa: PLR2004 -- HTTP's
            return ProviderBusy(text, status=str(code or 429), retry_after_ms=answer.retry_after_ms(self._now_ms()))
        if known is not None or answer.status in {401, 403, 404}:
            return CredentialsRejected(f"{text}; check POSTCART_SMS__*", status=str(code or answer.status))
        return by_status(answer, text, status=str(code or answer.status), now_ms=self._now_ms())


def _status(code: int, enhanced: str) -> str:
    return " ".join(part for part in (str(code), enhanced) if part)


def _int(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
