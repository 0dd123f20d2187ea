"""Webhooks out: signed as Standard Webhooks say, to one endpoint, over connections that lead nowhere of ours.

Owns: a request and what its answer means. Must not: schedule attempts (JOURNEY does), or follow a redirect.

A receiver knows a message by its ``webhook-id`` and drops repeats. All the same a reminder whose answer did not come is
not sent again: carts never twice.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from postcart.adapters.destination import Destination, Network, Resolve, Unsafe, destination
from postcart.adapters.http import HttpAnswer, HttpClient
from postcart.adapters.providers import Accepted
from postcart.codecs.standard_webhooks import signed_headers
from postcart.content.webhook import OutgoingWebhook
from postcart.errors import ChannelUnavailable, DeliveryDeferred, DeliveryError, DeliveryUncertain, RecipientRejected

_GONE: Final = 410
_MOVED: Final = "5.1.6"
"""Of RFC 3463: has moved, no forwarding address."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where webhooks go.

    Attributes:
        keys: Each signs; two while one is being replaced.
        ports: Which may be connected to.
        allowed: Networks that are not the Internet's and may be gone to all the same.
    """

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    ports: frozenset[int] = frozenset({443, 8443})
    allowed: tuple[Network, ...] = ()


class WebhookProvider:
    """One endpoint.

    Args:
        endpoint: Which.
        http: Keeps no connection: one belongs to a name, and the pool knows only addresses. Closed with the provider.
        resolve: Asks the DNS.
        now_ms: Real time: it is signed.
    """

    def __init__(self, endpoint: Endpoint, http: HttpClient, *, resolve: Resolve, now_ms: Callable[[], int]) -> None:
        self._endpoint = endpoint
        self._http = http
        self._resolve = resolve
        self._now_ms = now_ms

    async def send(self, message: OutgoingWebhook) -> Accepted:
        """Make one attempt.

        Raises:
            RecipientRejected: 410: the endpoint wants no more.
            DeliveryDeferred: Anything else that is no 2xx; with ``retry_after_ms`` where it says when.
            DeliveryUncertain: A reminder was written, and no answer came.
        """
        try:
            answer = await self._post(message, await self._destination())
        except DeliveryUncertain as error:
            if message.purpose == "marketing":
                raise
            raise DeliveryDeferred(str(error), status=error.status) from error
        if 200 <= answer.status < 300:  # noqa: PLR2004 -- HTTP's
            return Accepted(str(answer.status))
        raise self._refused(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _destination(self) -> Destination:
        endpoint = self._endpoint
        try:
            return await destination(
                endpoint.url, ports=endpoint.ports, resolve=self._resolve, allowed=endpoint.allowed
            )
        except Unsafe as error:
            raise DeliveryDeferred(f"the endpoint is not gone to: {error}", status="unsafe") from error
        except ChannelUnavailable as error:
            raise DeliveryDeferred(str(error), status=error.status) from error

    async def _post(self, message: OutgoingWebhook, where: Destination) -> HttpAnswer:
        """At the first address that can be connected to."""
        at_s = self._now_ms() // 1_000
        signed = signed_headers(message.message_id, message.body, at_s=at_s, keys=self._endpoint.keys)
        headers = {**signed, "host": where.host, "content-type": "application/json"}
        last: ChannelUnavailable | None = None
        for url in where.urls:
            try:
                return await self._http.post(url, message.body, headers, server_name=where.server_name)
            except ChannelUnavailable as error:
                last = error
        raise DeliveryDeferred(str(last), status=last.status if last else None) from last

    def _refused(self, answer: HttpAnswer) -> DeliveryError:
        if answer.status == _GONE:
            return RecipientRejected("the endpoint is gone", status=f"410 {_MOVED}")
        return DeliveryDeferred(
            f"HTTP {answer.status}", status=str(answer.status), retry_after_ms=answer.retry_after_ms(self._now_ms())
        )


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks as written, for example ``10.20.0.0/16``.

    Raises:
        ValueError: One is none.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)
