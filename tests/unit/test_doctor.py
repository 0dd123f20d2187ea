"""The doctor without Kafka: settings, secrets, mail server, DKIM against the DNS, limits."""

import asyncio
import json
import resource
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

from postcart.adapters.broker_facts import Appended
from postcart.adapters.dns_txt import DnsSilent, Server, txt_records
from postcart.adapters.mail_sink import SinkOptions
from postcart.adapters.sandbox.carrier import PATH, SECRET, CarrierSandbox
from postcart.adapters.web_server import WebServer
from postcart.content.dkim import DkimKey
from postcart.settings import Settings, load_settings
from postcart.wiring import doctor
from postcart.wiring.doctor import Finding, examine
from postcart.wiring.doctor.mail import mail_findings, public_record
from postcart.wiring.doctor.own import files, own_findings, trial_secrets
from postcart.wiring.doctor.polling import NUMBER, polling_findings
from smtp_sink import Certificates, make_certificates, sink

ROOT = Path(__file__).parents[2]
REAL = {
    "POSTCART_IDENTITY_KEY": "an-identity-key-of-our-own",
    "POSTCART_MASTER_KEY": "YS10cmlhbC1vbi1vbmUtbWFjaGluZS0zMi1ieXRlcy4=",
    "POSTCART_UNSUBSCRIBE__TOKEN_SECRET": "a-secret-of-our-own-to-sign-with",
    "POSTCART_UNSUBSCRIBE__BASE_URL": "https://real.example/u",
    "POSTCART_SHOP__FROM_ADDRESS": "hello@real.example",
    "POSTCART_SHOP__POSTAL_ADDRESS": "5 Real Street|Real Town",
}


def settings(**values: str) -> Settings:
    folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("campaigns", "templates", "locales")}
    return load_settings({**folders, **values})


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in findings}


def test_settings_that_are_wrong_are_all_told_and_nothing_else_is_looked_at() -> None:
    """There is nothing to look at it with."""
    found = list(examine({"POSTCART_PARTITIONS": "none", "POSTCART_METRICS_PROT": "1"}, real_ms=lambda: 0))
    assert {one.check for one in found} == {"settings"}
    assert {one.state for one in found} == {"fail"}
    text = " ".join(one.detail for one in found)
    assert "POSTCART_PARTITIONS" in text
    assert "POSTCART_METRICS_PROT" in text


def test_secrets_of_a_trial_are_a_warning_here_and_a_failure_elsewhere() -> None:
    """Also where somebody has set them to the very defaults."""
    assert trial_secrets(settings()).state == "warn"
    elsewhere = {"POSTCART_SMTP__HOST": "mail.real.example"}
    found = trial_secrets(settings(**elsewhere))
    assert found.state == "fail"
    assert "POSTCART_MASTER_KEY" in found.detail
    assert trial_secrets(settings(**elsewhere, **REAL)).state == "ok"
    default = load_settings({}).identity_key.get_secret_value()
    typed = trial_secrets(settings(**elsewhere, **{**REAL, "POSTCART_IDENTITY_KEY": default}))
    assert typed.state == "fail"
    assert "POSTCART_IDENTITY_KEY" in typed.detail
    assert default not in typed.detail


def test_campaigns_and_templates_are_looked_at(tmp_path: Path) -> None:
    """As `config check` does."""
    (tmp_path / "wrong.yaml").write_text("name: [")
    (tmp_path / "cart-reminder").mkdir()
    (tmp_path / "cart-reminder/subject.txt.j2").write_text("{{ nobody")
    values = {"POSTCART_CAMPAIGNS_DIR": str(tmp_path), "POSTCART_TEMPLATES_DIR": str(tmp_path)}
    found = by_check(own_findings(load_settings({**values, "POSTCART_LOCALES_DIR": str(ROOT / "locales")})))
    assert (found["campaign"].state, found["templates"].state) == ("fail", "fail")
    assert "wrong.yaml" in found["campaign"].detail


