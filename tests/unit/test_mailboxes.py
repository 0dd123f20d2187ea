"""Mails in files: read whole, marked once they are dealt with, and not read again."""

import mailbox
from pathlib import Path

import pytest

from postcart.adapters.mailboxes import stored_mails
from postcart.errors import ConfigurationError

FIRST = b"From: a@b.example\n\n550 one\n"
SECOND = b"From: c@d.example\nStatus: O\n\nStatus: RO\n\xff\n"


def datas(path: Path, **options: bool) -> list[bytes]:
    return [mail.data for mail in stored_mails(path, **options)]


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """Two new mails, and one that was read before."""
    folder = tmp_path / "Maildir"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "new/1.a").write_bytes(FIRST)
    (folder / "new/2.b").write_bytes(SECOND)
    (folder / "cur/0.z:2,RS").write_bytes(b"old")
    (folder / "new/.hidden").write_bytes(b"none")
    return folder


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    """Two mails, as a mail server appends them."""
    path = tmp_path / "mbox"
    box = mailbox.mbox(path)
    for mail in (FIRST, SECOND):
        box.add(mail)
    box.close()
    return path


def test_a_maildir_is_read_and_marked_mail_by_mail(maildir: Path) -> None:
    """An interruption leaves the rest where it was; nothing is deleted, and other programs see what was read."""
    assert datas(maildir) == [b"old", FIRST, SECOND]
    reading = stored_mails(maildir, unseen=True)
    mail = next(reading)
    assert mail.data == FIRST
    mail.done()
    reading.close()
    assert datas(maildir, unseen=True) == [SECOND]
    for mail in stored_mails(maildir, unseen=True):
        mail.done()
    assert datas(maildir, unseen=True) == []
    assert sorted(file.name for file in (maildir / "cur").iterdir()) == ["0.z:2,RS", "1.a:2,S", "2.b:2,S"]
    assert (maildir / "cur/2.b:2,S").read_bytes() == SECOND


def test_an_mbox_is_marked_when_it_is_left(mbox: Path) -> None:
    """Also when that is early; the mails' own bytes stay."""
    assert datas(mbox, mbox=True) == [FIRST, SECOND]
    reading = stored_mails(mbox, mbox=True, unseen=True)
    mail = next(reading)
    assert mail.place == f"{mbox}#1"
    mail.done()
    next(reading)
    reading.close()
    assert datas(mbox, mbox=True, unseen=True) == [SECOND]
    for mail in stored_mails(mbox, mbox=True, unseen=True):
        mail.done()
    assert datas(mbox, mbox=True, unseen=True) == []
    assert datas(mbox, mbox=True) == [b"Status: RO\n" + FIRST, b"Status: RO\n" + SECOND]


def test_a_single_file_stays_as_it_is(tmp_path: Path) -> None:
    """It may begin like an mbox."""
    file = tmp_path / "a.eml"
    file.write_bytes(b"From x\n" + SECOND)
    for mail in stored_mails(file, unseen=True):
        mail.done()
    assert datas(file, unseen=True) == [b"From x\n" + SECOND]


def test_what_can_not_be_read_is_told(tmp_path: Path) -> None:
    """A folder of another kind, a file that is gone."""
    with pytest.raises(ConfigurationError, match="no maildir"):
        datas(tmp_path)
    with pytest.raises(ConfigurationError, match="No such file"):
        datas(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match="No such file"):
        datas(tmp_path / "gone", mbox=True)
