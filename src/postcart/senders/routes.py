"""Which provider is asked about a job, and what its answers say about it.

Owns: telling the providers' book and the metrics. Must not: choose by itself (providers does), claim, or send.
"""

import structlog

from postcart.events.jobs import Claim
from postcart.senders.answers import Meaning
from postcart.senders.config import SenderConfig
from postcart.senders.elapsed import elapsed_s
from postcart.senders.item import Ended, Item, Settle
from postcart.senders.metrics import SendResult
from postcart.senders.state import SenderState

log = structlog.get_logger(__name__)

_BUSY_S = 0.1
"""When to look again for a provider that has room."""


class Routes:
    """Of one sender.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
    """

    def __init__(self, config: SenderConfig, state: SenderState) -> None:
        self._config = config
        self._state = state

    def choose(self, item: Item, now_s: float) -> bool:
        """Choose who is to be asked; else the job waits, or ends because nobody may be asked any more."""
        providers = self._state.providers
        if item.bound is not None and item.bound not in providers.names:
            said = f"{item.bound} may have it, and is not configured any more"
            self._state.end(Ended(item, Settle("uncertain", detail=said)))
            return False
        item.provider = providers.choose(item.job.job_id, now_s, bound=item.bound, avoid=item.avoid, able=item.able)
        if item.provider is None:
            self._config.metrics.waiting("provider_busy")
            self._state.scheduler.put_back(item, now_s + _BUSY_S)
            return False
        if providers.state(item.provider) == "probing":
            self._config.metrics.provider_state(item.provider, "probing")
        item.failing_since_ms = self._state.failing_since_ms() if self._config.retries.endpoint_s is not None else None
        return True

    def heed(self, meaning: Meaning, asked: str) -> None:
        """An answer came."""
        providers, channel = self._state.providers, self._config.adapter.channel
        before = providers.state(asked)
        if meaning.provider == "works":
            if providers.works(asked):
                log.info("channel_resumed", channel=channel, provider=asked)
        elif meaning.provider is None:
            providers.given_up(asked)
        elif meaning.provider == "held":
            providers.hold(asked, elapsed_s() + meaning.hold_s)
            log.warning("provider_busy", channel=channel, provider=asked, seconds=meaning.hold_s)
        elif providers.failed(asked, elapsed_s(), at_once=meaning.provider == "refused"):
            log.error("channel_paused", channel=channel, provider=asked, reason=meaning.said)
        if providers.state(asked) != before:
            self._config.metrics.provider_state(asked, providers.state(asked))

    def over(self, asked: str, *, answered: bool) -> None:
        """A job that it was given is not in flight any more; ``answered``: an answer was heeded before."""
        if not answered:
            self._state.providers.given_up(asked)
        self._state.providers.finished(asked)

    @staticmethod
    def again(item: Item, result: SendResult | None, released: Claim) -> None:
        """The job stands in line once more: for another provider, unless one may have it."""
        item.resent = released.resent
        item.failures += result in {"unavailable", "deferred"}
        if item.resent:
            item.bound = item.bound or released.provider
        elif result in {"unavailable", "credentials"} and released.provider is not None:
            item.avoid |= {released.provider}
        item.provider = None


def asked_for(item: Item) -> str:
    """Whom a claimed job was given to."""
    if item.provider is None:
        raise ValueError("claimed without a provider")
    return item.provider
