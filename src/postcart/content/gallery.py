"""A local page of mails as they went out: the list, and each mail's HTML, text, headers and source.

Owns: that page's files. Must not: fetch anything, or let a mail do so: it is shown in a sandbox whose policy loads
nothing, with a tile in place of each picture.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from importlib.resources import files
from pathlib import Path

from jinja2 import DictLoader, Environment
from markupsafe import Markup

_PAGE = files("postcart.content") / "gallery_page"
_MAILS = "mails"
_CHIPS = 3
_TABS = (("html", "Mail"), ("text", "Text"), ("headers", "Headers"), ("source", "Source"))
_POLICY = (
    '<meta http-equiv="Content-Security-Policy"'
    " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)
_REMOTE = re.compile(r"""(\b(?:src|background)=)(["'])https?://[^"']*\2""", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_TILE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 72 72'%3E%3Crect width='72' height='72'"
    " fill='%23cfd8e3'/%3E%3Cpath d='M14 52l15-19 11 13 7-8 11 14z' fill='%238fa1b5'/%3E%3Ccircle cx='49' cy='25' r='6'"
    " fill='%238fa1b5'/%3E%3C/svg%3E"
)


@dataclass(frozen=True)
class _Mail:
    """What the page shows of a mail."""

    file: str
    subject: str
    sender: str
    to: str
    date: str
    facts: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    html: str
    text: str
    source: str


def write_gallery(
    messages: Iterable[tuple[Mapping[str, object], bytes]], folder: Path, *, title: str = "Mails"
) -> Path:
    """Write the page; returns the path of its ``index.html``, which a browser opens without a server.

    Args:
        messages: Per mail what is known of it besides (shown by name, in order; the first three also in the list), and
            its bytes as sent. In the order in which they are listed.
        folder: Made if missing. Files of an earlier page in it are overwritten.
        title: The page's heading.
    """
    (folder / _MAILS).mkdir(parents=True, exist_ok=True)
    pages = Environment(
        loader=DictLoader({name: (_PAGE / name).read_text("utf-8") for name in ("index.html.j2", "mail.html.j2")}),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_PAGE / "style.css").read_text("utf-8"))  # noqa: S704 -- our own file
    shown = []
    for number, (facts, data) in enumerate(messages, 1):
        mail = _read(f"{_MAILS}/{number:06d}.html", facts, data)
        page = pages.get_template("mail.html.j2").render(mail=mail, style=style, tabs=_TABS)
        (folder / mail.file).write_text(page, "utf-8")
        shown.append(
            {"file": mail.file, "subject": mail.subject, "to": mail.to, "date": mail.date, "chips": mail.facts[:_CHIPS]}
        )
    index = folder / "index.html"
    index.write_text(pages.get_template("index.html.j2").render(mails=shown, style=style, title=title), "utf-8")
    return index


def _read(file: str, facts: Mapping[str, object], data: bytes) -> _Mail:
    message = message_from_bytes(data, policy=SMTP)
    known = [(name, str(value)) for name, value in facts.items()]
    date = getattr(message["Date"], "datetime", None)
    return _Mail(
        file=file,
        subject=str(message["Subject"] or "(no subject)"),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        date=f"{date:%Y-%m-%d %H:%M}" if date else "",
        facts=known,
        headers=[(name, str(value)) for name, value in message.items()],
        html=_harmless(_body(message, "html")),
        text=_body(message, "plain"),
        source=data.decode("utf-8", "replace").replace("\r\n", "\n"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _harmless(html: str) -> str:
    """The mail's HTML that loads nothing: pictures become a tile, and a policy forbids the rest."""
    still = _REMOTE.sub(lambda match: f'{match[1]}"{_TILE}"', html)
    return _HEAD.sub(lambda match: match[0] + _POLICY, still, count=1) if _HEAD.search(still) else _POLICY + still
