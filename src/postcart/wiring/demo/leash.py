"""Starts a program that dies with its parent, however that dies. Linux; elsewhere it only starts the program.

Owns: that. Must not: import anything of Postcart: it is started as a plain script, so that it costs little.

Usage: ``python leash.py PARENT PROGRAM ARGUMENT…``, PARENT being the parent's process id.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept over exec


def main(parent: int, command: list[str]) -> None:
    """Become ``command``."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 -- our own command


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
