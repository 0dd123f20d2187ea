"""Where an address of somebody else's choice leads: nothing of ours, and not elsewhere when it is asked again.

Owns: which URLs and which IP addresses may be connected to. Must not: connect.

A name is resolved once, every address that it has must be public, and the connection goes to such an address, not to
the name: so an answer of the DNS that changes between check and use (rebinding) changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from postcart.errors import ChannelUnavailable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses, as text; OSError if there are none."""

_RESOLVE_S: Final = 5.0
_MOST_ADDRESSES: Final = 4

_REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96",  # translated to IPv4 (RFC 6052)
        "64:ff9b:1::/48",  # the same, locally (RFC 8215)
        "2002::/16",  # 6to4
        "5f00::/16",  # segment routing (RFC 9602)
        "3fff::/20",  # documentation (RFC 9637)
        "fec0::/10",  # site-local, deprecated
        "::/96",  # IPv4-compatible, deprecated
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
    )
)
"""``is_global`` says yes to these, in some version of Python at least."""


class Unsafe(ValueError):  # noqa: N818 -- names what was found
    """A URL that is not gone to; the message says why, without the address."""


class Destination(NamedTuple):
    """Where to connect to.

    Attributes:
        urls: The same URL with an address in place of the name, in the order in which to try.
        host: For the header ``Host``.
        server_name: For TLS.
    """

    urls: tuple[str, ...]
    host: str
    server_name: str


def is_public(address: str, *, allowed: Collection[Network] = ()) -> bool:
    """Whether an address is one of the Internet's, or of an ``allowed`` network. An address in another is unwrapped."""
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return False
        found = found.ipv4_mapped or found
    if any(found in network for network in allowed):
        return True
    return found.is_global and not found.is_multicast and not any(found in network for network in _REFUSED)


def check_url(url: str, *, ports: Collection[int]) -> tuple[str, int]:
    """Host and port of a URL that may be gone to.

    Raises:
        Unsafe: It is not https, names a login or another port than ``ports``, or is no URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unsafe("no URL") from error
    if parts.scheme != "https":
        raise Unsafe("not https")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Unsafe("a login in the address")
    if not host or any(character in host for character in "%\\ "):
        raise Unsafe("no host")
    port = 443 if port is None else port
    if port not in ports:
        raise Unsafe(f"port {port} is not among those that are allowed")
    return host, port


async def destination(
    url: str, *, ports: Collection[int], resolve: Resolve, allowed: Collection[Network] = ()
) -> Destination:
    """Resolve a URL's host, once.

    Raises:
        Unsafe: See ``check_url``; or one of the host's addresses is not public.
        ChannelUnavailable: It has no address now.
    """
    host, port = check_url(url, ports=ports)
    try:
        async with asyncio.timeout(_RESOLVE_S):
            addresses = await resolve(host, port)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise ChannelUnavailable("the host's name can't be resolved", status="dns") from error
    if not addresses:
        raise ChannelUnavailable("the host's name has no address", status="dns")
    if not all(is_public(address, allowed=allowed) for address in addresses):
        raise Unsafe("an address that is not public")
    parts = urlsplit(url)
    shown = f"[{host}]" if ":" in host else host
    urls = tuple(
        urlunsplit(("https", f"{_in_url(address)}:{port}", parts.path or "/", parts.query, ""))
        for address in tuple(dict.fromkeys(addresses))[:_MOST_ADDRESSES]
    )
    return Destination(urls, shown if port == 443 else f"{shown}:{port}", host)  # noqa: PLR2004 -- https


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
