"""Messages to a Slack-compatible incoming webhook.

Owns: requests to it and what its answers mean (https://api.slack.com/messaging/webhooks). Must not: word anything, or
try again.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from postcart.adapters.http import HttpClient
from postcart.adapters.providers import Accepted
from postcart.adapters.providers.http_status import by_status
from postcart.errors import CredentialsRejected

_OK: Final = 200
_OURS: Final = frozenset({401, 403, 404, 410})
_WORDS_MOST: Final = 100

_encode = msgspec.json.Encoder().encode


class SlackWebhook:
    """One webhook, that is, one channel of a workspace.

    Args:
        url: Secret: whoever knows it can write there.
        http: The client; closed with it.
        now_ms: Real time, for ``Retry-After`` as a date.
    """

    def __init__(self, url: str, http: HttpClient, *, now_ms: Callable[[], int]) -> None:
        self._url = url
        self._http = http
        self._now_ms = now_ms

    async def send(self, message: dict[str, Any]) -> Accepted:
        """Hand over one message.

        Raises:
            RecipientRejected: The message is refused.
            ProviderBusy: Too many messages.
            ChannelUnavailable: Not reached, or out of order.
            CredentialsRejected: The webhook is not there, or was taken back.
            DeliveryUncertain: It may have it.
        """
        answer = await self._http.post(self._url, _encode(message), {"content-type": "application/json"})
        said = answer.body[:_WORDS_MOST].decode("utf-8", "replace").strip()
        if answer.status == _OK:
            return Accepted("200", said)
        text, status = f"HTTP {answer.status} {said}", str(answer.status)
        if answer.status in _OURS:
            raise CredentialsRejected(f"{text}; check POSTCART_ALERTS__SLACK_URL", status=status)
        raise by_status(answer, text, status=status, now_ms=self._now_ms())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
