"""Trying out what may kill the process, in a copy of it that may die.

Owns: that copy, made by fork, and what its end says. Must not: know what is tried.

The copy has this process's memory at that moment, and only the calling thread: it must not touch Kafka, the event loop
or a socket. Whatever happens to it, this process goes on; and only its own death blames what it tried, never that of
the process, which may have been killed for any reason.
"""

import asyncio
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

_LOOK_S = 0.005
_LINE_LENGTH = 200


async def cause_of_death(rehearse: Callable[[], object], *, within_s: float = 60.0) -> str | None:
    """Call something in a copy of this process.

    Args:
        rehearse: Called there.
        within_s: What has not come to an end by then never will, and counts as death.

    Returns:
        Why the copy ended other than by returning: a signal's name, an exception's; ``None`` if it came to its end.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: the copy uses none of theirs
        child = os.fork()
    if child == 0:
        _be_the_copy(rehearse, writing)
    os.close(writing)
    try:
        status = await _end_of(child, within_s)
        said = os.read(reading, _LINE_LENGTH).decode(errors="replace")
    finally:
        os.close(reading)
    if status is None:
        return f"no end within {within_s:g} s"
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return None if os.WEXITSTATUS(status) == 0 else said or f"exit {os.WEXITSTATUS(status)}"


def _be_the_copy(rehearse: Callable[[], object], writing: int) -> None:
    """Never returns, nor runs anything that the process would run at its end."""
    code = 1
    try:
        gc.disable()  # collecting could end clients of the process, which would wait for threads that are not here
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory is what it kills by, then the copy's
        rehearse()
        code = 0
    except BaseException as error:  # noqa: BLE001 -- whatever would end the process
        os.write(writing, type(error).__name__.encode()[:_LINE_LENGTH])
    finally:
        sys.stderr.flush()
        os._exit(code)


async def _end_of(child: int, within_s: float) -> int | None:
    give_up_at = time.monotonic() + within_s
    while (status := _status(child, os.WNOHANG)) is None:
        if time.monotonic() > give_up_at:
            os.kill(child, signal.SIGKILL)
            _status(child, 0)
            return None
        await asyncio.sleep(_LOOK_S)
    return status


def _status(child: int, options: int) -> int | None:
    ended, status = os.waitpid(child, options)
    return status if ended else None
