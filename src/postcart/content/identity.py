"""Who sends, and who gets a message.

Owns: these shapes. Must not: know templates.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ShopIdentity:
    """Who sends: what law and mailbox providers want to see in every message.

    Attributes:
        name: Shown as the sender and in the text.
        from_address: The From address; its domain is that of Message-ID.
        postal_address: Lines of the address by which the shop can be reached (CAN-SPAM).
        base_url: The shop's home page; ``cart_url``: where the button leads.
        currency: Of carts that name none (ISO 4217).
        locale: The shop's own language.
        time_zone: For recipients of whom none is known.
        orders_url: Page of an order, ``{order}`` standing for its id; without it the home page.
        tracking_url: Page of a parcel, with ``{carrier}``, ``{number}`` and ``{order}``; without it the order's.
        accent: Colour of the button, ``#rrggbb``; must contrast with white text.
    """

    name: str
    from_address: str
    postal_address: tuple[str, ...]
    base_url: str
    cart_url: str
    reply_to: str | None = None
    country: str | None = None
    currency: str = "USD"
    locale: str = "en"
    time_zone: str = "UTC"
    accent: str = "#0f62fe"
    logo_url: str | None = None
    orders_url: str | None = None
    tracking_url: str | None = None

    @property
    def domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]


@dataclass(frozen=True)
class Recipient:
    """Who gets the message. ``locale`` is a BCP 47 tag, ``time_zone`` an IANA name."""

    address: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    locale: str | None = None
    time_zone: str | None = None
