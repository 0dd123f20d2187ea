"""What others want done with the consumer, on the thread that owns it.

Owns: the requests that wait, and their answers. Must not: know what a request does.
"""

import concurrent.futures
import contextlib
import queue
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer

from postcart.errors import Fenced

Request = Callable[[Consumer], Any]


class Errands:
    """Requests come from any thread, are served on one."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Request, concurrent.futures.Future[Any]]] = queue.SimpleQueue()
        self._ended = False

    def ask(self, request: Request) -> concurrent.futures.Future[Any]:
        """Have something done; the future has the answer, or the error, which is ``Fenced`` after the end."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._waiting.put((request, future))
        if self._ended:  # looked at last: either the end's last round finds the request, or this does
            self._serve(None)
        return future

    def end(self) -> None:
        """Nobody will serve any more: refuse what waits, and what is asked from now on."""
        self._ended = True
        self._serve(None)

    def serve(self, consumer: Consumer, *, wait_s: float = 0.0) -> None:
        """Do all that waits; if nothing does, wait so long for a first one."""
        self._serve(consumer, wait_s)

    def _serve(self, consumer: Consumer | None, wait_s: float = 0.0) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                request, future = self._waiting.get(timeout=wait_s) if wait_s else self._waiting.get_nowait()
                wait_s = 0.0
                if not future.set_running_or_notify_cancel():
                    continue
                if consumer is None:
                    future.set_exception(Fenced("the polling thread has ended, there is no consumer"))
                    continue
                try:
                    future.set_result(request(consumer))
                except Exception as error:  # noqa: BLE001 -- the caller's to judge
                    future.set_exception(error)
