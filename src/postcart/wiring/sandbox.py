"""All providers for trials, on ports of this machine, and the settings that lead to them.

Owns: which servers there are and what they are told. Must not: print, or be used where anything is to arrive anywhere.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import to_builtins

from postcart.adapters.clock import WallClock
from postcart.adapters.mail_sink import SinkOptions, Stage, running_sink
from postcart.adapters.sandbox import Arrival, Tell, carrier, slack
from postcart.adapters.sandbox.apns import ApnsSandbox
from postcart.adapters.sandbox.carrier import CarrierSandbox
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.fcm import FcmSandbox
from postcart.adapters.sandbox.http2 import Http2Server
from postcart.adapters.sandbox.slack import SlackSandbox
from postcart.adapters.sandbox.sms import ACCOUNT, SECRET, SmsSandbox
from postcart.adapters.sandbox.web_push import WebPushSandbox
from postcart.adapters.sandbox.webhook import WebhookSandbox
from postcart.adapters.web_server import Tls, WebServer

_ORDER: Final = ("smtp", "sms", "webhook", "web push", "fcm", "apns", "slack", "carrier")
_WEBHOOK_KEY: Final = bytes(range(32))
_WEBHOOK_SECRET: Final = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 -- of bytes 0 to 31, for trials
_TEAM, _KEY_ID, _TOPIC = "SANDBOXTEA", "SANDBOXKEY", "com.example.shop"
_DEVICE: Final = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"


@dataclass(frozen=True, kw_only=True)
class RunningSandbox:
    """What is there.

    Attributes:
        settings: Environment variables that lead to it.
        push: Subscriptions that it reaches, as a profile has them.
        folder: Where mails, certificate and keys are.
    """

    settings: Mapping[str, str]
    push: list[dict[str, Any]]
    folder: Path


@contextmanager
def running_sandbox(folder: Path, *, port: int = 0, tell: Tell) -> Iterator[RunningSandbox]:
    """Run all of them while the ``with`` block lasts.

    Args:
        folder: For mails, certificate and keys; keys and certificate are made anew.
        port: The first of eight; 0: any that are free.
        tell: Hears of all that arrives, on several threads.

    Raises:
        ConfigurationError: A port can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now_ms = WallClock().real_ms
    tls = certificate(folder, now_ms=now_ms())
    ports = {name: port + number if port else 0 for number, name in enumerate(_ORDER)}
    with ExitStack() as stack:
        serve = _Servers(stack, tls, ports)
        push, subscriptions = _push(serve, folder, tls, tell)
        yield RunningSandbox(
            settings={
                "POSTCART_CHANNELS": "email,sms,push,webhook",
                **_mail(stack, folder, ports["smtp"], tell),
                **_sms(serve, tell),
                **_webhook(serve, tls, tell),
                **push,
                "POSTCART_ALERTS__SLACK_URL": f"{serve.web('slack', SlackSandbox(tell=tell).app)}{slack.PATH}",
                **_polling(serve, tell),
            },
            push=subscriptions,
            folder=folder,
        )


class _Servers:
    """Starts servers that end with the stack."""

    def __init__(self, stack: ExitStack, tls: Tls, ports: Mapping[str, int]) -> None:
        self._stack = stack
        self._tls = tls
        self._ports = ports

    def web(self, name: str, app: Any, *, tls: bool = False) -> str:
        """One that speaks HTTP/1.1; its address, by the name that the certificate has."""
        server = WebServer(app, port=self._ports[name], tls=self._tls if tls else None, drain_s=1)
        self._stack.enter_context(server.running())
        return f"{'https' if tls else 'http'}://localhost:{server.port}"

    def http2(self, name: str, sandbox: ApnsSandbox) -> str:
        """One that speaks HTTP/2."""
        server = Http2Server(sandbox.handle, tls=self._tls, port=self._ports[name])
        self._stack.enter_context(server.running())
        return f"https://localhost:{server.port}"


def _mail(stack: ExitStack, folder: Path, port: int, tell: Tell) -> dict[str, str]:
    def hear(stage: Stage, said: str) -> None:
        if stage == "accept":
            tell(Arrival("smtp", accepted=True, shown={"message-id": said}))

    options = SinkOptions(folder=folder / "mails", port=port, script=hear)
    sink = stack.enter_context(running_sink(options, WallClock().real_ms))
    return {"POSTCART_SMTP__HOST": "127.0.0.1", "POSTCART_SMTP__PORT": str(sink.port), "POSTCART_SMTP__TLS": "none"}


