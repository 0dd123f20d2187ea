"""The command line as its users run it: a process of its own, its streams apart, its exit code."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ports import free_port
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
CSV = sorted((ROOT / "tests" / "fixtures" / "rees46").glob("data_*.csv"))
POSTCART = [sys.executable, "-c", "import sys; sys.argv[0] = 'postcart'; from postcart.cli import main; main()"]


def environ(**more: str) -> Mapping[str, str]:
    """The machine's, without settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTCART_")}  # noqa: TID251 -- for the child
    return {**kept, **more}


def postcart(*arguments: str, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 -- our own command
        [*POSTCART, *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environ(**more),
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address at which nobody listens: a port that was just free."""
    return f"127.0.0.1:{free_port()}"


def test_data_on_stdout_the_rest_on_stderr() -> None:
    """A pipe gets nothing but JSON."""
    ended = postcart("events", "import", "rees46", *map(str, CSV))
    assert ended.returncode == 0
    assert all(json.loads(line) for line in ended.stdout.splitlines())
    assert b"events from 3 files" in ended.stderr


@pytest.mark.slow
def test_a_history_can_come_from_a_pipe() -> None:
    """With the same decisions as from a file."""
    imported = postcart("events", "import", "rees46", *map(str, CSV)).stdout
    assert postcart("simulate", "-", stdin=imported).stdout == postcart("simulate", *map(str, CSV)).stdout != b""


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """``| head`` ends it quietly, with the code that a pipeline expects."""
    line = {"type": "added", "line": {"variant_id": "p", "quantity": 1, "unit_price": "1"}}
    lines = (json.dumps({**line, "id": str(n), "visitor_id": f"v{n}", "time": 10**12 + n}) for n in range(20_000))
    history = tmp_path / "many.jsonl"
    history.write_text("\n".join(lines), encoding="utf-8")
    with subprocess.Popen(  # noqa: S603 -- our own command
        [*POSTCART, "simulate", str(history)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environ()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "abandonment"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_interruption_is_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C while it waits for input."""
    command, pipe = [*POSTCART, "simulate", "-"], subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 -- our own command
        command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=environ(TMPDIR=str(tmp_path))
    ) as process:
        state = Path(f"/proc/{process.pid}/stat")
        wait_for(lambda: list(tmp_path.glob("postcart-*/stdin")) and " S " in state.read_text(), "it sleeps: it reads")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_within_a_delivery_report() -> None:
    """It is neither lost nor taken for a bug, whatever the client makes of exceptions in its callbacks."""
    program = """
import os, signal, sys
from confluent_kafka import Producer
from postcart.cli.app import app
from postcart.cli import main

def report(error, message):
    os.kill(os.getpid(), signal.SIGINT)

@app.command()
def deliver():
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 100, "log_level": 0})
    producer.produce("topic", b"value", on_delivery=report)
    while True:
        producer.poll(0.1)

sys.argv = ["postcart", "deliver"]
main()
"""
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False, env=environ()
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 130)


