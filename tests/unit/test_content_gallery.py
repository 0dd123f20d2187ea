"""The page of mails loads nothing from elsewhere and runs nothing of a mail."""

from pathlib import Path

from postcart.content.gallery import write_gallery

EVIL = (
    b"Subject: =?utf-8?b?PHNjcmlwdD4=?=\r\nFrom: a@shop.example\r\nTo: b@example.com\r\n"
    b"Date: Sat, 01 Oct 2022 15:30:00 +0000\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<html><head></head><body><img src="https://tracker.example/x.gif"><script>alert(1)</script></body></html>\r\n'
)


def test_a_mail_loads_nothing(tmp_path: Path) -> None:
    """Pictures become tiles, a policy forbids the rest, markup of subjects and facts is text."""
    index = write_gallery([({"why": "<b>stopped</b>"}, EVIL)], tmp_path / "page", title="A & B")
    page = (tmp_path / "page" / "mails" / "000001.html").read_text("utf-8")
    shown = page.split("<section id=", 2)[1]
    assert 'sandbox=""' in shown
    assert "tracker.example" not in shown
    assert "default-src &#39;none&#39;" in shown
    assert "<script>alert" not in page
    assert "<title>&lt;script&gt;</title>" in page
    assert "&lt;b&gt;stopped&lt;/b&gt;" in page
    listed = index.read_text("utf-8")
    assert "<title>A &amp; B</title>" in listed
    assert "&lt;script&gt;" in listed
    assert "2022-10-01 15:30" in listed


def test_no_mails_and_odd_mails(tmp_path: Path) -> None:
    """An empty page says so; a mail without parts and headers is shown as it is."""
    assert "No mail was sent." in write_gallery([], tmp_path).read_text("utf-8")
    write_gallery([({}, b"\xff\xfe broken")], tmp_path)
    assert "(no subject)" in (tmp_path / "mails" / "000001.html").read_text("utf-8")
