"""Everything that is wrong with a document, at once and by field: what a decoder tells one at a time.

Owns: walking a document along its struct. Must not: know a particular struct, or replace the decoder's verdict.

Each leaf is judged by the JSON decoder of its own type, so it means what the whole decoder means.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from postcart.codecs.refusal import UNREADABLE

_PLACE = re.compile(r" - at `\$(.*)`$")


class FieldProblem(NamedTuple):
    """What is wrong, and where: a path as in ``lines[0].quantity``; an empty path is the document as a whole."""

    field: str
    problem: str


Judge = Callable[[str, Any], str | None]
"""A field's name and its value as decoded → what is wrong with it beyond its type."""


def field_problems(document: Any, kind: Any, judge: Judge = lambda _name, _value: None) -> list[FieldProblem]:
    """All problems of a document, in JSON types, as ``kind``: a struct, or a union of tagged ones.

    An empty list says that the document has the right shape; rules over several fields are the decoder's.
    """
    if not isinstance(document, dict):
        return [FieldProblem("", "the record is no JSON object")]
    struct, problem = struct_of(document, kind)
    return [problem] if struct is None and problem else list(_of_struct(document, struct, "", judge))


def struct_of(document: dict[str, Any], kind: Any) -> tuple[type[msgspec.Struct] | None, FieldProblem | None]:
    """The struct that the document's tag names; or what is wrong with the tag."""
    structs = [one for one in _members(kind) if _is_struct(one)]
    tagged = {one.__struct_config__.tag: one for one in structs if one.__struct_config__.tag is not None}
    if not tagged:
        return structs[0], None
    tag_field = str(structs[0].__struct_config__.tag_field)
    if tag_field not in document and len(structs) == 1:
        return structs[0], None  # where there is nothing to choose from the decoder doesn't ask for a tag
    tag = document.get(tag_field)
    found = tagged.get(tag) if isinstance(tag, str) else None
    if found is not None:
        return found, None
    known = ", ".join(sorted(map(str, tagged)))
    return None, FieldProblem(
        tag_field, f"is missing; one of: {known}" if tag is None else f"{tag!r} is none of: {known}"
    )


def field_names(document: Any, kind: Any) -> list[str]:
    """Paths that the document's struct has, the optional ones included; lists are not entered."""
    struct = struct_of(document, kind)[0] if isinstance(document, dict) else None
    return [] if struct is None else [str(struct.__struct_config__.tag_field or ""), *_names(struct, "")]


def nearest(name: str, known: list[str]) -> str:
    """A hint at the field that was probably meant, behind a semicolon; or nothing."""
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _names(struct: type[msgspec.Struct], path: str) -> Iterator[str]:
    for one in msgspec.structs.fields(struct):
        yield f"{path}{one.encode_name}"
        for member in _members(one.type):
            if _is_struct(member):
                yield from _names(member, f"{path}{one.encode_name}.")


def _of_struct(document: dict[str, Any], struct: Any, path: str, judge: Judge) -> Iterator[FieldProblem]:
    for one in msgspec.structs.fields(struct):
        place = f"{path}.{one.encode_name}" if path else one.encode_name
        if one.encode_name in document:
            yield from _of_value(document[one.encode_name], one.type, place, judge)
        elif one.required:
            yield FieldProblem(place, "is missing")


def _of_value(value: Any, kind: Any, path: str, judge: Judge) -> Iterator[FieldProblem]:
    if isinstance(value, dict):
        for member in _members(kind):
            if _is_struct(member):
                yield from _of_struct(value, member, path, judge)
                return
    if isinstance(value, list):
        item = next((get_args(one)[0] for one in _members(kind) if get_origin(one) is tuple), None)
        if item is not None:
            inner = [one for at, each in enumerate(value) for one in _of_value(each, item, f"{path}[{at}]", judge)]
            if inner:
                yield from inner
                return
    try:
        decoded = msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except UNREADABLE as error:
        found = _PLACE.search(str(error))
        yield FieldProblem(path + (found[1] if found else ""), _PLACE.sub("", str(error)))
    else:
        problem = judge(path.rsplit(".", 1)[-1], decoded)
        if problem:
            yield FieldProblem(path, problem)


def _members(kind: Any) -> list[Any]:
    """The alternatives of a type, without what is annotated to them."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(plain) in {Union, UnionType}:
        return [member for one in get_args(plain) for member in _members(one)]
    return [plain]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
