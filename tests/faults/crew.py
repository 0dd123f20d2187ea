"""The workers of a run, and the platform that starts them again.

Owns: processes, their names, their ends, and the arming of their hooks. Must not: know why it is asked for a fault.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from faults.worker import Kind
from waiting import wait_for

HERE = Path(__file__).parent
AGAIN_S = 0.3
"""How soon the platform starts a worker again that ended."""
NICE = 5


class Ended(NamedTuple):
    """A worker's end. ``code`` is negative for a signal; ``asked``: it was told to go."""

    name: str
    kind: str
    code: int
    at_ms: int
    asked: bool


def wall_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


class Crew:
    """Starts workers, and again whenever they end by themselves."""

    def __init__(self, folder: Path, variables: Mapping[str, str], told: Mapping[str, Any]) -> None:
        self._folder = folder
        self._variables = variables
        self._told = dict(told)
        self._lock = threading.Lock()
        self._going: set[str] = set()
        self._closed = threading.Event()
        self.kinds: dict[str, Kind] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: list[Ended] = []
        self._lifeline, self._held = os.pipe()  # workers end when nobody holds it any more, however we end
        self._platform = threading.Thread(target=self._watch, name="platform", daemon=True)
        self._platform.start()

    def start(self, kind: Kind, name: str) -> None:
        """Start a worker under this name."""
        with self._lock:
            self.kinds[name] = kind
            self._launch(name)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process of the run."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("POSTCART_")}  # noqa: TID251 -- a test's shell
        return {**inherited, **self._variables}

    def names(self, kind: str) -> list[str]:
        """Workers of a kind that are meant to run."""
        return sorted(name for name, found in self.kinds.items() if found == kind and name not in self._going)

    def dismiss(self, name: str, *, seconds: float = 60.0) -> float:
        """Ask a worker to go and wait until it is out; how long that took, in seconds. It is not started again.

        Raises:
            AssertionError: It did not go.
        """
        began = time.monotonic()
        with self._lock:
            self._going.add(name)
            process = self.processes[name]
            process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} was not out within {seconds:.0f} s of SIGTERM") from None
        return time.monotonic() - began

    def kill(self, name: str) -> None:
        """End a worker by SIGKILL; the platform starts it again."""
        self.processes[name].kill()

    def arm(self, name: str, point: str, action: str) -> None:
        """Have the worker hurt itself when it passes that point."""
        control = self.control(name)
        control.with_suffix(".fired").unlink(missing_ok=True)
        scratch = control.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode({"point": point, "action": action}))
        scratch.rename(control)

    def disarm(self, name: str) -> None:
        """Take the fault back if it has not struck."""
        self.control(name).unlink(missing_ok=True)

    def await_strike(self, name: str, *, seconds: float) -> int:
        """Wait until an armed fault has struck; when, by the machine's clock."""
        fired = self.control(name).with_suffix(".fired")
        wait_for(fired.exists, lambda: f"the fault never struck {name}", seconds=seconds)
        return int(fired.stat().st_ctime * 1000)

    def control(self, name: str) -> Path:
        """The file by which a worker's hook is armed."""
        return self._folder / f"{name}.control"

    def is_stopped(self, name: str) -> bool:
        """Whether the process stands still."""
        with contextlib.suppress(FileNotFoundError):
            stat = Path(f"/proc/{self.processes[name].pid}/stat").read_text()
            return stat.rpartition(")")[2].split()[0] in "Tt"
        return False

    def resume(self, name: str) -> None:
        """Let a stopped worker run on."""
        self.processes[name].send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End all at once."""
        self._closed.set()
        self._platform.join()
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        os.close(self._lifeline)
        os.close(self._held)

    def log_of(self, name: str, *, last: int = 3000) -> str:
        """The end of a worker's log."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-last:]

    def _watch(self) -> None:
        while not self._closed.wait(0.1):
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    self._bury(name, process)

    def _bury(self, name: str, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            asked = name in self._going
            self.ended.append(Ended(name, self.kinds[name], process.returncode, wall_ms(), asked))
            del self.processes[name]
        if not asked and not self._closed.wait(AGAIN_S):
            with self._lock:
                self._launch(name)
        elif asked:
            with self._lock:
                self._going.discard(name)
                del self.kinds[name]

    def _launch(self, name: str) -> None:
        kind = self.kinds[name]
        told = {"kind": kind, "control": str(self.control(name)), **self._told}
        environment = {**self.environment, "POSTCART_WORKER_NAME": name}
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 -- our own script
                ["nice", "-n", str(NICE), sys.executable, str(HERE / "worker.py"), msgspec.json.encode(told).decode()],  # noqa: S607
                env=environment,
                stdin=self._lifeline,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
