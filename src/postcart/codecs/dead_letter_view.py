"""Dead letters for people: what can be said about the bytes.

Owns: that description, with contact data as shapes unless it is asked for. Must not: decide whether a record is usable.
"""

import json
import re
from contextlib import suppress
from typing import Any, Final

from postcart.codecs.avro_schemas import SchemaSource
from postcart.codecs.contact_masking import masked, masked_bytes, masked_text
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.payload_forms import taken_apart
from postcart.codecs.topic_contracts import TopicContract
from postcart.events.times import iso

SHOWN_BYTES: Final = 2_000
_AROUND: Final = 30


def described(letter: DeadLetter, contract: TopicContract | None = None, *, unmask: bool = False) -> dict[str, Any]:
    """The letter as JSON types: position, reason, key and headers as text, the value decoded as far as possible.

    ``value_as`` says how the value was read: ``json``, ``avro SUBJECT vN``, ``text``, ``hex`` (at most 2,000 bytes of
    these two), or ``empty``. ``at`` is the place where reading ended, with what stands around it, where that is known.

    Raises:
        RegistryUnavailable: The registry can't be asked now.
    """
    registry: SchemaSource | None = contract.registry if contract else None
    form = taken_apart(letter.value, contract.subject if contract else None, registry)
    value = letter.value or b""
    personal = contract is None or contract.personal
    if form.read_as in {"text", "bytes"}:
        value_as, shown = _text_or_hex(value[:SHOWN_BYTES], personal=personal, unmask=unmask)
    else:
        value_as, shown = form.read_as, form.document if unmask else masked(form.document)

    def text(content: bytes | None) -> str | None:
        plain = as_text(content)
        return plain if unmask or plain is None else masked_text(plain)

    return {
        "id": letter.id,
        "reason": letter.reason,
        "detail": letter.detail if unmask else masked_text(letter.detail),
        "stage": letter.stage,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": None if letter.timestamp_ms is None else iso(letter.timestamp_ms),
        "headers": [[name, text(content)] for name, content in letter.headers],
        "key": text(letter.key),
        "size": letter.size,
        "truncated": letter.truncated,
        "value_as": value_as,
        "value": shown,
        "at": _place(value, unmask=unmask) if value[:1] == b"{" and value_as == "text" else None,
        "masked": not unmask,
    }


def as_text(content: bytes | None) -> str | None:
    """As text where it is printable UTF-8, else as hexadecimal digits behind 0x."""
    if content is None:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"0x{content.hex()}"
    return text if _is_printable(text) else f"0x{content.hex()}"


def _is_printable(text: str) -> bool:
    return all(one.isprintable() or one in "\r\n\t" for one in text)


def hex_lines(digits: str) -> str:
    """Hexadecimal digits as people read them: 16 bytes a line, the place before them, and the text behind them."""
    content = bytes.fromhex(digits)
    lines = []
    for start in range(0, len(content), 16):
        row = content[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 -- printable ASCII
        lines.append(f"{start:06x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def _text_or_hex(value: bytes, *, personal: bool, unmask: bool) -> tuple[str, str]:
    text = ""
    for cut in range(4):  # the last character may have been cut through
        with suppress(UnicodeDecodeError):
            text = value[: len(value) - cut].decode()
            break
    if text and _is_printable(text):
        return "text", text if unmask else masked_text(text)
    return "hex", (value if unmask else masked_bytes(value, personal=personal)).hex()


def _place(value: bytes, *, unmask: bool) -> dict[str, Any] | None:
    """Where JSON breaks off: byte, line and column from 1, why, the text around it and a mark below it."""
    text = value.decode("utf-8", "replace")
    try:
        json.loads(text)
    except RecursionError:
        return None
    except json.JSONDecodeError as error:
        at = error.pos
        around = (text if unmask else masked_text(text))[max(0, at - _AROUND) : at + _AROUND]
        return {
            "byte": len(text[:at].encode()) + 1,
            "line": error.lineno,
            "column": error.colno,
            "problem": error.msg,
            "around": re.sub(r"\s", " ", around),
            "mark": " " * min(_AROUND, at) + "^",
        }
    return None
