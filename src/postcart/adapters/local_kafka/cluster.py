"""Real Apache Kafka on this machine, without containers.

Owns: the processes of a small KRaft cluster, its ports, its data and its end. Must not: outlive its caller (see
``guard``), write outside its temporary folder, or read the environment.
"""

import base64
import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from postcart.adapters.local_kafka.class_archive import class_archive
from postcart.adapters.local_kafka.distribution import java_program, kafka_jars
from postcart.adapters.local_kafka.readiness import await_brokers, deadline_in
from postcart.adapters.local_kafka.server import Node, properties
from postcart.errors import BrokerUnavailable

_GATE = 'read -r _ || exit 1; exec "$@" </dev/null'
"""The broker starts only once it is guarded: a parent that dies in between leaves a shell that ends by itself."""

_HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)
"""Half the processor time until it answers; the optimising compiler pays off only after minutes."""
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
_PORTS = range(20_000, 32_000)
"""Below Linux's ephemeral range: no client's outgoing connection can take the port of a broker that is down."""


_END_S = 60.0
"""How long a broker may take to its regular end."""
_REASONS = (" ERROR ", " FATAL ", "Exception")
"""What marks the lines of a broker's log that say why it ended."""


class LocalKafka:
    """A cluster of real brokers for the time of a ``with`` block; everything is gone afterwards.

    Args:
        cache: Folder for Kafka's jars (see ``default_cache``).
        brokers: How many, each broker and controller in one. 3 survive the loss of one.
        start_timeout_s: How long the cluster may take until it answers.
        measured: Whether throughput counts (benches): then the JVM optimises, which makes it slower at first.
        archive_to: Where the first broker, at its regular end, leaves an archive of its classes (``class_archive``).
    """

    def __init__(
        self,
        cache: Path,
        *,
        brokers: int = 1,
        start_timeout_s: float = 120.0,
        measured: bool = False,
        archive_to: Path | None = None,
    ) -> None:
        self._cache = cache
        self._count = brokers
        self._timeout_s = start_timeout_s
        self._compiler = () if measured else _SHORT_LIVED
        self._archive_to = archive_to
        self._classes: list[str] = []
        self._nodes: list[Node] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers, for ``bootstrap.servers``."""
        return ",".join(node.address for node in self._nodes)

    @property
    def log_path(self) -> Path:
        """Log of the first broker; those of the others lie beside it."""
        return self._folder / "broker-0.log"

    def __enter__(self) -> Self:
        """Start the cluster and wait until every broker answers.

        Raises:
            BrokerUnavailable: Java or Maven is missing, or a broker ended or stayed silent; shows its log's tail.
        """
        self._java = java_program()
        self._jars = kafka_jars(self._cache)
        if self._archive_to is None:
            self._classes = [f"-XX:SharedArchiveFile={class_archive(self._jars, self._java, self._train)}"]
        self._folder = Path(tempfile.mkdtemp(prefix="postcart-kafka-"))
        self._guard = subprocess.Popen(  # noqa: S603 -- our own script
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the parent's business
        )
        try:
            self._nodes = _choose_addresses(self._count)
            self._format()
            for number in range(self._count):
                self._launch(number)
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all brokers and remove their data."""
        self.stop()

    def stop(self) -> None:
        """End everything. Idempotent."""
        for number in tuple(self._processes):
            self.kill(number)
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()
        self._guard.wait()
        if self._guard.stdout:
            self._guard.stdout.close()

    def kill(self, number: int) -> None:
        """End broker ``number`` by SIGKILL; its data stays. Idempotent."""
        process = self._processes.pop(number, None)
        if process is not None:
            process.kill()  # a stopped process dies of this, too
            process.wait()
            self._tell_guard(f"-{process.pid}")

    def start(self, *numbers: int) -> None:
        """Start these brokers again on their old data and addresses, all at once, and wait until all answer.

        Raises:
            BrokerUnavailable: One did not come up.
        """
        for number in numbers:
            if number not in self._processes:
                self._launch(number)
        self.await_ready()

    def signal(self, number: int, what: signal.Signals) -> None:
        """Send ``what`` (SIGSTOP, SIGCONT, SIGTERM) to broker ``number``."""
        self._processes[number].send_signal(what)

    def await_ready(self) -> None:
        """Wait until all running brokers are part of the cluster.

        Raises:
            BrokerUnavailable: One of them ended, or not all joined in time.
        """
        running = [self._nodes[number] for number in self._processes]
        expected = {node.node_id for node in running}
        deadline = deadline_in(self._timeout_s)
        try:
            for node in running:  # each by itself: one that died a moment ago still shows in the others' metadata
                await_brokers(node.address, expected, deadline=deadline, alive=self._check_alive)
        except BrokerUnavailable as problem:
            raise BrokerUnavailable(f"{problem}\n{self._log_tails()}") from problem

    def _check_alive(self) -> None:
        for number, process in self._processes.items():
            if process.poll() is not None:
                raise BrokerUnavailable(f"broker {number} ended with status {process.returncode}")

    def _format(self) -> None:
        """Write each node's configuration and prepare its data folder. All nodes must agree on the cluster's id."""
        cluster_id = _random_id()
        voters = ",".join(f"{node.node_id}@{node.controller}:{node.directory_id}" for node in self._nodes)
        for node in self._nodes:
            settings = self._folder / f"broker-{node.number}.properties"
            settings.write_text(properties(node, self._nodes, str(self._folder / f"data-{node.number}")))
            founders = ["--initial-controllers", voters] if self._count > 1 else ["--standalone"]
            command = [*self._program("kafka.tools.StorageTool"), "format", "-t", cluster_id, "-c", str(settings)]
            done = subprocess.run([*command, *founders], capture_output=True, text=True, check=False)  # noqa: S603 -- no shell
            if done.returncode:
                raise BrokerUnavailable(f"Kafka's storage could not be prepared:\n{done.stdout}{done.stderr}")

    def _launch(self, number: int) -> None:
        log = (self._folder / f"broker-{number}.log").open("ab")
        settings = str(self._folder / f"broker-{number}.properties")
        command = ["/bin/sh", "-c", _GATE, "sh", *self._program("kafka.Kafka"), settings]
        if self._archive_to is not None:
            command.insert(-2, f"-XX:ArchiveClassesAtExit={self._archive_to}")
        with log:
            process = subprocess.Popen(  # noqa: S603 -- our own command line
                command, cwd=self._folder, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        self._processes[number] = process
        self._tell_guard(f"+{process.pid}")
        if process.stdin:
            process.stdin.write(b"go\n")
            process.stdin.close()

    def _train(self, archive: Path) -> None:
        with LocalKafka(self._cache, start_timeout_s=self._timeout_s, archive_to=archive) as kafka:
            kafka.signal(0, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                kafka._processes[0].wait(_END_S)

    def _program(self, main_class: str) -> list[str]:
        return [self._java, *_HEAP, *self._compiler, *self._classes, *_LOGGING, "-cp", f"{self._jars}/*", main_class]

    def _tell_guard(self, line: str) -> None:
        if self._guard.stdin and self._guard.stdout:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
            self._guard.stdout.readline()

    def _log_tails(self) -> str:
        tails = []
        for node in self._nodes:
            path = self._folder / f"broker-{node.number}.log"
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            # Other threads may have written long listings after the line that says why.
            reasons = [line for line in lines if any(mark in line for mark in _REASONS)][:10]
            tails.append("\n".join([f"--- errors in {path.name}:", *reasons, "--- its end:", *lines[-25:]]))
        return "\n".join(tails)


def _random_id() -> str:
    """Return an id in Kafka's form: 16 bytes in URL-safe base64, not beginning with a dash."""
    return base64.urlsafe_b64encode(b"\x01" + secrets.token_bytes(15)).decode().rstrip("=")


def _choose_addresses(count: int) -> list[Node]:
    ports = free_ports(2 * count)
    return [Node(number, ports[2 * number], ports[2 * number + 1], _random_id()) for number in range(count)]


def free_ports(count: int) -> Sequence[int]:
    """Return ports that nobody listens on now, from a random start so that two clusters rarely want the same."""
    free: list[int] = []
    first = secrets.randbelow(len(_PORTS))
    for step in range(len(_PORTS)):
        port = _PORTS[(first + step) % len(_PORTS)]
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise BrokerUnavailable("no free ports on this machine")
