"""What the doctor says of the mail server, and of DKIM, SPF and DMARC against the DNS."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from doctor_settings import REAL, by_check, settings
from postcart.adapters.dns_txt import DnsSilent, Server, txt_records
from postcart.adapters.mail_sink import SinkOptions
from postcart.content.dkim import DkimKey
from postcart.settings import Settings
from postcart.wiring.doctor import Finding
from postcart.wiring.doctor.mail import mail_findings, public_record
from smtp_sink import Certificates, make_certificates, sink


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def mail(options: SinkOptions | None, **values: str) -> dict[str, Finding]:
    """What is found about a real server with these options; None: nobody listens."""

    async def work() -> dict[str, Finding]:
        async with sink(options) as server:
            port = server.port
            if options is not None:
                chosen = settings(POSTCART_SMTP__HOST="localhost", POSTCART_SMTP__PORT=str(port), **values)
                return await asyncio.to_thread(lambda: by_check(mail_findings(chosen, lookup=None)))
        chosen = settings(POSTCART_SMTP__HOST="localhost", POSTCART_SMTP__PORT=str(port), **values)
        return await asyncio.to_thread(lambda: by_check(mail_findings(chosen, lookup=None)))

    return asyncio.run(work())


def test_the_mail_server_is_logged_in_to(certificates: Certificates) -> None:
    """The right password, a wrong one, a server that is not there, one without TLS."""
    login = {"POSTCART_SMTP__USERNAME": "shop", "POSTCART_SMTP__CA_FILE": str(certificates.ca_file)}
    options = SinkOptions(tls=certificates.localhost, require_tls=True, credentials=("shop", "right"))
    found = mail(options, **login, POSTCART_SMTP__PASSWORD="right")["mail server"]  # noqa: S106 -- of the sink
    assert found.state == "ok", found
    wrong = mail(options, **login, POSTCART_SMTP__PASSWORD="wr0ng")["mail server"]  # noqa: S106 -- that is the point
    assert (wrong.state, wrong.unreachable) == ("fail", False)
    assert "POSTCART_SMTP__PASSWORD" in wrong.todo
    assert "wr0ng" not in wrong.detail
    nobody = mail(None, POSTCART_SMTP__TLS="none")["mail server"]
    assert (nobody.state, nobody.unreachable) == ("fail", True)
    plain = mail(SinkOptions())["mail server"]
    assert plain.state == "fail"
    assert "POSTCART_SMTP__TLS" in f"{plain.detail} {plain.todo}"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Key files: rsa, other, ed25519."""
    folder = tmp_path_factory.mktemp("keys")
    made: dict[str, Any] = {
        "rsa": generate_private_key(65537, 2048),
        "other": generate_private_key(65537, 2048),
        "ed25519": Ed25519PrivateKey.generate(),
    }
    for name, key in made.items():
        (folder / name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {name: folder / name for name in made}


def dkim_settings(keys: Mapping[str, Path], **more: str) -> Settings:
    values = {
        "POSTCART_DKIM__DOMAIN": "real.example",
        "POSTCART_DKIM__SELECTOR": "s1",
        "POSTCART_DKIM__PRIVATE_KEY_FILE": str(keys["rsa"]),
        "POSTCART_DKIM__ED25519_SELECTOR": "s2",
        "POSTCART_DKIM__ED25519_PRIVATE_KEY_FILE": str(keys["ed25519"]),
        "POSTCART_SMTP__TLS": "none",
        "POSTCART_SMTP__PORT": "1",
    }
    return settings(**{**values, **REAL, **more})


def checked(keys: Mapping[str, Path], records: Mapping[str, list[str]], **more: str) -> list[tuple[str, str]]:
    """Check and state, without the mail server."""
    found = mail_findings(dkim_settings(keys, **more), lookup=lambda name: list(records.get(name, ())))
    return [(one.check, one.state) for one in found if one.check != "mail server"]


def test_the_dns_must_hold_the_keys_that_sign(keys: Mapping[str, Path]) -> None:
    """Both of them; another key breaks every signature; SPF and DMARC, one record each."""
    rsa, other = (public_record(DkimKey.load("s", keys[name])) for name in ("rsa", "other"))
    records = {
        "s1._domainkey.real.example": [rsa],
        "s2._domainkey.real.example": [public_record(DkimKey.load("s", keys["ed25519"]))],
        "real.example": ["google-site-verification=x", "v=spf1 include:mail.example -all"],
        "_dmarc.real.example": ["v=DMARC1; p=none"],
    }
    good = [("DKIM", "ok"), ("DKIM in DNS", "ok"), ("DKIM in DNS", "ok"), ("SPF", "ok"), ("DMARC", "ok")]
    assert checked(keys, records) == good
    spaced = {**records, "s1._domainkey.real.example": [f"{rsa[:40]} {rsa[40:]}; t=s"]}
    assert checked(keys, spaced) == good
    for wrong in (other, "v=DKIM1; p=!!", "v=DKIM1; k=rsa; p=AAAA"):
        assert checked(keys, {**records, "s1._domainkey.real.example": [wrong]})[1] == ("DKIM in DNS", "fail"), wrong
    assert checked(keys, {})[1:] == [
        ("DKIM in DNS", "fail"),
        ("DKIM in DNS", "fail"),
        ("SPF", "warn"),
        ("DMARC", "warn"),
    ]
    twice = {**records, "real.example": ["v=spf1 -all", "v=spf1 ~all"]}
    assert ("SPF", "warn") in checked(keys, twice)
    assert checked(keys, records, POSTCART_SHOP__FROM_ADDRESS="hello@elsewhere.example")[0] == ("DKIM", "warn")
    assert checked(keys, records, POSTCART_DKIM__PRIVATE_KEY_FILE="/none")[0] == ("DKIM", "fail")


@contextmanager
def dns_server(answer: Callable[[bytes, str], bytes | None]) -> Iterator[Server]:
    """A DNS server on UDP and TCP of one port; ``answer`` gets the question and how it came."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(tcp.getsockname())

        def by_udp() -> None:
            while True:
                question, peer = udp.recvfrom(4096)
                if not question:
                    return
                if (said := answer(question, "udp")) is not None:
                    udp.sendto(said, peer)

        def by_tcp() -> None:
            while True:
                connection, _ = tcp.accept()
                with connection, connection.makefile("rb") as stream:
                    head = stream.read(2)
                    if not head:
                        return
                    said = answer(stream.read(struct.unpack("!H", head)[0]), "tcp") or b""
                    connection.sendall(struct.pack("!H", len(said)) + said)

        threads = [threading.Thread(target=serve, daemon=True) for serve in (by_udp, by_tcp)]
        for thread in threads:
            thread.start()
        try:
            yield tcp.getsockname()
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", udp.getsockname())
            socket.create_connection(tcp.getsockname()).close()
            for thread in threads:
                thread.join()


def zone(records: Mapping[str, list[str]]) -> Callable[[bytes, str], bytes]:
    """Answers as an independent implementation (dnspython) writes them; truncated by UDP where they are long."""

    def answer(question: bytes, way: str) -> bytes:
        query = dns.message.from_wire(question)
        said = dns.message.make_response(query)
        name = query.question[0].name.to_text(omit_final_dot=True)
        if name not in records:
            said.set_rcode(dns.rcode.NXDOMAIN)
        elif records[name]:
            said.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", "alias.example."))
            said.answer.append(dns.rrset.from_text_list("alias.example.", 60, "IN", "TXT", records[name]))
        wire = said.to_wire(max_size=65_535)
        if way == "udp" and len(wire) > 1_000:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            return short.to_wire()
        return wire

    return answer


def test_txt_records_are_read() -> None:
    """Joined from their strings, by TCP where they are long, none for a name that is not there; behind an alias."""
    long = " ".join(f'"{"x" * 250}"' for _ in range(6))
    records = {"a.example": ['"v=DKIM1; " "p=abc"', '"other"'], "long.example": [long], "empty.example": []}
    with dns_server(zone(records)) as server:
        assert sorted(txt_records("a.example", server=server)) == ["other", "v=DKIM1; p=abc"]
        assert txt_records("long.example.", server=server) == ["x" * 1_500]
        assert txt_records("none.example", server=server) == []
        assert txt_records("empty.example", server=server) == []


def test_a_dns_server_that_is_silent_or_refuses_is_told() -> None:
    """So is a name that can't be one."""
    for answer in (
        lambda _question, _way: None,
        lambda question, _way: question[:2] + b"\x81\x85" + question[4:],
    ):
        with dns_server(answer) as server, pytest.raises(DnsSilent):
            txt_records("a.example", server=server, lifetime_s=0.5)
    with pytest.raises(DnsSilent):
        txt_records("a..example", server=("127.0.0.1", 1), lifetime_s=0.5)
