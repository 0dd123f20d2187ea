"""The process that outlives a test run just long enough to clean up after it.

Owns: killing the broker processes it was told about, and removing the data folder, once its standard input ends. That
end comes with any death of the parent, also by SIGKILL, which no ``finally`` survives. Must not: import anything of
Postcart (it is started as a plain script, so that it costs little), or signal a process by number alone (numbers are
used again; it holds pidfds).

Protocol, one line each on standard input: ``+PID`` guard this process, ``-PID`` forget it. Each is answered by ``ok``.
"""

import contextlib
import os
import select
import shutil
import signal
import sys


def main(folder: str) -> None:
    """Guard processes until standard input ends, then kill them and remove ``folder``."""
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whoever ends all of us at once wants a clean end
        signal.signal(polite, signal.SIG_IGN)
    guarded: dict[int, int] = {}
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            with contextlib.suppress(ProcessLookupError):
                guarded[pid] = os.pidfd_open(pid)
        elif pid in guarded:
            os.close(guarded.pop(pid))
        sys.stdout.write("ok\n")
        sys.stdout.flush()
    for descriptor in guarded.values():
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    for descriptor in guarded.values():
        select.select([descriptor], [], [], 10)  # a process that still writes would recreate files
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
