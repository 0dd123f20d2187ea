"""Files that say where carriers' answers have what (carriers/answers/*.yaml).

Owns: their keys, and what each may hold. Must not: know a provider, or read an answer (domain.track.answers does).
"""

from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field

from postcart.content.campaign_file import Part
from postcart.content.carrier_files import SHIPPED
from postcart.content.file_form import FileForm, nearest
from postcart.domain.track.answers import AnswerForm
from postcart.errors import ConfigurationError

FOLDER: Final = "answers"
"""Beside the files with carriers' words."""


def _path(value: object) -> tuple[str, ...]:
    """``location.city`` as names from the outside to the inside."""
    names = tuple(value.split(".")) if isinstance(value, str) else ()
    if not names or not all(name.strip() for name in names):
        raise ValueError(f"{value!r} is no path; write names, those inside of others after a point: location.city")
    return names


def _zone(value: object) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r}: write a name of the IANA database, for example Europe/Berlin") from None
    return str(value)


FieldPath = Annotated[tuple[str, ...], BeforeValidator(_path)]


class AnswerFile(Part):
    """A provider's answer."""

    name: str
    source: str
    vocabulary: str
    scans: Annotated[tuple[FieldPath, ...], Field(min_length=1)]
    code: FieldPath
    time: FieldPath
    parcels: FieldPath | None = None
    zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    number: FieldPath | None = None
    detail: FieldPath | None = None
    text: FieldPath | None = None
    country: FieldPath | None = None
    region: FieldPath | None = None
    city: FieldPath | None = None
    postal_code: FieldPath | None = None
    site: FieldPath | None = None
    estimate: FieldPath | None = None
    estimate_until: FieldPath | None = None

    def build(self) -> AnswerForm:
        """The domain's form."""
        fields: dict[str, Any] = {
            name: getattr(self, name) for name in AnswerFile.model_fields if name not in {"source", "zone", "parcels"}
        }
        return AnswerForm(**fields, zone=ZoneInfo(self.zone), parcels=self.parcels or ())


_FORM: Final = FileForm(AnswerFile, known_keys=lambda _path: tuple(AnswerFile.model_fields))


def load_answer_form(name: str, folder: Path = SHIPPED) -> AnswerForm:
    """The file of that name below ``folder``, else the one that is shipped.

    Raises:
        ConfigurationError: There is none, or all that is wrong with it, by line.
    """
    path = folder / FOLDER / f"{name}.yaml"
    if not path.exists():
        path = SHIPPED / FOLDER / f"{name}.yaml"
    if not path.exists():
        known = sorted({one.stem for one in (*folder.glob(f"{FOLDER}/*.yaml"), *SHIPPED.glob(f"{FOLDER}/*.yaml"))})
        raise ConfigurationError(f"{folder / FOLDER}: no {name}.yaml is there; {nearest(name, tuple(known))}")
    file, _content = _FORM.read(path)
    if file.name != name:
        raise ConfigurationError(f"{path}:1: the name must be that of the file: {name}")
    return file.build()
