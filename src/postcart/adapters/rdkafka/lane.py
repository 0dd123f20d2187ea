"""A daemon thread for blocking calls, one at a time.

Owns: such threads. Must not: be joined: a call into librdkafka may never return, and an executor's threads are waited
for at the interpreter's end.
"""

import asyncio
import ctypes
import queue
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def let_go(clients: list[Any]) -> None:
    """Empty the list on a thread that nobody waits for: a client of librdkafka may take long to end."""
    threading.Thread(target=clients.clear, name="client-end", daemon=True).start()


def leave_behind(client: Any) -> None:
    """Keep a client until the process is gone: one that hangs would block at its end, or abort the process."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


class Lane:
    """Runs calls in order on a thread of its own.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        """Have something called; the future belongs to the running loop. Cancelling it does not stop the call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def execute() -> None:
            try:
                outcome: tuple[Any, BaseException | None] = (call(*args, **kwargs), None)
            except BaseException as error:  # noqa: BLE001 -- the caller's to judge
                outcome = (None, error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, *outcome)

        self._calls.put(execute)
        return future

    def close(self) -> None:
        """End the thread after what was asked of it; does not wait."""
        self._calls.put(None)

    def _run(self) -> None:
        while (execute := self._calls.get()) is not None:
            execute()
