"""One claimed job: prepare, look once more, open the socket, take the answer.

Owns: the last checks before a send. Must not: write to Kafka, or decide what follows from an answer.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from postcart.adapters.vault import KeyUnavailable
from postcart.errors import DeliveryError, DeliveryUncertain, RenderError
from postcart.senders.answers import Meaning, of_acceptance, of_error
from postcart.senders.config import SenderConfig
from postcart.senders.elapsed import elapsed_s
from postcart.senders.item import Ended, Item, Release, Settle

log = structlog.get_logger(__name__)

_KEY_AGAIN_S = 60.0  # a key that does not open the contact point; another may still be on its way
_RENDER_THREADS = 2  # rendering holds the interpreter's lock for most of its time: more would only queue


class Dispatcher:
    """Sends claimed jobs.

    Args:
        config: Of the sender.
    """

    def __init__(self, config: SenderConfig) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(_RENDER_THREADS, "render")

    async def send(self, item: Item, ours: Callable[[], bool]) -> tuple[Ended, Meaning]:
        """Send one job, once.

        Args:
            item: Claimed: the transaction with its claim has been committed.
            ours: Whether its partition is owned, now.

        Returns:
            How it ended. Nothing is raised but bugs and cancellation.
        """
        began = time.monotonic()
        meaning = await self._try(item, ours)
        if meaning.result == "accepted":
            self._config.fault("accepted")
        if meaning.result == "policy" and isinstance(meaning.ending, Settle):
            # It is about us (reputation, authentication, content): no suppression, but somebody must look.
            log.error("refused_by_policy", channel=self._config.adapter.channel, status=meaning.ending.status)
        return Ended(item, meaning.ending, meaning.result, time.monotonic() - began), meaning

    def stop(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _try(self, item: Item, ours: Callable[[], bool]) -> Meaning:
        config = self._config
        if item.person is None:
            raise ValueError("claimed without the person's record")
        error: DeliveryError | RenderError
        try:
            message = await asyncio.get_running_loop().run_in_executor(
                self._threads, config.adapter.prepare, item.message or item.job, item.person, item.wrapped_key
            )
            if not ours():
                return Meaning(Release(), "left", None)
            # A process that was stopped must not act on a claim that another owner may have declared unanswered.
            if elapsed_s() - item.claimed_s > config.limits.claim_age_max_s:
                return Meaning(Release(), "stale", None)
            async with asyncio.timeout(config.limits.send_timeout_s):
                return of_acceptance(await config.adapter.send(message, item.provider or config.adapter.provider))
        except KeyUnavailable as missing:
            return Meaning(Release(_KEY_AGAIN_S), "key", None, str(missing))
        except TimeoutError:
            error = DeliveryUncertain("no answer in time")
        except (DeliveryError, RenderError) as raised:
            error = raised
        now_ms = config.clock.now_ms()
        return of_error(
            error,
            item.job,
            now_ms=item.job.due_ms if now_ms is None else now_ms,
            resent=item.resent,
            failures=item.failures,
            deferred_s=self._seconds_since(item.since_ms),
            failing_s=self._seconds_since(item.failing_since_ms),
            retries=config.retries,
        )

    def _seconds_since(self, since_ms: int | None) -> float:
        return 0.0 if since_ms is None else (self._config.clock.real_ms() - since_ms) / 1000
