"""A provider of text messages with Twilio's API, for trials and tests.

Owns: checking requests as Twilio does, and its callbacks. Must not: deliver.
"""

import asyncio
import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard
from postcart.content.sms_segments import segments

ACCOUNT, SECRET = "ACsandbox", "sandbox"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_BODY_MOST = 1_600
_VALID_MOST_S = 36_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script has it say instead."""

    status: int
    code: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    """How long it takes to say so."""
    takes_it: bool = False
    """It has the message all the same, and counts it."""


Script = Callable[[Mapping[str, str]], Answer | None]


def polite(_: Mapping[str, str]) -> Answer | None:
    """Take everything."""
    return None


@dataclass(frozen=True, slots=True)
class Text:
    """A message that it took."""

    sid: str
    to: str
    body: str
    key: str
    form: Mapping[str, str]
    at_s: float


class SmsSandbox:
    """One account.

    Args:
        account: Its SID; ``secret``: its auth token.
        tell: Hears of each request.
        script: May have it answer otherwise.
    """

    def __init__(
        self,
        account: str = ACCOUNT,
        secret: str = SECRET,
        *,
        tell: Tell = unheard,
        script: Script = polite,
    ) -> None:  # fmt: skip
        self.account, self.secret, self.script = account, secret, script
        self.taken: list[Text] = []
        self.asked_s: list[float] = []
        """When each request came, on the event loop's clock."""
        self.faults: list[str] = []
        self._tell = tell
        self.app = Starlette(
            routes=[Route("/2010-04-01/Accounts/{account}/Messages.json", self._messages, methods=["POST"])]
        )

    async def _messages(self, request: Request) -> Response:
        now_s = asyncio.get_running_loop().time()
        self.asked_s.append(now_s)
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, strict_parsing=True))
        if not self._may(request):
            return self._refuse(401, 20003, "Authenticate", form)
        faults = tuple(_faults(form, request))
        self.faults += faults
        scripted = self.script(form)
        if scripted is not None:
            if scripted.takes_it:
                self._take(form, request, now_s)
            await asyncio.sleep(scripted.wait_s)
            if not scripted.takes_it or scripted.status >= 300:  # noqa: PLR2004 -- HTTP's
                return self._refuse(scripted.status, scripted.code, "scripted", form, headers=scripted.headers)
        if faults:
            return self._refuse(400, 21211 if "To" in faults[0] else 21602, "; ".join(faults), form, faults=faults)
        text = self._take(form, request, now_s)
        counted = segments(text.body)
        self._tell(
            Arrival("sms", accepted=True, shown={
                "to": text.to, "segments": f"{counted.messages} ({counted.units} {counted.coding})", "text": text.body,
            })
        )  # fmt: skip
        return JSONResponse(
            {"sid": text.sid, "status": "queued", "error_code": None, "num_segments": str(counted.messages)}, 201
        )

    def _may(self, request: Request) -> bool:
        kind, _, login = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(login, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return (
            kind.lower() == "basic"
            and given == f"{self.account}:{self.secret}"
            and request.path_params["account"] == self.account
        )

    def _take(self, form: Mapping[str, str], request: Request, now_s: float) -> Text:
        key = request.headers.get("idempotency-key", "")
        known = next((text for text in self.taken if key and text.key == key), None)
        if known is not None:
            return known
        sid = f"SM{sha256(f'{key}{len(self.taken)}'.encode()).hexdigest()[:32]}"
        text = Text(sid, form.get("To", ""), form.get("Body", ""), key, form, now_s)
        self.taken.append(text)
        return text

    def _refuse(
        self,
        status: int,
        code: int,
        message: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        faults: tuple[str, ...] = (),
    ) -> Response:
        self._tell(Arrival("sms", accepted=False, faults=faults or (message,), shown={"to": form.get("To", "")}))
        said: dict[str, Any] = {"status": status, "message": message}
        if code:
            said |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
        return JSONResponse(said, status, headers=dict(headers or {}))


def sign(secret: str, url: str, form: Mapping[str, str]) -> str:
    """``X-Twilio-Signature`` of a callback (https://www.twilio.com/docs/usage/webhooks/webhooks-security)."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), sha1).digest()).decode()


def _faults(form: Mapping[str, str], request: Request) -> list[str]:
    found = []
    if not _E164.fullmatch(form.get("To", "")):
        found.append("'To' is no number in E.164")
    if ("From" in form) == ("MessagingServiceSid" in form):
        found.append("one of From and MessagingServiceSid")
    body = form.get("Body", "")
    if not body or len(body) > _BODY_MOST:
        found.append("Body must have 1 to 1,600 characters")
    valid = form.get("ValidityPeriod", "1")
    if not (valid.isdigit() and 1 <= int(valid) <= _VALID_MOST_S):
        found.append("ValidityPeriod is 1 to 36,000 seconds")
    callback = form.get("StatusCallback")
    if callback is not None and urlsplit(callback).scheme not in {"http", "https"}:
        found.append("StatusCallback is no URL")
    if request.headers.get("content-type") != "application/x-www-form-urlencoded":
        found.append("not a form")
    return found
