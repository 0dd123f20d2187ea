"""The demo as a person runs it: to its end, stopped by Ctrl-C, killed, with a worker that dies."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from postcart.adapters.mail_sink import read_folder
from stream.shop import ROOT
from waiting import wait_for

pytestmark = pytest.mark.slow
ENDS_WITHIN_S = 300
"""Far longer than it takes on a slow machine."""


@contextmanager
def demo(folder: Path, *options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as a process, on the mock broker unless ``variables`` say otherwise."""
    environment = {**os.environ, "POSTCART_BROKER": "mock", **variables}  # noqa: TID251 -- tests are a shell
    command = [sys.executable, "-m", "postcart", "demo", "--folder", str(folder), *options]
    process = subprocess.Popen(  # noqa: S603 -- our own command
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Processes that a process has started and that live."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end while it is asked
            found += map(int, task.read_text().split())
    return found


def alive(pid: int) -> bool:
    """Whether it runs; a dead one that nobody has asked for yet doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def working(process: subprocess.Popen[str], folder: Path) -> list[int]:
    """Wait until all nine processes are there and the workers have begun; returns their ids."""
    started: list[int] = []

    def reached() -> bool:
        started[:] = children(process.pid)
        names = ("detect", "track", "journey", "project", "gateway", "email", "sms", "inapp", "mail-server")
        logs = [folder / "logs" / f"{name}.log" for name in names]
        return process.poll() is not None or (
            len(started) == len(names) and all(log.exists() and log.stat().st_size for log in logs)
        )

    wait_for(reached, lambda: f"children {started}")
    assert process.poll() is None
    return started


def test_the_demo_ends_well(tmp_path: Path) -> None:
    """Exit code 0, tables, a page per mail, text messages, a feed that is live, and the same decisions as simulate."""
    with demo(tmp_path / "out", "--seconds", "15", "--stay") as process:
        out, live = until_live(process)
        unread = mark_the_newest(live) if live else None
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=ENDS_WITHIN_S)
        out += rest
    assert process.returncode == 0, out + err
    assert "Equal: all" in out
    for what in (
        "planned",
        "sent",
        "stopped: returned",
        "stopped: ordered",
        "stopped: cool off",
        "stopped: no consent",
    ):
        assert re.search(rf"^{what} .* \d", out, re.MULTILINE), what
    found = re.search(r"(\d+) mails were due; (\d+) are in the mailbox, none twice; receipts: (\d+) accepted\.", out)
    assert found, out
    due, *others = map(int, found.groups())
    assert others == [due, due]
    assert due > 50
    found = re.search(r"(\d+) text messages were due; (\d+) were taken, none twice; receipts: (\d+) accepted\.", out)
    assert found, out
    texts, *others = map(int, found.groups())
    assert others == [texts, texts]
    assert texts > 10
    found = re.search(r"(\d+) items of in-app feeds were due; (\d+) are there; receipts: (\d+) accepted\.", out)
    assert found, out
    items, *others = map(int, found.groups())
    assert others == [items, items]
    assert items > 30
    for what in (
        "placed",
        "shipped",
        "delivered",
        "delayed",
        "  no pickup",
        "  no scan",
        "  estimate",
        "delay cleared",
    ):
        assert re.search(rf"^{what} +[1-9]", out, re.MULTILINE), what
    pages = sorted((tmp_path / "out" / "mails" / "mails").glob("*.html"))
    assert len(pages) == len(read_folder(tmp_path / "out" / "inbox")) == due
    index = (tmp_path / "out" / "index.html").read_text("utf-8")
    linked = set(re.findall(r'href="(mails/mails/\d+\.html)"', index))
    assert linked
    assert all((tmp_path / "out" / link).is_file() for link in linked)
    assert "Equal: all" in index
    assert len(re.findall('class="item new"', index)) == unread
    assert len(re.findall('class="item"', index)) == 1
    assert "http://127.0.0.1" not in index
    assert "the real events arrive" in err
    assert "\x1b" not in out + err
    asked = re.findall(r"POSTCART_READ_MODEL_URL=(\S+) postcart why (\S+)", out)
    answers = [why(url, name) for url, name in asked]
    assert re.search(r"^state +sent, \d", answers[0], re.MULTILINE)
    assert "accepted by smtp" in answers[0]
    assert re.search(r"^state .*not sent, because the person ordered$", answers[1], re.MULTILINE)


def until_live(process: subprocess.Popen[str]) -> tuple[str, str | None]:
    """What the demo says until it tells where the feed is live, and that; None: it ended before."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://127\S+/feed#token=\S+", line):
            return said, found[0]
    return said, None


def mark_the_newest(live: str) -> int:
    """Read the newest item, as the live page does; returns how many are unread then."""
    page, _, token = live.removesuffix("&open").partition("#token=")
    assert "postcart-feed" in httpx.get(page).text
    feed, headers = f"{page.removesuffix('/feed')}/v1/feed", {"authorization": f"Bearer {token}"}
    found = httpx.get(feed, headers=headers).json()
    assert found["unread"] == len(found["items"]) > 1
    marked = httpx.post(f"{feed}/items/{found['items'][0]['id']}/read", headers=headers).json()
    return int(marked["unread"])


def why(url: str, name: str) -> str:
    """What `postcart why` answers once the demo, and its broker, are gone."""
    command = [sys.executable, "-m", "postcart", "why", name]
    environment = {**os.environ, "POSTCART_READ_MODEL_URL": url}  # noqa: TID251 -- tests are a shell
    return subprocess.run(  # noqa: S603 -- our own command
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_demo(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and kill -9: all that it had started is gone."""
    with demo(tmp_path / "out") as process:
        started = working(process, tmp_path / "out")
        process.send_signal(how)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130), err
    wait_for(lambda: not any(map(alive, started)), lambda: f"alive: {list(filter(alive, started))}")
    if how is not signal.SIGKILL:
        assert "stopped; all that the demo had started has been ended" in err
        assert "Traceback" not in err


def test_a_worker_that_dies_is_told_with_its_log(tmp_path: Path) -> None:
    """Which one, the end of its log, and where the whole of it is."""
    with demo(tmp_path / "out") as process:
        started = working(process, tmp_path / "out")
        victim = next(pid for pid in started if b"journey" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(victim, signal.SIGKILL)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1
    assert "error: journey ended by itself, with status -9. The end of its log:" in err
    assert str(tmp_path / "out" / "logs" / "journey.log") in err
    assert not any(map(alive, started))


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    """The demo empties only what it filled itself."""
    (tmp_path / "index.html").write_text("mine")
    with demo(tmp_path) as process:
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1
    assert "--folder" in err
    assert (tmp_path / "index.html").read_text() == "mine"
