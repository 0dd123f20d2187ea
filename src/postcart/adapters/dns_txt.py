"""TXT records, by the DNS server that this machine uses.

Owns: one question and its answer (RFC 1035), over UDP, by TCP where it does not fit. Must not: judge what records say.
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TXT, _IN, _OPT = 16, 1, 41
_TRUNCATED, _RCODE, _NO_SUCH_NAME = 0x0200, 0x000F, 3
_UDP_BYTES: Final = 1_232
_TIMEOUT_S: Final = 3.0
_LABEL_MOST: Final = 63
_POINTER: Final = 0xC0
_RESOLV_CONF: Final = Path("/etc/resolv.conf")

Server = tuple[str, int]


class DnsSilent(Exception):  # noqa: N818 -- names a state of the world
    """No server answers, or none that knows. Stays inside: the doctor makes a finding of it."""


def system_server() -> Server:
    """The first server of /etc/resolv.conf.

    Raises:
        DnsSilent: There is none.
    """
    try:
        lines = _RESOLV_CONF.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DnsSilent(f"{_RESOLV_CONF} can't be read: {error.strerror}") from error
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            return words[1], 53
    raise DnsSilent(f"{_RESOLV_CONF} names no server")


def txt_records(name: str, *, server: Server, query_id: int) -> list[str]:
    """The TXT records of ``name``; none if there is no such name.

    Args:
        name: In ASCII (``idna`` for others).
        server: Address and port.
        query_id: 16 bits; unpredictable, so that answers can't be forged easily.

    Raises:
        DnsSilent: No answer, or none that helps.
    """
    question = _question(name, query_id)
    try:
        answer = _by_udp(question, server)
        if struct.unpack_from("!H", answer, 2)[0] & _TRUNCATED:
            answer = _by_tcp(question, server)
        return list(_texts(answer))
    except OSError as error:
        raise DnsSilent(f"{server[0]} does not answer ({error})") from error
    except (struct.error, IndexError) as error:
        raise DnsSilent(f"{server[0]} answers nonsense") from error


def _question(name: str, query_id: int) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if any(not 0 < len(label) <= _LABEL_MOST for label in labels):
        raise DnsSilent(f"{name} is no name")
    asked = b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + struct.pack("!HH", _TXT, _IN)
    room = b"\0" + struct.pack("!HHIH", _OPT, _UDP_BYTES, 0, 0)
    return struct.pack("!HHHHHH", query_id, 0x0100, 1, 0, 0, 1) + asked + room


def _by_udp(question: bytes, server: Server) -> bytes:
    family = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)[0][0]
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.settimeout(_TIMEOUT_S)
        asked.connect(server)  # the kernel then drops what comes from elsewhere
        asked.send(question)
        while True:
            answer = asked.recv(65_535)
            if answer[:2] == question[:2]:
                return answer


def _by_tcp(question: bytes, server: Server) -> bytes:
    with socket.create_connection(server, timeout=_TIMEOUT_S) as asked:
        asked.sendall(struct.pack("!H", len(question)) + question)
        stream = asked.makefile("rb")
        (length,) = struct.unpack("!H", stream.read(2))
        return stream.read(length)


def _texts(answer: bytes) -> Iterator[str]:
    _, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", answer)
    if flags & _RCODE == _NO_SUCH_NAME:
        return
    if flags & _RCODE:
        raise DnsSilent(f"the server says no: code {flags & _RCODE}")
    place = 12
    for _ in range(questions):
        place = _after_name(answer, place) + 4
    for _ in range(answers):
        place = _after_name(answer, place)
        kind, _, _, length = struct.unpack_from("!HHIH", answer, place)
        place += 10
        if kind == _TXT:
            yield _joined(answer[place : place + length]).decode("utf-8", "replace")
        place += length


def _after_name(answer: bytes, place: int) -> int:
    while length := answer[place]:
        if length >= _POINTER:
            return place + 2
        place += 1 + length
    return place + 1


def _joined(data: bytes) -> bytes:
    """The strings of a record, which belong together (RFC 6376, 3.6.2.2)."""
    joined, place = b"", 0
    while place < len(data):
        joined += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    return joined
