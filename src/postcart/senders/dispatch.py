"""One claimed job: prepare, look once more, open the socket, take the answer.

Owns: the last checks before a send. Must not: write to Kafka, or decide what follows from an answer.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import structlog

from postcart.adapters.vault import KeyUnavailable
from postcart.errors import DeliveryError, DeliveryUncertain, RenderError
from postcart.senders.answers import Meaning, of_acceptance, of_error
from postcart.senders.config import SenderConfig
from postcart.senders.elapsed import elapsed_s
from postcart.senders.item import Ended, Item, Release, Settle

Hindrance = Literal["left", "paused"]
"""Why a claimed job is not sent: its partition is given up, or its provider does not work."""

log = structlog.get_logger(__name__)

_KEY_AGAIN_S = 60.0  # a key that does not open the contact point; another may still be on its way
_MACHINE_AGAIN_S = 5.0
_RENDER_THREADS = 2  # rendering holds the interpreter's lock for most of its time: more would only queue


class Dispatcher:
    """Sends claimed jobs.

    Args:
        config: Of the sender.
    """

    def __init__(self, config: SenderConfig) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(_RENDER_THREADS, "render")
        self._places = {plan.name: asyncio.Semaphore(plan.connections or plan.in_flight) for plan in config.plans}
        """Of each provider's connections."""

    async def send(self, item: Item, hindrance: Callable[[], Hindrance | None]) -> tuple[Ended, Meaning]:
        """Send one job, once.

        Args:
            item: Claimed: the transaction with its claim has been committed.
            hindrance: What speaks against it, now; asked when its turn has come.

        Returns:
            How it ended. Nothing is raised but bugs and cancellation.
        """
        began = time.monotonic()
        meaning = await self._try(item, hindrance)
        if meaning.result == "accepted":
            self._config.fault("accepted")
        if meaning.result == "policy" and isinstance(meaning.ending, Settle):
            # It is about us (reputation, authentication, content): no suppression, but somebody must look.
            log.error("refused_by_policy", channel=self._config.adapter.channel, status=meaning.ending.status)
        return Ended(item, meaning.ending, meaning.result, time.monotonic() - began), meaning

    def stop(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _try(self, item: Item, hindrance: Callable[[], Hindrance | None]) -> Meaning:
        config = self._config
        if item.person is None:
            raise ValueError("claimed without the person's record")
        try:
            message = await asyncio.get_running_loop().run_in_executor(
                self._threads, config.adapter.prepare, item.message or item.job, item.person, item.wrapped_key
            )
        except KeyUnavailable as missing:
            return Meaning(Release(_KEY_AGAIN_S), "key", None, str(missing))
        except (DeliveryError, RenderError) as error:
            return self._meaning_of(error, item)
        except OSError as trouble:  # no file descriptor is left, for example; it says nothing of the job
            log.warning("job_not_prepared", channel=config.adapter.channel, error=trouble.strerror or str(trouble))
            return Meaning(Release(_MACHINE_AGAIN_S), "machine", None)
        try:
            return await self._hand_over(item, message, hindrance)
        except TimeoutError:
            return self._meaning_of(DeliveryUncertain("no answer in time"), item)
        except (DeliveryError, RenderError) as error:
            return self._meaning_of(error, item)

    def _meaning_of(self, error: DeliveryError | RenderError, item: Item) -> Meaning:
        now_ms = self._config.clock.now_ms()
        return of_error(
            error,
            item.job,
            now_ms=item.job.due_ms if now_ms is None else now_ms,
            resent=item.resent,
            failures=item.failures,
            deferred_s=self._seconds_since(item.since_ms),
            failing_s=self._seconds_since(item.failing_since_ms),
            retries=self._config.retries,
        )

    async def _hand_over(self, item: Item, message: Any, hindrance: Callable[[], Hindrance | None]) -> Meaning:
        """Send once a connection is free, if it may still be sent then."""
        limits, provider = self._config.limits, item.provider or self._config.adapter.provider
        place = self._places[provider]
        old_s = item.claimed_s + limits.claim_age_max_s
        try:
            async with asyncio.timeout(old_s - elapsed_s()):
                await place.acquire()
        except TimeoutError:
            return Meaning(Release(), "stale", None)
        try:
            if (hindered := hindrance()) is not None:
                return Meaning(Release(), hindered, None)
            # A process that was stopped must not act on a claim that another owner may have declared unanswered.
            if elapsed_s() > old_s:
                return Meaning(Release(), "stale", None)
            async with asyncio.timeout(limits.send_timeout_s):
                return of_acceptance(await self._config.adapter.send(message, provider))
        finally:
            place.release()

    def _seconds_since(self, since_ms: int | None) -> float:
        return 0.0 if since_ms is None else (self._config.clock.real_ms() - since_ms) / 1000
