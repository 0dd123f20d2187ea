"""A dead letter's record, mended by hand: from its document to bytes that the stage takes.

Owns: setting fields, what an edit may not change, and the judgement on the result. Must not: do I/O, or invent a rule
that the stage's own decoder doesn't have.

An event keeps its id, and a job everything that it is known by: what was sent already is then recognised. A job gets
the next revision, which senders refuse once it was accepted or is uncertain.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, Final, NamedTuple

import msgspec

from postcart.codecs.avro_schemas import released_schemas
from postcart.codecs.field_problems import FieldProblem, field_names, nearest, struct_of
from postcart.codecs.framing import SINGLE_OBJECT_MAGIC
from postcart.codecs.payload_forms import JSON, Form, Framing, put_together
from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.codecs.shop_subjects import to_avro
from postcart.codecs.topic_contracts import TopicContract, job_of
from postcart.errors import UnreadableRecord

KEY: Final = "key"
"""Stands for the record's key among the changed fields."""
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PATH: Final = re.compile(r"[^.\[\]]+(\[\d+\])*(\.[^.\[\]]+(\[\d+\])*)*")


class Revision(NamedTuple):
    """A record ready to be written.

    Attributes:
        fields: Paths of what changed; ``key`` is among them if the key did.
        number: Of the job, or how often this event was mended.
    """

    key: bytes | None
    value: bytes
    document: Any
    fields: tuple[str, ...]
    number: int


def with_value(document: Any, path: str, text: str, contract: TopicContract) -> Any:
    """A copy of the document with ``text`` at ``path``: as JSON where that fits the field, else as the text that it is.

    Raises:
        ValueError: There is no such place, for people.
    """
    try:
        value = msgspec.json.decode(text)
    except UNREADABLE:
        return _put(document, path, text)
    changed = _put(document, path, value)
    wrong = {problem.field for problem in contract.field_problems(changed)}
    as_text = _put(document, path, text)
    if path in wrong and path not in {problem.field for problem in contract.field_problems(as_text)}:
        return as_text
    return changed


def without(document: Any, path: str) -> Any:
    """A copy of the document without the field.

    Raises:
        ValueError: It has no such field.
    """
    changed = deepcopy(document)
    place, last = _walk(changed, path)
    try:
        del place[last]
    except (KeyError, IndexError, TypeError):
        raise ValueError(f"{path}: there is no such field to take away") from None
    return changed


