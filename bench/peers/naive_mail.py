"""Contender: mails as a script would send them: Jinja2, EmailMessage, dkimpy and smtplib in a loop, one connection.

No queue, no consent, no claim, no receipt: what is left of a sender when everything but the mail is taken away. The
template is what MJML made of the reminder that Postcart sends, compiled once. Arguments: port, mails, key file.
"""

import json
import smtplib
import sys
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import dkim
import jinja2

from bench.common.memory import peak_bytes
from postcart.content import sample
from postcart.content.preview import render_preview

ROOT = Path(__file__).parents[2]


def templates() -> tuple[jinja2.Template, jinja2.Template]:
    """Text and HTML of the reminder, with the recipient's name left open."""
    shown = render_preview("cart-reminder", "en", templates=ROOT / "templates", locales=ROOT / "locales")
    name = sample.RECIPIENT.name or ""
    environment = jinja2.Environment(autoescape=True)
    text, html = (environment.from_string(part.replace(name, "{{ name }}")) for part in (shown.text, shown.html))
    return text, html


def main(port: int, mails: int, key_file: str) -> None:
    """Send, and tell what it cost."""
    text, html = templates()
    key = Path(key_file).read_bytes()
    begun = time.process_time(), time.monotonic()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(mails):
            message = EmailMessage(policy=SMTP)
            address = f"person{number}@example.com"
            message["Message-ID"] = f"<{number}@shop.example>"
            message["From"], message["To"] = "Shop <shop@shop.example>", address
            message["Subject"] = "Still in your cart"
            message["List-Unsubscribe"] = f"<https://shop.example/u/{number}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            message.set_content(text.render(name=f"Person {number}"))
            message.add_alternative(html.render(name=f"Person {number}"), subtype="html")
            data = message.as_bytes()
            signature = dkim.sign(data, b"s1", b"shop.example", key)
            server.sendmail("bounce@shop.example", [address], signature + data)
    cpu, wall = time.process_time() - begun[0], time.monotonic() - begun[1]
    print(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
