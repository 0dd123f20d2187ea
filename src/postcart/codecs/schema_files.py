"""The folder schemas/: what was released stays as it is, and every version reads what its predecessors wrote.

Owns: the check of that folder, the list of released hashes, and the JSON Schemas of Postcart's own records. Must not:
read payloads. ``python -m postcart.codecs.schema_files`` checks, for ``make check`` and CI; ``--write`` writes the JSON
Schemas that are not released yet, ``--release`` adds new files to the list, which never loses or changes a line.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from postcart.codecs.avro_schemas import RELEASED, avro_schema, released_files
from postcart.codecs.compatibility import incompatibilities
from postcart.codecs.shop_subjects import SUBJECTS
from postcart.events.alerts import Alert
from postcart.events.decisions import DecisionRecord
from postcart.events.jobs import Job, ReceiptRecord
from postcart.events.milestones import MilestoneRecord

HASHES: Final = "released.sha256"
GENERATED: Final[Mapping[str, Any]] = {
    "postcart.jobs": Job,
    "postcart.receipts": ReceiptRecord,
    "postcart.decisions": DecisionRecord,
    "postcart.milestones": MilestoneRecord,
    "postcart.alerts": Alert,
}
"""Records that others may want to read: their JSON Schemas come from the structs."""
_COMMAND: Final = "python -m postcart.codecs.schema_files"


def problems_of(folder: Path) -> list[str]:
    """Everything that is wrong with a schemas folder, one line each with its file."""
    return [*_changed(folder), *_unlisted(folder), *_incompatible(folder), *_drifted(folder)]


def json_schema(kind: Any) -> bytes:
    """JSON Schema (2020-12) of a struct, or a union of structs, as its file holds it."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for component in components.values():
        if "description" in component:  # of the docstring its first line: the rest is for who works on the code
            component["description"] = component["description"].split("\n", 1)[0]
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": components}
    return json.dumps(whole, indent=2, sort_keys=True).encode() + b"\n"


def _hashes(folder: Path) -> dict[str, str]:
    path = folder / HASHES
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines if line)}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/v*") if path.suffix in {".avsc", ".json"})


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _changed(folder: Path) -> list[str]:
    problems = []
    for name, digest in _hashes(folder).items():
        path = folder / name
        if not path.exists():
            problems.append(f"{path}: was released and is gone; bring it back, data written with it is still around")
        elif _digest(path) != digest:
            problems.append(f"{path}: was released and has changed; undo that, and add a next version beside it")
    return problems


def _unlisted(folder: Path) -> list[str]:
    """Avro schemas count as released as soon as they are here: a producer may use them from any commit."""
    known = _hashes(folder)
    return [
        f"{path}: is not in {HASHES}; once it is final: {_COMMAND} --release"
        for path in _files(folder)
        if path.suffix == ".avsc" and path.relative_to(folder).as_posix() not in known
    ]


def _incompatible(folder: Path) -> list[str]:
    problems: list[str] = []
    for subject in sorted({path.parent.name for path in folder.glob("*/v*.avsc")} | set(SUBJECTS)):
        versions = released_files(folder / subject)
        if sorted(versions) != list(range(1, len(versions) + 1)) or not versions:
            problems.append(f"{folder / subject}: versions must be v1.avsc, v2.avsc and so on, without a gap")
        definitions: dict[int, Any] = {}
        for version, path in sorted(versions.items()):
            try:
                definitions[version] = json.loads(path.read_bytes())
                avro_schema(definitions[version])
            except ValueError as error:
                problems.append(f"{path}: {error}")
                definitions.pop(version, None)
        for version, definition in definitions.items():
            for earlier in range(1, version):
                if earlier in definitions:
                    found = incompatibilities(definition, definitions[earlier])
                    problems += [f"{versions[version]}: does not read v{earlier}: {one}" for one in found]
    return problems


def _drifted(folder: Path) -> list[str]:
    problems = []
    for subject, kind in GENERATED.items():
        path = _newest(folder / subject)
        if path is None or path.read_bytes() != json_schema(kind):
            released = path is not None and path.relative_to(folder).as_posix() in _hashes(folder)
            where = "a next version" if released else "it"
            problems.append(
                f"{folder / subject}: the records differ from the schema; write {where}: {_COMMAND} --write"
            )
    return problems


def _newest(folder: Path) -> Path | None:
    numbered = ((re.fullmatch(r"v(\d+)\.json", path.name), path) for path in folder.glob("v*.json"))
    return max(((int(match[1]), path) for match, path in numbered if match), default=(0, None))[1]


def write(folder: Path) -> list[Path]:
    """Write the JSON Schemas that differ: over an unreleased version, else as the next one."""
    written = []
    known = _hashes(folder)
    for subject, kind in GENERATED.items():
        path, content = _newest(folder / subject), json_schema(kind)
        if path is not None and path.read_bytes() == content:
            continue
        if path is None or path.relative_to(folder).as_posix() in known:
            number = 1 if path is None else int(path.stem[1:]) + 1
            path = folder / subject / f"v{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def release(folder: Path) -> list[str]:
    """Add every file that is not yet in the list to it; what is in it stays as it is."""
    known = _hashes(folder)
    new = {path.relative_to(folder).as_posix(): _digest(path) for path in _files(folder)}
    added = sorted(new.keys() - known.keys())
    known.update({name: new[name] for name in added})
    (folder / HASHES).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(known.items())))
    return added


def main(arguments: Sequence[str], folder: Path = RELEASED) -> int:
    """Check, ``--write`` or ``--release``; 0 if all is well, 1 with one line per problem, 2 for a wrong argument."""
    if arguments == ["--write"]:
        done = [f"written: {path}" for path in write(folder)]
    elif arguments == ["--release"]:
        done = [f"released: {name}" for name in release(folder)]
    elif arguments:
        sys.stderr.write(f"usage: {_COMMAND} [--write | --release]\n")
        return 2
    else:
        done = problems_of(folder)
    sys.stdout.write("".join(f"{line}\n" for line in done))
    return 1 if done and not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
