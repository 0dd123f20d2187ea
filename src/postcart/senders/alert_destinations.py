"""Where employees read: a chat, or mailboxes.

Owns: which form a notice takes there. Must not: word it, or decide when.
"""

from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import Protocol

from postcart.adapters.providers.slack import SlackWebhook
from postcart.content.context import ShopIdentity
from postcart.content.forms import Page
from postcart.content.mime import Heads, build_message
from postcart.content.notice import Notice, notice_of, plain_text, slack_message
from postcart.content.templates import Content
from postcart.domain.troubles import Bundle
from postcart.errors import DeliveryError
from postcart.events.alerts import AlertKind


class Chat:
    """A channel of Slack, or of what is compatible."""

    name = "slack"

    def __init__(self, webhook: SlackWebhook, kinds: Collection[AlertKind]) -> None:
        self._webhook = webhook
        self.kinds = kinds

    async def tell(self, bundle: Bundle) -> None:
        """Hand over one message. Raises as the webhook."""
        await self._webhook.send(slack_message(notice_of(bundle)))

    async def close(self) -> None:
        """Close the connections."""
        await self._webhook.close()


class MailServer(Protocol):
    """Takes mails (adapters.smtp)."""

    async def send(self, envelope_from: str, recipient: str, message: bytes) -> object:
        """Hand over one mail. Raises DeliveryError."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


class Mailboxes:
    """Mailboxes of employees.

    Args:
        servers: The first that takes a mail gets it.
        addresses: Whose mailboxes; each gets a mail of its own.
        shop: Who sends.
        kinds: What goes there.
        now_ms: Real time.
    """

    name = "email"

    def __init__(
        self,
        servers: Sequence[MailServer],
        addresses: Sequence[str],
        shop: ShopIdentity,
        *,
        kinds: Collection[AlertKind],
        now_ms: Callable[[], int],
    ) -> None:
        self._servers = servers
        self._addresses = addresses
        self._shop = shop
        self._now_ms = now_ms
        self.kinds = kinds

    async def tell(self, bundle: Bundle) -> None:
        """Send to each. What comes twice after a failure has the same Message-ID.

        Raises:
            DeliveryError: As the last server says; all others have theirs by then.
        """
        notice, failure = notice_of(bundle), None
        for address in self._addresses:
            try:
                await self._send(address, alert_mail(notice, bundle.bundle_id, address, self._shop, self._now_ms()))
            except DeliveryError as error:
                failure = error
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Leave the servers."""
        for server in self._servers:
            await server.close()

    async def _send(self, address: str, mail: bytes) -> None:
        failure: DeliveryError | None = None
        for server in self._servers:
            try:
                await server.send(self._shop.from_address, address, mail)
            except DeliveryError as error:
                failure = error
            else:
                return
        if failure is not None:
            raise failure


def alert_mail(notice: Notice, bundle_id: str, address: str, shop: ShopIdentity, date_ms: int) -> bytes:
    """The mail of a notice to one address."""
    text = plain_text(notice)
    heads = Heads(
        message_id=f"<{bundle_id}@{shop.domain}>",
        date_ms=date_ms,
        from_name=shop.name,
        from_address=shop.from_address,
        to_name="",
        to_address=address,
        reply_to=None,
        language="en",
        feedback_id=f"alerts:{shop.domain}",
        unsubscribe=None,
    )
    html = f'<!doctype html><html lang="en"><body><pre>{escape(text)}</pre></body></html>'
    return build_message(Content(notice.title, "", Page.whole(html), text), heads).data
