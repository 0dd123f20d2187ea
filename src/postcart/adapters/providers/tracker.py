"""Asking a carrier, or one that knows many, where a parcel is: one GET request, one JSON answer.

Owns: the request and what its answer's status means. Must not: read the answer, or try again.

The host is the operator's choice and nothing of a parcel gets into it: what is filled into the address is quoted, and
stands behind the host. Redirects are not followed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from postcart.adapters.http import HttpClient
from postcart.adapters.providers.http_status import by_status
from postcart.errors import CredentialsRejected, UnreadableRecord

MOST_BYTES: Final = 1_000_000
"""Of an answer; a longer one can't be one parcel's."""
_OURS: Final = frozenset({401, 403, 407})
_UNKNOWN: Final = frozenset({404, 410})


@dataclass(frozen=True, kw_only=True)
class TrackerApi:
    """Where is asked.

    Attributes:
        url: With ``{tracking_number}`` and perhaps ``{carrier}``.
        headers: Of each request; secret.
        names: How it calls carriers that have another name here.
        most_bytes: Of an answer.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int = MOST_BYTES


class TrackerClient:
    """One source.

    Args:
        api: Which.
        http: The client; closed with it.
        now_ms: Real time, for ``Retry-After`` as a date.
    """

    def __init__(self, api: TrackerApi, http: HttpClient, *, now_ms: Callable[[], int]) -> None:
        self._api = api
        self._http = http
        self._now_ms = now_ms
        self._headers = {"accept": "application/json", **api.headers}

    async def ask(self, carrier: str, tracking_number: str) -> bytes | None:
        """The answer's body; None: the carrier does not know the number, or not yet.

        Raises:
            UnreadableRecord: It is too long.
            RecipientRejected: The question is refused; asked again it would be, too.
            ProviderBusy: Too many questions; ``retry_after_ms`` where it says so.
            ChannelUnavailable: Not reached, or closed.
            DeliveryUncertain: No answer in time, or the server failed.
            CredentialsRejected: The login is refused, or it is another address.
        """
        api = self._api
        filled = {"carrier": api.names.get(carrier, carrier), "tracking_number": tracking_number}
        url = api.url.format_map({name: quote(text, safe="") for name, text in filled.items()})
        answer = await self._http.get(url, self._headers)
        if 200 <= answer.status < 300:  # noqa: PLR2004 -- HTTP's
            if len(answer.body) >= api.most_bytes:
                raise UnreadableRecord("answer", f"longer than {api.most_bytes} bytes")
            return answer.body
        if answer.status in _UNKNOWN:
            return None
        text, status = f"HTTP {answer.status}", str(answer.status)
        if answer.status in _OURS:
            raise CredentialsRejected(f"{text}: the login is refused; check its secret", status=status)
        raise by_status(answer, text, status=status, now_ms=self._now_ms())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
