"""Where addresses of somebody else's choice may lead."""

import asyncio
import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.destination import Unsafe, check_url, destination, is_public
from postcart.errors import ChannelUnavailable

PORTS = frozenset({443, 8443})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
        "255.255.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fd00::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1", "5f00::1",
        "2002:7f00:1::",
        "2002:808:808::", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::7f00:1",
        "2001::1", "2130706433", "0x7f.1", "localhost", "",
    ],
)  # fmt: skip
def test_not_the_internet(address: str) -> None:
    """Private, local, reserved, translated, multicast; wrapped in another address, or no address at all."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_the_internet(address: str) -> None:
    """Also mapped."""
    assert is_public(address)


@given(st.ip_addresses())
def test_an_address_that_is_not_global_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Whatever the list says, the library's word holds too, for what is wrapped as well."""
    mapped = f"::ffff:{address}" if address.version == 4 else str(address)
    inner = address if address.version == 4 else (address.ipv4_mapped or address)
    assert is_public(mapped) <= (inner.is_global and not inner.is_multicast)
    assert is_public(
        str(address), allowed=[ipaddress.ip_network(f"{inner}/32" if inner.version == 4 else f"{inner}/128")]
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/", "ftp://shop.example/", "https://user:pw@shop.example/", "https://@shop.example/",
        "https://shop.example:22/", "https://shop.example:99999/", "https:///path", "https://", "shop.example",
        "https://shop.example%00.evil/", "https://a\\b/", "https://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_urls_that_are_not_gone_to(url: str) -> None:
    """Before anything is asked of the DNS."""
    with pytest.raises(Unsafe):
        check_url(url, ports=PORTS)


class Resolver:
    """Says what it was told to, in turn, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Answer."""
        self.asked.append((host, port))
        return self._answers.pop(0)


def test_the_address_goes_into_the_url_the_name_into_host_and_tls() -> None:
    """IPv6 in brackets; path and query stay, a fragment goes."""
    resolver = Resolver(["8.8.8.8", "2606:4700::1"])
    found = asyncio.run(destination("https://Shop.example:8443/in?x=1#y", ports=PORTS, resolve=resolver))
    assert found.urls == ("https://8.8.8.8:8443/in?x=1", "https://[2606:4700::1]:8443/in?x=1")
    assert (found.host, found.server_name) == ("shop.example:8443", "shop.example")
    assert resolver.asked == [("shop.example", 8443)]


def test_one_private_address_spoils_the_name() -> None:
    """An attacker must not have us choose."""
    with pytest.raises(Unsafe, match="not public"):
        asyncio.run(destination("https://a.example/", ports=PORTS, resolve=Resolver(["8.8.8.8", "10.0.0.1"])))


def test_a_name_without_an_address_is_trouble_that_may_pass() -> None:
    """The DNS may be down."""

    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such host")

    for resolve in (fails, Resolver([])):
        with pytest.raises(ChannelUnavailable):
            asyncio.run(destination("https://a.example/", ports=PORTS, resolve=resolve))
