"""Ending or stopping a process at one point of its work.

Owns: doing it exactly there. Must not: know the point.
"""

import signal
import threading


def halt(number: signal.Signals) -> None:
    """End or stop this process here: the signal is for this thread, which then does not get any further.

    One that is for the process may go to another thread, and this one may work on for milliseconds, past the point.
    """
    signal.pthread_kill(threading.get_ident(), number)
