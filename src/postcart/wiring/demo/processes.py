"""The demo's processes: workers and mail server, each with a log file, all gone when the demo is gone.

Owns: their life. Must not: know what they do.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from postcart.errors import ProcessEnded

_LEASH: Final = Path(__file__).with_name("leash.py")
_LEAVE_S: Final = 10.0
_TAIL_LINES: Final = 12


class Processes:
    """Processes for the time of a ``with`` block.

    Args:
        logs: Folder of their output, a file each.
        environ: What they see.
    """

    def __init__(self, logs: Path, environ: Mapping[str, str]) -> None:
        self._logs = logs
        self._environ = dict(environ)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, module: str, arguments: Sequence[str], **variables: str) -> None:
        """Start ``python -m MODULE ARGUMENTS`` from the main thread: the leash holds as long as the thread lives."""
        command = [sys.executable, "-u", "-m", module, *arguments]
        with (self._logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 -- our own command
                [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), *command],
                env={**self._environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the demo's business, which ends them in order
            )

    def check(self) -> None:
        """See that all are alive.

        Raises:
            ProcessEnded: One has ended by itself.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessEnded(
                    f"{name} ended by itself, with status {process.returncode}. The end of its log:\n\n"
                    f"{self.tail(name)}\n\nAll of it: {self._log(name)}. If that says what to change, change it and "
                    "start the demo again; else please report it with this log."
                )

    def ended(self) -> bool:
        """Whether one has ended."""
        return any(process.poll() is not None for process in self._running.values())

    def first_line(
        self, name: str, *, timeout_s: float, having: str = "", idle: Callable[[float], None] = time.sleep
    ) -> str:
        """The first whole line that a process writes, ``having`` something in it.

        Raises:
            ProcessEnded: It ended, or wrote none in time.
        """
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            lines = self._log(name).read_text("utf-8", "replace").splitlines(keepends=True)
            found = next((line for line in lines if having in line and line.endswith("\n")), None)
            if found is not None:
                return found.rstrip()
            self.check()
            idle(0.02)
        raise ProcessEnded(
            f"{name} did not say what was waited for within {timeout_s:.0f} s; its log: {self._log(name)}"
        )

    def tail(self, name: str) -> str:
        """The last lines of a log."""
        lines = self._log(name).read_text("utf-8", "replace").splitlines()
        return "\n".join(f"  {line[:400]}" for line in lines[-_TAIL_LINES:]) or "  (it is empty)"

    def stop(self, *, but: Collection[str] = ()) -> None:
        """End all ``but`` some: politely, all at once, and after a while by force. Idempotent."""
        leaving = {name: process for name, process in self._running.items() if name not in but}
        for process in leaving.values():
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + _LEAVE_S
        for name, process in leaving.items():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            del self._running[name]

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"
