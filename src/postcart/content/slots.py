"""Slots: the places of a template where something of this job stands, told apart from what all its messages share.

Owns: the marks around such values, and texts cut at them. Must not: know MJML, or decide what may be filled in late.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Environment, nodes, pass_eval_context
from jinja2.meta import find_referenced_templates
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

MARK = "\x02"
"""Stands before and after a value. No text of a template and no value has it: both are looked at."""

_SIMPLE = re.compile(r"""(?=\S)[^<>"'&\x00-\x1f\u27e6\u27e7]*(?:&#?\w+;[^<>"'&\x00-\x1f\u27e6\u27e7]*)*(?<=\S)""")
"""A value that is text and nothing else: no markup, no quotes, one line, no white space around it."""

_KEPT = 4_096

_HOLDER = re.compile("\u27e6(\\d+):[^\u27e7]*\u27e7")

_LOOKS_AT_OUTPUT = (
    nodes.AssignBlock,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.FromImport,
    nodes.Import,
    nodes.Macro,
)
_BLOCKS_AS_VALUES = frozenset({"self", "super", "caller"})


@pass_eval_context
def marked(eval_context: EvalContext, value: Any) -> str:
    """What Jinja writes for ``value``; between marks if it is simple."""
    if type(value) is str:
        return _marked_text(value, eval_context.autoescape)
    return _between_marks(escape(value) if eval_context.autoescape else str(value))


@lru_cache(_KEPT)  # most are the same in all messages
def _marked_text(value: str, escaped: bool) -> str:  # noqa: FBT001 -- as the context has it
    return _between_marks(escape(value) if escaped else value)


def _between_marks(text: str) -> str:
    if _SIMPLE.fullmatch(text):
        return Markup(f"{MARK}{text}{MARK}")  # noqa: S704 -- escaped where the template is
    return text.replace(MARK, "") if MARK in text else text


def markable(environment: Environment, sources: Sequence[str]) -> bool:
    """Whether nothing in these templates looks at what has been rendered, as a marked value would not do there."""
    for source in sources:
        tree = environment.parse(source)
        if MARK in source or any(tree.find(kind) for kind in _LOOKS_AT_OUTPUT):
            return False
        if None in find_referenced_templates(tree):
            return False
        if any(name.name in _BLOCKS_AS_VALUES for name in tree.find_all(nodes.Name)):
            return False
    return True


def holder(slot: int, filler: str = "") -> str:
    """What stands for the value of a slot while its surroundings are made; ``filler`` makes it longer."""
    return f"\u27e6{slot}:{filler}\u27e7"


def may_hold(*texts: str) -> bool:
    """Whether nothing in these texts could be taken for a holder."""
    return not any("\u27e6" in text or "\u27e7" in text for text in texts)


class Slotted(NamedTuple):
    """A text with slots.

    Attributes:
        parts: What stands before, between and after the slots; one more than there are slots.
        slots: Which value goes where; one may stand at several places, or at none.
    """

    parts: tuple[str, ...]
    slots: tuple[int, ...]

    @classmethod
    def cut(cls, text: str) -> "Slotted":
        """``text`` taken apart at its holders."""
        pieces = _HOLDER.split(text)
        return cls(tuple(pieces[::2]), tuple(map(int, pieces[1::2])))

    def filled(self, values: Sequence[str]) -> str:
        """The text with its values."""
        pieces = [self.parts[0]]
        for slot, part in zip(self.slots, self.parts[1:], strict=True):
            pieces += values[slot], part
        return "".join(pieces)
