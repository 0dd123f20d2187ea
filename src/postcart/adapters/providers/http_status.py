"""What an HTTP status means for a message where the provider says no more than that.

Owns: that map. Must not: know a provider.
"""

from typing import Final

from postcart.adapters.http import HttpAnswer
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)

TOO_MANY: Final = 429
UNAVAILABLE: Final = 503
_FAILED: Final = 500
_REDIRECTS: Final = range(300, 400)


def by_status(answer: HttpAnswer, text: str, *, status: str, now_ms: int) -> DeliveryError:
    """The error of an answer that is no 2xx. A server that failed may have done it before; one that is closed has not.

    Args:
        answer: What came.
        text: What happened, without addresses.
        status: The provider's code.
        now_ms: Real time, for ``Retry-After`` as a date.
    """
    asked_ms = answer.retry_after_ms(now_ms)
    if answer.status == TOO_MANY or (answer.status == UNAVAILABLE and asked_ms is not None):
        return ProviderBusy(text, status=status, retry_after_ms=asked_ms)
    if answer.status == UNAVAILABLE:
        return ChannelUnavailable(text, status=status)
    if answer.status >= _FAILED:
        return DeliveryUncertain(text, status=status)
    if answer.status in _REDIRECTS:
        return CredentialsRejected(f"{text}: redirects are not followed; check the address", status=status)
    return RecipientRejected(text, status=status)
