"""Firebase Cloud Messaging for trials and tests: Google's tokens and the messages of HTTP v1 are checked as they do.

Owns: checking what comes, and FCM's codes for refusing it. Must not: show anything to anybody.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from postcart.adapters.sandbox import Arrival, Tell, unheard
from postcart.codecs.jwt import verified

PROJECT: Final = "sandbox"
_EMAIL: Final = "postcart@sandbox.iam.gserviceaccount.com"
_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_HOUR_S: Final = 3_600
_MOST_BYTES: Final = 4_096
_TTL: Final = re.compile(r"\d{1,7}(\.\d{1,9})?s")
_TTL_MOST_S: Final = 28 * 86_400

Reply = Callable[[Mapping[str, Any]], tuple[int, str, Mapping[str, str]] | None]
"""From the message to a status, FCM's code and headers; None: as FCM would."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that came."""

    token: str
    message: Mapping[str, Any]


class FcmSandbox:
    """One project with one service account.

    Args:
        base_url: What it is reached by.
        now_ms: Real time.
        tell: Hears of each request.
    """

    def __init__(self, base_url: str, *, now_ms: Callable[[], int], tell: Tell = unheard) -> None:
        self.base_url = base_url
        self.reply: Reply = lambda _: None
        self.sent: list[Sent] = []
        self.faults: list[str] = []
        self.gone: set[str] = set()
        """Registration tokens of apps that are not there any more."""
        self.given: list[str] = []
        """Access tokens, in the order in which they were given."""
        self.lives_s = _HOUR_S
        self.refused: set[str] = set()
        """Access tokens that are taken back."""
        self._key = rsa.generate_private_key(65_537, 2_048)
        self._until_ms: dict[str, int] = {}
        self._now_ms = now_ms
        self._tell = tell
        self.app = Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route("/v1/projects/{project}/messages:send", self._send, methods=["POST"]),
            ]
        )

    def credentials(self) -> bytes:
        """A credentials file, as the console gives it out."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return msgspec.json.encode(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "sandbox-key",
                "private_key": pem,
                "client_email": _EMAIL,
                "token_uri": f"{self.base_url}/token",
            }
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        fault = self._assertion_fault(form)
        if fault is not None:
            self.faults.append(fault)
            self._tell(Arrival("fcm", accepted=False, faults=(fault,)))
            return JSONResponse({"error": "invalid_grant", "error_description": fault}, 400)
        token = f"ya29.sandbox-{len(self.given)}"
        self.given.append(token)
        self._until_ms[token] = self._now_ms() + 1_000 * self.lives_s
        return JSONResponse({"access_token": token, "expires_in": self.lives_s, "token_type": "Bearer"})

    def _assertion_fault(self, form: Mapping[str, str]) -> str | None:
        if form.get("grant_type") != _GRANT:
            return "another grant_type"
        try:
            head, claims = verified(form.get("assertion", ""), self._key.public_key())
        except ValueError as error:
            return str(error)
        wanted = {"iss": _EMAIL, "scope": _SCOPE, "aud": f"{self.base_url}/token"}
        wrong = [name for name, value in wanted.items() if claims.get(name) != value]
        now_s = self._now_ms() // 1_000
        if (
            not now_s - 60 <= claims.get("iat", 0) <= now_s + 60
            or not 0 < claims.get("exp", 0) - claims["iat"] <= _HOUR_S
        ):
            wrong.append("iat or exp")
        if head.get("kid") != "sandbox-key":
            wrong.append("kid")
        return f"wrong: {', '.join(wrong)}" if wrong else None

    async def _send(self, request: Request) -> Response:
        body = await request.body()
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._until_ms.get(bearer, 0) <= self._now_ms() or bearer in self.refused:
            return self._refuse(401, "UNAUTHENTICATED", "no access token that holds")
        if request.path_params["project"] != PROJECT:
            return self._refuse(403, "PERMISSION_DENIED", "another project")
        message = msgspec.json.decode(body).get("message", {})
        scripted = self.reply(message)
        if scripted is not None:
            status, code, headers = scripted
            return self._refuse(status, code, "scripted", headers=headers, fcm=code)
        fault, field = _fault(message, body)
        if fault:
            self.faults.append(fault)
            return self._refuse(400, "INVALID_ARGUMENT", fault, field=field, fcm="INVALID_ARGUMENT")
        token = message["token"]
        if token in self.gone:
            return self._refuse(404, "NOT_FOUND", "the app is gone", fcm="UNREGISTERED")
        self.sent.append(Sent(token, message))
        shown = {"token": token, **message["notification"], "link": message.get("data", {}).get("link", "")}
        self._tell(Arrival("fcm", accepted=True, shown=shown))
        return JSONResponse({"name": f"projects/{PROJECT}/messages/{len(self.sent)}"})

    def _refuse(
        self,
        status: int,
        code: str,
        said: str,
        *,
        headers: Mapping[str, str] | None = None,
        fcm: str | None = None,
        field: str | None = None,
    ) -> Response:
        self._tell(Arrival("fcm", accepted=False, faults=(said,), shown={"code": fcm or code}))
        details: list[dict[str, Any]] = []
        if fcm is not None:
            details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": fcm})
        if field is not None:
            violation = {"field": field, "description": said}
            details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
        error = {"code": status, "message": said, "status": code, "details": details}
        return JSONResponse({"error": error}, status, headers=dict(headers or {}))


def _fault(message: Mapping[str, Any], body: bytes) -> tuple[str | None, str | None]:
    """What is wrong with a message, and with which field of it."""
    token, android = message.get("token"), message.get("android", {})
    ttl = android.get("ttl", "0s")
    if not isinstance(token, str) or ":" not in token:
        return "the registration token is none", "message.token"
    if len(body) > _MOST_BYTES:
        return "larger than 4,096 bytes", "message"
    if not all(isinstance(value, str) for value in message.get("data", {}).values()):
        return "data holds texts only", "message.data"
    if not _TTL.fullmatch(ttl) or float(ttl[:-1]) > _TTL_MOST_S:
        return "ttl is no duration of at most four weeks", "message.android.ttl"
    if android.get("priority", "NORMAL") not in {"NORMAL", "HIGH"}:
        return "priority is none of two", "message.android.priority"
    return None, None
