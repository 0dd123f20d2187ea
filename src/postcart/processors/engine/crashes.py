"""How often a partition's owners have died in a row, kept beside the task's rows.

Owns: that count, its row in the stage's changelog, and when it begins anew. Must not: judge records.

The row is written before an owner processes its first record, and taken back when it leaves politely: so an owner that
finds one knows that the last one did not. The count begins anew once everything is processed that was there when this
owner began: what killed the others was among that.
"""

from collections.abc import Mapping, Sequence

import msgspec

from postcart.errors import StateError
from postcart.processors.engine.own_row import own_row
from postcart.processors.engine.task import Row

ENOUGH = 3
"""After so many deaths in a row the records themselves are suspected."""

_KEY = b"!engine.crashes"
"""Keys that begin like this are the engine's; no visitor, parcel or person has such an id."""


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    crashes: int
    left: bool = False
    """The owner left politely, before it had got past what was there."""


class Crashes:
    """Of one partition number."""

    def __init__(self) -> None:
        self.count = 0
        self._found: _Kept | None = None
        self._until: Mapping[str, int] = {}
        self._row: list[Row] = []

    def restore(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Take this one's of these changelog records; returns the others.

        Raises:
            StateError: It can't be read.
        """
        found, others = own_row(rows, _KEY)
        if found is not None:
            try:
                self._found = None if found[1] is None else msgspec.json.decode(found[1], type=_Kept)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise StateError(f"the count of crashes in the changelog can't be read: {error}") from error
        return others

    def restored(self) -> None:
        """Count the last owner's end."""
        if self._found is not None:
            self.count = self._found.crashes + (not self._found.left)

    def begin(self, until: Mapping[str, int]) -> None:
        """An owner begins to process: the row that tells of it is to be written first.

        Args:
            until: High watermark per input topic, where there have been crashes; else nothing.
        """
        self._until = until
        self._keep(_Kept(self.count))

    @property
    def suspicious(self) -> bool:
        """Whether a record that is processed now may be the one that kills."""
        return self.count >= ENOUGH

    def processed(self, positions: Mapping[str, int]) -> None:
        """Everything before these positions is processed: the next transaction says so."""
        if self.count and all(positions[topic] >= end for topic, end in self._until.items()):
            self.count = 0
            self._keep(_Kept(0))

    def leave(self) -> None:
        """The owner leaves politely."""
        self._keep(_Kept(self.count, left=True) if self.count else None)

    def take_changed(self) -> list[Row]:
        """The row, if it is to be written anew."""
        row, self._row = self._row, []
        return row

    def _keep(self, kept: _Kept | None) -> None:
        self._row = [(_KEY, None if kept is None else msgspec.json.encode(kept))]
