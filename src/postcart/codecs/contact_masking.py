"""Contact data as a shape: what a dead letter shows of it unless somebody asks to see it.

Owns: what counts as contact data in JSON, text and bytes, and how it is shown. Must not: know any topic.

``anna@example.org`` becomes ``xxxx@xxxxxxx.xxx``: letters and digits go, length and punctuation stay, so that a missing
@ is still seen. In JSON whole fields are masked by their name; in what can't be taken apart, whatever looks like it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

CONTACT_FIELDS: Final = frozenset(
    {
        "email", "e_mail", "mail", "phone", "mobile", "telephone", "name", "first_name", "last_name", "full_name",
        "address", "street", "city", "zip", "postcode", "contact", "recipient", "push",
    }
)  # fmt: skip
"""Fields whose texts are masked whole, in lower case; what is below them too."""

# Bounded, so that a megabyte without an @ takes no minutes.
_ADDRESS: Final = r"[^\s\"'<>@,;:=]{1,80}@[^\s\"'<>@,;]{1,255}"
_PHONE: Final = r"\+\d[\d ().-]{5,25}\d"
_LOOKS: Final = re.compile(f"{_ADDRESS}|{_PHONE}")
_FIELD: Final = re.compile(rf"(?i)([\"']?\b(?:{'|'.join(sorted(CONTACT_FIELDS))})[\"']?\s*[:=]\s*[\"'])([^\"']*)")
_LOOKS_IN_BYTES: Final = re.compile(rf"{_ADDRESS}|{_PHONE}".encode())
_RUN: Final = re.compile(rb"[\w@.+ -]{3,}")


def shape(text: str) -> str:
    """The text with letters as x or X and digits as 9."""
    return "".join("9" if one.isdigit() else ("X" if one.isupper() else "x") if one.isalpha() else one for one in text)


def masked(value: Any, *, inside: bool = False) -> Any:
    """JSON types with contact data as shapes. ``inside``: all of it is contact data. Idempotent."""
    if isinstance(value, dict):
        return {
            name: masked(one, inside=inside or (isinstance(name, str) and name.lower() in CONTACT_FIELDS))
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(one, inside=inside) for one in value]
    if isinstance(value, str):
        return shape(value) if inside else _LOOKS.sub(lambda found: shape(found[0]), value)
    if inside and isinstance(value, int) and not isinstance(value, bool):
        return shape(str(value))  # a phone number without quotes
    return value


def masked_text(text: str) -> str:
    """Text that could not be taken apart, for example broken JSON. Idempotent."""
    fields = _FIELD.sub(lambda found: found[1] + shape(found[2]), text)
    return _LOOKS.sub(lambda found: shape(found[0]), fields)


def masked_bytes(content: bytes, *, personal: bool) -> bytes:
    """Bytes that are no text. ``personal``: every run of letters may be a name, so all of them go."""
    pattern = _RUN if personal else _LOOKS_IN_BYTES
    return pattern.sub(lambda found: shape(found[0].decode("latin-1")).encode("latin-1", "replace"), content)


def restored(edited: Any, original: Any) -> Any:
    """``edited`` with the shapes of ``original``'s contact data put back as they were.

    So a document can be edited without anybody seeing what was masked in it.

    Args:
        edited: JSON types.
        original: JSON types as well, or the text of what could not be taken apart.

    Raises:
        ValueError: A shape was moved to where it can't be told which contact data it stands for.
    """
    hidden: dict[str, set[Any]] = {}
    places: dict[tuple[Any, ...], tuple[str, Any]] = {}
    if isinstance(original, str):
        found = [*(one[2] for one in _FIELD.finditer(original)), *(one[0] for one in _LOOKS.finditer(original))]
        for text in found:
            hidden.setdefault(shape(text), set()).add(text)
    else:
        for path, value, inside in _leaves(original, (), inside=False):
            shown = masked(value, inside=inside)
            if shown != value:
                places[path] = (shown, value)
                hidden.setdefault(shown, set()).add(value)
                for one in () if inside else _LOOKS.finditer(value):
                    hidden.setdefault(shape(one[0]), set()).add(one[0])
    return _restored(edited, (), hidden, places)


def _restored(
    value: Any, path: tuple[Any, ...], hidden: dict[str, set[Any]], places: dict[tuple[Any, ...], tuple[str, Any]]
) -> Any:
    if isinstance(value, dict):
        return {name: _restored(one, (*path, name), hidden, places) for name, one in value.items()}
    if isinstance(value, list):
        return [_restored(one, (*path, index), hidden, places) for index, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    if path in places and places[path][0] == value:
        return places[path][1]
    if value in hidden:
        return _the_one(hidden[value], value, path)
    return _LOOKS.sub(lambda one: str(_the_one(hidden.get(one[0], {one[0]}), one[0], path)), value)


def _the_one(meant: set[Any], text: str, path: tuple[Any, ...]) -> Any:
    if len(meant) > 1:
        raise ValueError(f"{'.'.join(map(str, path))}: {text!r} stands for more than one masked text; write it out")
    return next(iter(meant))


def _leaves(value: Any, path: tuple[Any, ...], *, inside: bool) -> Iterator[tuple[tuple[Any, ...], Any, bool]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(one, (*path, name), inside=inside or name.lower() in CONTACT_FIELDS)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, (*path, index), inside=inside)
    else:
        yield path, value, inside
