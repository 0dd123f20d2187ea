"""Who may see whose in-app feed, and how often.

Owns: tokens of requests, and each person's rate. Must not: read a clock, or know a feed.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from postcart.codecs.feed_token import FAULTS, read
from postcart.domain.rate import TokenBucket
from postcart.gateway.problems import problem

_BEARER: Final = "bearer "
_PERSONS_MOST: Final = 50_000
"""Whose rate is remembered; the one that asked longest ago is forgotten first."""


class Visitor(NamedTuple):
    """Who asks."""

    person_id: str
    expires_ms: int


class FeedAccess:
    """Lets persons to their own feeds.

    Args:
        secrets: Any of them signs.
        person_of: From a customer's id to the person's.
        rate_per_s: Most requests of one person, over the long run; ``burst`` at once.
        now_ms: Real time; ``now_s``: any clock that only goes forward.
    """

    def __init__(
        self,
        secrets: Sequence[bytes],
        person_of: Callable[[str], str],
        *,
        rate_per_s: float,
        burst: float,
        now_ms: Callable[[], int],
        now_s: Callable[[], float],
    ) -> None:
        self._secrets = tuple(secrets)
        self._person_of = person_of
        self._rate_per_s, self._burst = rate_per_s, burst
        self._now_ms, self._now_s = now_ms, now_s
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def visitor(self, request: Request, *, query: bool = False) -> Visitor | Response:
        """Who asks, or the answer that says why not.

        Args:
            request: With ``Authorization: Bearer TOKEN``.
            query: Whether ``?token=`` will do as well: an EventSource can't set a header.
        """
        header = request.headers.get("authorization", "")
        token = header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else ""
        if not token and query:
            token = request.query_params.get("token", "")
        if not token:
            return _refused("token_missing", "send Authorization: Bearer TOKEN, a token that the shop's server signed")
        found = read(token, self._secrets, now_ms=self._now_ms())
        if isinstance(found, str):
            return _refused(f"token_{found}", FAULTS[found], error="invalid_token")
        person_id = found.person_id or self._person_of(found.customer_id or "")
        return self._busy(person_id) or Visitor(person_id, found.expires_ms)

    def _busy(self, person_id: str) -> Response | None:
        bucket = self._buckets.pop(person_id, None)
        if bucket is None:
            bucket = TokenBucket(self._rate_per_s, burst=self._burst)
        self._buckets[person_id] = bucket
        if len(self._buckets) > _PERSONS_MOST:
            self._buckets.popitem(last=False)
        if bucket.take(self._now_s()):
            return None
        wait_s = str(max(1, round(1 / self._rate_per_s)))
        return problem(429, "too_many_requests", "come again after Retry-After", headers={"retry-after": wait_s})


def _refused(code: str, detail: str, *, error: str | None = None) -> Response:
    """RFC 6750, 3: an error is only named where a token was sent."""
    told = "" if error is None else f', error="{error}", error_description="{detail}"'
    return problem(401, code, detail, headers={"www-authenticate": f'Bearer realm="feed"{told}'})