def changed_fields(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths of the leaves that differ, in the document's order."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            place = f"{path}.{name}" if path else str(name)
            if name in before and name in after:
                yield from changed_fields(before[name], after[name], place)
            else:
                yield place
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from changed_fields(*pair, f"{path}[{index}]")
    elif before != after or type(before) is not type(after):
        yield path


def revise(
    original: bytes | None,
    key: bytes | None,
    document: Any,
    *,
    form: Form,
    contract: TopicContract,
    earlier: int = 0,
    as_json: bool = False,
) -> Revision | list[FieldProblem]:
    """The record of an edited document, or all that is wrong with it.

    Args:
        original: The original value.
        key: The original key.
        document: As edited.
        form: Of the original.
        contract: Of the topic.
        earlier: How often this event was mended before.
        as_json: Write JSON, whatever the original's framing was.

    Raises:
        RegistryUnavailable: The registry can't be asked now.
    """
    number = earlier + 1
    if contract.is_jobs and isinstance(document, dict):
        former = job_of(original)
        number = max(former.revision if former else 0, earlier) + 1
        document = {**document, "revision": number}
    problems = [
        *contract.field_problems(document),
        *_unknown(form.document, document, contract),
        *_kept(original, form.document, document, contract),
    ]
    if problems:
        return problems
    framing = JSON if as_json else _usable(form.framing, contract)
    new_key = contract.key_of(document) or key
    try:
        event = msgspec.json.decode(msgspec.json.encode(document), type=contract.kind)
        value = put_together(event, document, framing)
        _check(event, contract.decode(new_key, value), contract)
    except UnreadableRecord as error:
        field = contract.key_field or "" if error.reason.startswith("key_") else ""
        return [FieldProblem(field, error.detail)]
    except UNREADABLE as error:
        hint = "" if framing is JSON else "; --as-json writes it as JSON"
        return [FieldProblem("", unreadable(error).detail + hint)]
    fields = tuple(one or "(all)" for one in changed_fields(form.document, document) if one != "revision")
    if new_key != key:
        fields = (*fields, KEY)
    if not fields and not contract.is_jobs and contract.verdict(key, original) is not None:
        return [FieldProblem("", "nothing was changed, and as it is it can't be read")]
    return Revision(new_key, value, document, fields, number)


def _usable(framing: Framing, contract: TopicContract) -> Framing:
    """An unknown fingerprint names no schema; the newest released one can be named instead."""
    if framing.name == "single_object" and framing.schema is None and contract.subject:
        newest = released_schemas(contract.subject)[0]
        return Framing("single_object", SINGLE_OBJECT_MAGIC + newest.rabin, newest)
    return framing


def _check(event: Any, read: Any, contract: TopicContract) -> None:
    """What the stage will read is what was meant; a foreign schema may have no place for a field."""
    if event != read and not (contract.subject and to_avro(event) == to_avro(read)):
        raise ValueError("the schema that it came with has no place for all of its fields")


def _unknown(before: Any, after: Any, contract: TopicContract) -> list[FieldProblem]:
    """Fields that the edit brought in and no decoder would read: most likely misspelt."""
    known = field_names(after, contract.kind)
    had = set(before) if isinstance(before, dict) else set()
    struct, _ = struct_of(after, contract.kind) if isinstance(after, dict) else (None, None)
    if struct is None:
        return []
    return [
        FieldProblem(name, f"there is no such field{nearest(name, known)}")
        for name in after
        if name not in known and name not in had
    ]


def _kept(original: bytes | None, before: Any, after: Any, contract: TopicContract) -> list[FieldProblem]:
    """What repeats are known by stays; where the original can't be taken apart, what can be found in its text does."""
    if not isinstance(after, dict):
        return []
    problems = []
    for name in contract.kept:
        had = _readable(before, name, contract) if isinstance(before, dict) else _found_in(original, name)
        if had and _of(after, name, contract) not in had:
            problems.append(FieldProblem(name, f"stays {had[0]!r}: by it a repeat is known, and never sent twice"))
    return problems


def _readable(document: dict[str, Any], name: str, contract: TopicContract) -> list[Any]:
    """The field's value, as a list; nothing if it is missing or unusable itself."""
    value = _of(document, name, contract)
    wrong = name in {problem.field for problem in contract.field_problems(document)}
    return [] if value is msgspec.NODEFAULT or wrong else [value]


def _of(document: dict[str, Any], name: str, contract: TopicContract) -> Any:
    """The field's value, or its default where it is left out."""
    struct = struct_of(document, contract.kind)[0]
    fields = () if struct is None else msgspec.structs.fields(struct)
    return document.get(name, next((one.default for one in fields if one.encode_name == name), msgspec.NODEFAULT))


def _found_in(original: bytes | None, name: str) -> list[Any]:
    if not original:
        return []
    text = original.decode("utf-8", "replace")
    return re.findall(rf'"{name}"\s*:\s*"([^"\\]{{1,200}})"', text)


def _put(document: Any, path: str, value: Any) -> Any:
    changed = deepcopy(document)
    place, last = _walk(changed, path)
    try:
        place[last] = value
    except (IndexError, TypeError):
        raise ValueError(f"{path}: there is no such place") from None
    return changed


def _walk(document: Any, path: str) -> tuple[Any, Any]:
    """The container of what the path names, and its place in it."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path}: write a field like line.quantity or lines[0].quantity")
    steps: Sequence[Any] = [name or int(index) for name, index in _STEP.findall(path)]
    place = document
    for step in steps[:-1]:
        try:
            place = place[step]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"{path}: there is no {step} in it") from None
    return place, steps[-1]
