"""The mail sink as an independent ledger: in memory, in its folder, and as its own process."""

import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from postcart.adapters.mail_sink import SinkOptions, read_folder, running_sink
from smtp_sink import wall_ms

MESSAGE = "Message-ID: <%d@shop.example>\r\nSubject: x\r\n\r\n.dot\r\n"


def _send(port: int, number: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("from@shop.example", ["to@example.com"], MESSAGE % number)


def test_mails_and_ledger_stay_in_the_folder(tmp_path: Path) -> None:
    """A second run goes on where the first ended."""
    for run in (1, 2):
        with running_sink(SinkOptions(folder=tmp_path), wall_ms) as sink:
            _send(sink.port, run)
            assert len(sink.received) == run
    kept = read_folder(tmp_path)
    assert [received.entry.message_id for received in kept] == ["<1@shop.example>", "<2@shop.example>"]
    assert [received.entry.number for received in kept] == [1, 2]
    assert kept[0].data == (MESSAGE % 1).encode()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000001.eml", "000002.eml", "ledger.jsonl"]


def test_its_own_process(tmp_path: Path) -> None:
    """It prints its address, keeps what comes even if it is killed right after, and ends on SIGTERM."""
    command = [sys.executable, "-m", "postcart.adapters.mail_sink", "--folder", str(tmp_path), "--user", "u"]
    with subprocess.Popen([*command, "--password", "p"], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ourselves
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail("from@shop.example", ["to@example.com"], MESSAGE % 1)
            client.login("u", "p")
            client.sendmail("from@shop.example", ["to@example.com"], MESSAGE % 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert len(read_folder(tmp_path)) == 1


def test_a_line_cut_off_by_a_kill_is_no_mail(tmp_path: Path) -> None:
    """Its message was not accepted."""
    with running_sink(SinkOptions(folder=tmp_path), wall_ms) as sink:
        _send(sink.port, 1)
    with (tmp_path / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"number":2,"mess')
    assert len(read_folder(tmp_path)) == 1


@pytest.mark.parametrize(
    "text", [".", "..", ".\r\n.", "a\r\n..b\r\n.c", "", "\r\n\r\n", "x" * 200_000, "\r\n." * 50_000], ids=range(8)
)
def test_any_text_is_kept_as_it_was(text: str) -> None:
    """Dots at the beginning of lines, empty texts, long ones."""
    whole = f"Subject: x\r\n\r\n{text}\r\n"
    with running_sink(SinkOptions(), wall_ms) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        for _ in range(2):
            client.sendmail("from@shop.example", ["to@example.com"], whole)
        assert [received.data for received in sink.received] == [whole.encode()] * 2


def test_too_large_a_mail_is_refused() -> None:
    """Where its size is announced, at MAIL, else after its dot; and the connection goes on."""
    large = b"Subject: x\r\n\r\n" + b"x\r\n" * 12_000_000
    with running_sink(SinkOptions(), wall_ms) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("from@shop.example", ["to@example.com"], large)
        client.mail("from@shop.example")
        client.rcpt("to@example.com")
        assert client.data(large)[0] == 552
        client.sendmail("from@shop.example", ["to@example.com"], MESSAGE % 1)
        assert len(sink.received) == 1