@pytest.mark.parametrize(("limit", "state"), [(64, "fail"), (1_024, "warn"), (1 << 14, "ok")])
def test_few_open_files_are_too_few(limit: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual default of 1,024 is enough for a start, no more."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (limit, limit))
    assert files().state == state


def test_a_clock_is_ahead_only_by_what_is_certain() -> None:
    """Between sending and hearing the broker's time may be anything."""
    assert Appended(100, 150, 200).ahead_ms == 0
    assert Appended(5_000, 1_000, 5_010).ahead_ms == 4_000
    assert Appended(1_000, 9_000, 1_500).ahead_ms == -7_500


def test_the_read_model_is_asked_where_there_is_one(tmp_path: Path) -> None:
    """One that is not there yet is unreachable; without a setting nothing is said."""
    assert list(doctor._read_model(settings())) == []
    (found,) = doctor._read_model(settings(POSTCART_READ_MODEL_URL=f"sqlite:///{tmp_path}/none.db"))
    assert (found.state, found.unreachable) == ("fail", True)
    assert "worker project" in found.todo


def test_the_registry_is_asked_where_there_is_one() -> None:
    """One that does not answer; without a setting nothing is said."""
    assert list(doctor._registry(settings())) == []
    (found,) = doctor._registry(settings(POSTCART_SCHEMA_REGISTRY_URL="http://127.0.0.1:1"))
    assert (found.state, found.unreachable) == ("fail", True)


def polled(url: str, **more: str) -> list[Finding]:
    """What is found about a carrier there."""
    env = {"CARRIERS": "dhl-express=dhl_express", "URL": f"{url}{PATH}", "ANSWER": "shippo", "SECRET": SECRET} | more
    return list(polling_findings(settings(**{f"POSTCART_POLLING__{name}": value for name, value in env.items()})))


@pytest.fixture(scope="module")
def carrier() -> Iterator[tuple[CarrierSandbox, str]]:
    """Of Shippo's API, and where it is."""
    sandbox = CarrierSandbox(now_ms=lambda: 0)
    with WebServer(sandbox.app).running() as web:
        yield sandbox, web.url


def test_carriers_are_asked_only_where_there_are_any(carrier: tuple[CarrierSandbox, str]) -> None:
    """One question, about no parcel, as the worker would put it; without settings nothing is said."""
    sandbox, url = carrier
    assert list(polling_findings(settings())) == []
    before = sandbox.asked.copy()
    source, schedule = polled(url)
    assert sandbox.asked - before == {("dhl_express", NUMBER): 1}
    assert (source.check, source.state) == ("polling", "ok")
    assert "lets us in" in source.detail
    assert (schedule.check, schedule.state) == ("poll schedule", "ok")
    assert "0:30:00 to 4:00:00" in schedule.detail
    assert "9,000 parcels" in schedule.detail


@pytest.mark.parametrize(
    ("status", "state", "todo"),
    [
        (404, "ok", ""),
        (400, "ok", ""),
        (401, "fail", "POSTCART_POLLING__SECRET"),
        (403, "fail", "POSTCART_POLLING__SECRET"),
        (302, "fail", "__URL"),
        (429, "warn", "RATE_PER_S"),
        (503, "fail", "reaches it"),
        (500, "fail", "reaches it"),
    ],
)
def test_what_a_carrier_says_to_the_doctor(
    carrier: tuple[CarrierSandbox, str], status: int, state: str, todo: str
) -> None:
    """A number of no parcel may be unknown or refused; all else has something to be done. No text of theirs is told."""
    sandbox, url = carrier
    sandbox.reply = lambda _carrier, _number: (status, "somebody@example.com", {})
    try:
        found, _schedule = polled(url)
    finally:
        sandbox.reply = lambda _carrier, _number: None
    assert (found.state, found.unreachable) == (state, status >= 500), found
    assert todo in found.todo
    assert "somebody" not in found.detail


def test_logins_and_addresses_that_are_wrong(carrier: tuple[CarrierSandbox, str], tmp_path: Path) -> None:
    """Another secret, an API of another form, nobody there, files that are not; secrets are not shown."""
    _sandbox, url = carrier
    assert [(one.state, one.unreachable) for one in polled(url, SECRET="Bearer hush")] == [  # noqa: S106 -- opens nothing
        ("fail", False),
        ("ok", False),
    ]
    assert "hush" not in str(polled(url, SECRET="Bearer hush"))  # noqa: S106 -- opens nothing
    assert polled("http://127.0.0.1:1")[0].unreachable
    (missing,) = polled(url, ANSWER="nobody")
    assert (missing.state, "nobody.yaml" in missing.detail) == ("fail", True)
    assert "authorities" in polled(url, CA_FILE=f"{tmp_path}/none.pem")[0].detail
    others = json.dumps(
        [{"name": "other", "carriers": "*", "url": f"{url}{PATH}", "answer": "shippo", "secret": SECRET}]
    )
    assert [one.check for one in polled(url, MORE=others)] == ["polling", "polling", "poll schedule"]


def test_answers_that_can_not_be_read() -> None:
    """A time that is none, here: the file is another API's, or the API has changed."""
    in_2300_ms = 10_413_792_000_000
    with WebServer(CarrierSandbox(now_ms=lambda: in_2300_ms).app).running() as web:
        found = polled(web.url)[0]
    assert (found.state, found.unreachable) == ("fail", False)
    assert "shippo.yaml" in found.detail
    assert "POSTCART_POLLING__ANSWER" in found.todo


def test_schedules_that_are_not_sane(carrier: tuple[CarrierSandbox, str]) -> None:
    """Too often, unless it is a trial on this machine; too seldom to know that a parcel moves."""
    _sandbox, url = carrier
    assert polled(url, INTERVAL_S="10", LONGEST_S="60")[-1].state == "ok"
    far = polled("https://127.1.2.3:1", INTERVAL_S="10", LONGEST_S="60", TIMEOUT_S="1")[-1]
    assert (far.state, "every 0:00:10" in far.detail, "INTERVAL_S" in far.todo) == ("warn", True, True)
    seldom = polled(url, LONGEST_S="604800")[-1]
    assert (seldom.state, "7 days" in seldom.detail) == ("warn", True)


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
