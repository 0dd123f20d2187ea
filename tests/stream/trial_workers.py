"""The workers of a trial: started again whenever they end, and hurt when asked.

Owns: their processes. Must not: judge.
"""

import collections
import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


class Workers:
    """Three processes, restarted whenever they end, as a platform would."""

    def __init__(self, bootstrap: str, prefix: str, logs: Path, exits: collections.Counter[int]) -> None:
        self._command = [sys.executable, str(Path(__file__).parent / "copier.py"), bootstrap, prefix]
        self._logs = logs
        self._exits = exits
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("one", "two", "three"):
            self._start(name)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()

    def _start(self, name: str) -> None:
        with (self._logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 -- our own script
                [*self._command, name], stdout=log, stderr=log
            )

    def _supervise(self) -> None:
        while not self._ending.wait(0.1):
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    self._exits[process.returncode] += 1
                    self._start(name)

    def fault(self, kind: str, name: str) -> None:
        """Do it; returns when a stopped worker runs on."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            if kind == "kill":
                process.kill()
            elif kind == "term":
                process.terminate()
            else:
                process.send_signal(signal.SIGSTOP)
                try:
                    time.sleep(float(kind.split()[1]))  # the length of the stop is what is tested
                finally:
                    process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask all to go; kill those that don't. Idempotent."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._exits[process.returncode] += 1