def _sms(serve: _Servers, tell: Tell) -> dict[str, str]:
    return {
        "POSTCART_SMS__BASE_URL": serve.web("sms", SmsSandbox(tell=tell).app),
        "POSTCART_SMS__ACCOUNT": ACCOUNT,
        "POSTCART_SMS__SECRET": SECRET,
        "POSTCART_SMS__SENDER": "+4930123456",
    }


def _webhook(serve: _Servers, tls: Tls, tell: Tell) -> dict[str, str]:
    sandbox = WebhookSandbox(_WEBHOOK_KEY, now_ms=WallClock().real_ms, tell=tell)
    url = serve.web("webhook", sandbox.app, tls=True)
    return {
        "POSTCART_WEBHOOK__URL": f"{url}/hook",
        "POSTCART_WEBHOOK__SECRET": _WEBHOOK_SECRET,
        "POSTCART_WEBHOOK__PORTS": f"[{url.rpartition(':')[2]}]",
        "POSTCART_WEBHOOK__ALLOWED_NETWORKS": '["127.0.0.0/8", "::1/128"]',
        "POSTCART_WEBHOOK__CA_FILE": str(tls.certificate),
    }


def _push(serve: _Servers, folder: Path, tls: Tls, tell: Tell) -> tuple[dict[str, str], list[dict[str, Any]]]:
    now_ms = WallClock().real_ms
    web = WebPushSandbox("", now_ms=now_ms, random=os.urandom, tell=tell)
    web.base_url = serve.web("web push", web.app, tls=True)
    fcm = FcmSandbox("", now_ms=now_ms, tell=tell)
    fcm.base_url = serve.web("fcm", fcm.app)
    key = ec.generate_private_key(ec.SECP256R1())
    apns = ApnsSandbox(team_id=_TEAM, key_id=_KEY_ID, key=key.public_key(), topics=(_TOPIC,), now_ms=now_ms, tell=tell)
    settings = {
        "POSTCART_WEB_PUSH__KEY_FILE": _written(folder / "vapid.pem", _pem(ec.generate_private_key(ec.SECP256R1()))),
        "POSTCART_WEB_PUSH__HOSTS": '["localhost"]',
        "POSTCART_WEB_PUSH__CA_FILE": str(tls.certificate),
        "POSTCART_FCM__CREDENTIALS_FILE": _written(folder / "fcm.json", fcm.credentials()),
        "POSTCART_FCM__BASE_URL": fcm.base_url,
        "POSTCART_APNS__KEY_FILE": _written(folder / "apns.p8", _pem(key)),
        "POSTCART_APNS__KEY_ID": _KEY_ID,
        "POSTCART_APNS__TEAM_ID": _TEAM,
        "POSTCART_APNS__TOPIC": _TOPIC,
        "POSTCART_APNS__BASE_URL": serve.http2("apns", apns),
        "POSTCART_APNS__CA_FILE": str(tls.certificate),
    }
    subscriptions: list[dict[str, Any]] = [
        to_builtins(web.subscribe("laptop")),
        {"kind": "fcm", "token": "sandbox:phone"},
        {"kind": "apns", "token": _DEVICE},
    ]
    return settings, subscriptions


def _polling(serve: _Servers, tell: Tell) -> dict[str, str]:
    sandbox = CarrierSandbox(now_ms=WallClock().real_ms, tell=tell)
    return {
        "POSTCART_POLLING__CARRIERS": "*",
        "POSTCART_POLLING__URL": f"{serve.web('carrier', sandbox.app)}{carrier.PATH}",
        "POSTCART_POLLING__ANSWER": "shippo",
        "POSTCART_POLLING__SECRET": carrier.SECRET,
        "POSTCART_POLLING__INTERVAL_S": "10",
        "POSTCART_POLLING__LONGEST_S": "60",
    }


def _written(file: Path, content: bytes) -> str:
    """A file that only its owner reads."""
    file.touch(mode=0o600)
    file.write_bytes(content)
    return str(file)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
