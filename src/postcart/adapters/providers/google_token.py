"""Access tokens of a Google service account (RFC 7523, https://developers.google.com/identity/protocols/oauth2/service-account).

Owns: asking for one, and keeping it until shortly before its end. Must not: know what it is used for.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from postcart.adapters.http import HttpClient
from postcart.codecs.jwt import rs256, rsa_key
from postcart.errors import ChannelUnavailable, ConfigurationError, CredentialsRejected, DeliveryUncertain

_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S: Final = 3_600
_BEFORE_END_S: Final = 300
_OK: Final = 200
_OUT_OF_ORDER: Final = 500


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """What its credentials file says."""

    project: str
    email: str
    key: rsa.RSAPrivateKey = field(repr=False)
    key_id: str
    token_url: str


def service_account(text: bytes, what: str) -> ServiceAccount:
    """The account of a credentials file, as Google's console gives it out.

    Raises:
        ConfigurationError: It is none; ``what`` names it.
    """
    try:
        said: Any = msgspec.json.decode(text)
        return ServiceAccount(
            project=str(said["project_id"]),
            email=str(said["client_email"]),
            key=rsa_key(str(said["private_key"]).encode(), what),
            key_id=str(said["private_key_id"]),
            token_url=str(said["token_uri"]),
        )
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{what}: no credentials file of a Google service account") from error


class GoogleToken:
    """The token of an account for one scope.

    Args:
        account: Whose.
        scope: For what.
        http: The client; not closed here.
        now_ms: Real time.
    """

    def __init__(self, account: ServiceAccount, scope: str, http: HttpClient, *, now_ms: Callable[[], int]) -> None:
        self._account = account
        self._scope = scope
        self._http = http
        self._now_ms = now_ms
        self._token, self._until_s = "", 0
        self._asking = asyncio.Lock()

    async def get(self, *, instead_of: str | None = None) -> str:
        """A token that holds; however many ask at once, one request is made.

        Args:
            instead_of: One that was refused: it is not given out again.

        Raises:
            CredentialsRejected: The account is refused.
            ChannelUnavailable: There is none to be had now.
        """
        async with self._asking:
            if not self._token or self._token == instead_of or self._now_ms() // 1_000 >= self._until_s:
                await self._ask()
            return self._token

    async def _ask(self) -> None:
        account, now_s = self._account, self._now_ms() // 1_000
        claims = {
            "iss": account.email,
            "scope": self._scope,
            "aud": account.token_url,
            "iat": now_s,
            "exp": now_s + _ASSERTION_S,
        }
        assertion = rs256(claims, account.key, kid=account.key_id)
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        try:
            answer = await self._http.post(account.token_url, form, headers)
        except DeliveryUncertain as error:
            raise ChannelUnavailable(f"no access token: {error}", status=error.status) from error
        said = answer.json()
        said = said if isinstance(said, dict) else {}
        if answer.status == _OK and isinstance(said.get("access_token"), str):
            self._token = said["access_token"]
            self._until_s = now_s + max(0, int(said.get("expires_in") or 0) - _BEFORE_END_S)
            return
        text, status = f"no access token: HTTP {answer.status} {said.get('error') or ''}".rstrip(), str(answer.status)
        if answer.status >= _OUT_OF_ORDER:
            raise ChannelUnavailable(text, status=status)
        raise CredentialsRejected(f"{text}; check POSTCART_FCM__CREDENTIALS_FILE", status=status)
