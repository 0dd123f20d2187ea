"""Mails in files: single ones, folders in maildir form, and mbox files; and marking them as dealt with.

Owns: those forms. Must not: read what the mails say, or delete any.

A mail of a maildir that is dealt with is moved to ``cur`` with the flag S (seen), as mail programs do; one of an mbox
gets ``Status: RO``. Both are passed over afterwards. A file of one mail stays as it is. Mails are handled as bytes: the
standard library would parse each one, and these are written by strangers.
"""

import mailbox
import re
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from postcart.errors import ConfigurationError

_MOST_BYTES: Final = 64 * 1024 * 1024
"""More of a mail is not read: what is said of recipients stands long before that."""
_HEAD_BYTES: Final = 256_000
_SEEN = re.compile(rb"^Status:[ \t]*O?R", re.IGNORECASE | re.MULTILINE)


class StoredMail(NamedTuple):
    """A mail, where it was found, and what marks it as dealt with."""

    place: str
    data: bytes
    done: Callable[[], object]


def stored_mails(path: Path, *, mbox: bool = False, unseen: bool = False) -> Generator[StoredMail, None, None]:
    """The mails at ``path``, one at a time in memory.

    What was marked in an mbox is written when the iterator ends or is closed: until then another reader would see it
    again. In a maildir each mark counts at once.

    Args:
        path: A file of one mail, a maildir, or with ``mbox`` a file of many.
        mbox: Whether a file is one of many mails.
        unseen: Leave out what was marked before.

    Raises:
        ConfigurationError: It can't be read or written, or is a folder that is no maildir.
    """
    try:
        if path.is_dir():
            yield from _maildir(path, unseen=unseen)
        elif mbox:
            yield from _mbox(path, unseen=unseen)
        else:
            yield StoredMail(str(path), _read(path), bool)
    except (OSError, mailbox.Error) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _maildir(path: Path, *, unseen: bool) -> Iterator[StoredMail]:
    if not all((path / name).is_dir() for name in ("new", "cur")):
        raise ConfigurationError(f"{path}: is a folder, but no maildir: it lacks new or cur")
    for file in sorted([*(path / "new").iterdir(), *(path / "cur").iterdir()]):
        name, _, flags = file.name.partition(":2,")
        if file.name.startswith(".") or (unseen and "S" in flags):
            continue
        try:
            data = _read(file)
        except FileNotFoundError:
            continue  # another reader has moved it
        seen = path / "cur" / f"{name}:2,{''.join(sorted({*flags, 'S'}))}"
        yield StoredMail(str(file), data, partial(file.rename, seen))


def _mbox(path: Path, *, unseen: bool) -> Iterator[StoredMail]:
    with path.open("rb"):  # says clearly what is wrong with it
        pass
    box = mailbox.mbox(path, factory=None, create=False)
    done: list[str] = []
    try:
        box.lock()
        for number, key in enumerate(box.keys(), start=1):
            data = box.get_bytes(key)
            if not (unseen and _SEEN.search(data[:_HEAD_BYTES].partition(b"\n\n")[0])):
                yield StoredMail(f"{path}#{number}", data[:_MOST_BYTES], partial(done.append, key))
    finally:
        for key in done:
            first, _, rest = box.get_bytes(key, from_=True).partition(b"\n")
            box[key] = first + b"\nStatus: RO\n" + rest
        box.close()