def test_ctrl_c_stays_ignored_where_it_was() -> None:
    """As nohup and shells do it for what runs in the background."""
    program = """
import contextlib, signal, sys
from postcart.cli import main

signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.argv = ["postcart", "--version"]
with contextlib.suppress(SystemExit):
    main()
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
    subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True, env=environ())  # noqa: S603 -- our own program


ASKING_KAFKA = (
    ("topics", "check"),
    ("topics", "create"),
    ("lag",),
    ("dead", "list"),
    ("replay", str(CSV[0])),
    ("worker", "detect"),
    ("worker", "journey"),
    ("worker", "send", "email"),
)


@pytest.fixture(scope="module")
def unreached(nobody: str) -> Mapping[tuple[str, ...], subprocess.CompletedProcess[bytes]]:
    """Each command without a broker; all at once, as each of them waits for some seconds."""
    with ThreadPoolExecutor(len(ASKING_KAFKA)) as pool:
        ended = {
            arguments: pool.submit(postcart, *arguments, POSTCART_BOOTSTRAP=nobody, POSTCART_LOG__LEVEL="error")
            for arguments in ASKING_KAFKA
        }
        return {arguments: future.result() for arguments, future in ended.items()}


@pytest.mark.slow  # each waits for seconds before it gives a broker up
@pytest.mark.parametrize("arguments", ASKING_KAFKA, ids=" ".join)
def test_an_unreachable_broker_is_3_with_the_address_and_what_to_check(
    unreached: Mapping[tuple[str, ...], subprocess.CompletedProcess[bytes]], nobody: str, arguments: tuple[str, ...]
) -> None:
    """One message, on stderr; no traceback, no noise of the library."""
    ended = unreached[arguments]
    told = ended.stderr.decode()
    assert ended.returncode == 3, told
    assert ended.stdout == b""
    assert told.startswith("error: ")
    assert nobody in told
    assert "POSTCART_BOOTSTRAP" in told
    assert told.splitlines()[-1] == "See docs/errors.md#broker-unavailable; --debug shows where it happened."
    assert len(told.splitlines()) <= 3


def on_a_terminal(*arguments: str, **more: str) -> str:
    """What a command writes to a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 60))
    with subprocess.Popen(  # noqa: S603 -- our own command
        [*POSTCART, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, cwd=ROOT,
        env=environ(TERM="xterm-256color", **more),
    ) as process:  # fmt: skip
        os.close(theirs)
        written = bytearray()
        try:
            while chunk := os.read(ours, 65_536):
                written += chunk
        except OSError:
            pass  # how Linux tells that the other end was closed
        os.close(ours)
        assert process.wait(60) == 0
    return written.decode()


def test_a_terminal_gets_a_table_whose_cells_are_whole() -> None:
    """Headings stand out; long values are not broken, so that they can be copied."""
    written = on_a_terminal("config", "show")
    assert "\x1b[1m" in written
    assert "0d9a4f4e-6b0f-5d2a-9a51-6f0f4f7a3c10" in written


def test_a_terminal_gets_json_that_people_can_read() -> None:
    """Indented there, one line elsewhere; the same document."""
    shown = on_a_terminal("config", "show", "-o", "json")
    assert len(shown.splitlines()) > 100
    piped = postcart("config", "show", "-o", "json").stdout
    assert len(piped.splitlines()) == 1
    assert json.loads(shown) == json.loads(piped)


def test_nothing_is_styled_where_nobody_wants_it() -> None:
    """NO_COLOR on a terminal; in a pipe always."""
    assert "\x1b" not in on_a_terminal("config", "show", NO_COLOR="1")
    assert b"\x1b" not in postcart("config", "show", TERM="xterm-256color").stdout


def test_help_answers_at_once() -> None:
    """It loads neither Kafka nor Faust nor pydantic: those cost most of a second."""
    script = (
        "import sys; from postcart.cli.app import app\n"
        "try: app(['--help'], prog_name='postcart')\n"
        "except SystemExit: print(sorted(m for m in sys.modules if m in "
        "('confluent_kafka', 'faust', 'pydantic', 'msgspec', 'rich', 'jinja2', 'structlog')), file=sys.stderr)\n"
    )
    ended = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-c", script], capture_output=True, cwd=ROOT, env=environ(), check=True, timeout=60
    )
    assert ended.stderr.decode().splitlines()[-1] == "[]"


def test_generated_pages_can_be_checked() -> None:
    """As ``make check`` does it."""
    ended = subprocess.run(
        [sys.executable, "-m", "postcart.cli.docs", "--check"],
        capture_output=True, cwd=ROOT, env=environ(), check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
def test_a_stale_page_fails_the_check(tmp_path: Path) -> None:
    """And is not touched by it; without ``--check`` it is written."""
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    command = [sys.executable, "-m", "postcart.cli.docs", "--folder", str(tmp_path)]
    checked = subprocess.run([*command, "--check"], capture_output=True, cwd=ROOT, env=environ(), check=False)  # noqa: S603 -- our own command
    assert checked.returncode == 1
    assert b"cli.md: out of date" in checked.stderr
    assert (tmp_path / "cli.md").read_text(encoding="utf-8") == "old"
    subprocess.run(command, capture_output=True, cwd=ROOT, env=environ(), check=True)  # noqa: S603 -- our own command
    assert (tmp_path / "cli.md").read_text(encoding="utf-8").startswith("# Command line")
