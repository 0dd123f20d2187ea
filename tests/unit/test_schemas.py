"""The contract of the topics: released schemas stay, later ones read what earlier ones wrote."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import fastavro
import pytest

from postcart.codecs.avro_schemas import RELEASED, released_schemas
from postcart.codecs.compatibility import incompatibilities
from postcart.codecs.schema_files import main, problems_of, release, write
from postcart.codecs.shop_subjects import SUBJECTS
from postcart.errors import ConfigurationError


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}
TREE = record(field("child", ["null", "R"], default=None), field("x", "int"))
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the released schemas, with the records' schemas as they are now."""
    copy = Path(shutil.copytree(RELEASED, tmp_path / "schemas"))
    write(copy)
    return copy


def test_the_schemas_of_this_release() -> None:
    """What ``make check`` and CI run finds nothing."""
    assert problems_of(RELEASED) == []


def test_a_released_file_may_not_change(folder: Path) -> None:
    """Neither in its content, nor by vanishing, nor by a new entry in the list."""
    path = folder / "shop.carts" / "v1.avsc"
    path.write_text(path.read_text().replace("Resulting quantity", "Quantity"))
    assert [problem.split(": ")[1] for problem in problems_of(folder)] == [
        "was released and has changed; undo that, and add a next version beside it"
    ]
    assert release(folder) == [
        f"postcart.{name}/v1.json" for name in ("alerts", "decisions", "jobs", "milestones", "receipts")
    ]
    assert len(problems_of(folder)) == 1
    path.unlink()
    assert any("was released and is gone" in problem for problem in problems_of(folder))


def test_a_next_version(folder: Path) -> None:
    """With a default it is fine once it is listed; without one it names the field."""
    first = json.loads((folder / "shop.sessions" / "v1.avsc").read_bytes())
    path = folder / "shop.sessions" / "v2.avsc"
    first["fields"].append(field("channel", "string", default="web"))
    path.write_text(json.dumps(first))
    (problem,) = problems_of(folder)
    assert "is not in released.sha256" in problem
    assert "shop.sessions/v2.avsc" in release(folder)
    assert problems_of(folder) == []
    assert [schema.version for schema in released_schemas("shop.sessions", folder=folder)] == [2, 1]
    del first["fields"][-1]["default"]
    path.write_text(json.dumps(first))
    assert any("v2.avsc: does not read v1: channel: is new and has no default" in one for one in problems_of(folder))


def test_transitive(folder: Path) -> None:
    """A third version is held against the first too, not only against the second."""
    first = json.loads((folder / "shop.sessions" / "v1.avsc").read_bytes())
    second = json.loads(json.dumps(first))
    second["fields"].append(field("channel", "string", default="web"))
    third = json.loads(json.dumps(first))
    third["fields"].append(field("channel", "string"))
    for number, definition in ((2, second), (3, third)):
        (folder / "shop.sessions" / f"v{number}.avsc").write_text(json.dumps(definition))
    assert [one.split("/")[-1] for one in problems_of(folder) if "does not read" in one] == [
        "v3.avsc: does not read v1: channel: is new and has no default"
    ]


def test_gaps_nonsense_and_drift(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing numbers, unreadable files, records that no longer fit: all at once, exit 1."""
    shutil.copy(folder / "shop.carts" / "v1.avsc", folder / "shop.carts" / "v3.avsc")
    (folder / "shop.sessions" / "v2.avsc").write_text('{"type": "nonsense"}')
    (folder / "postcart.jobs" / "v1.json").write_text("{}")
    assert main([], folder) == 1
    printed = capsys.readouterr().out
    assert "without a gap" in printed
    assert "v2.avsc: no Avro schema" in printed
    assert "postcart.jobs: the records differ from the schema; write it: " in printed
    assert main(["--write"], folder) == 0
    assert "the records differ" not in "\n".join(problems_of(folder))
    release(folder)
    (folder / "postcart.jobs" / "v1.json").write_text("{}")
    assert main(["--write"], folder) == 0
    assert (folder / "postcart.jobs" / "v2.json").exists()
    assert main(["--elsewhere"], folder) == 2
    with pytest.raises(ConfigurationError, match=r"sessions.v2\.avsc: no Avro schema"):
        released_schemas("shop.sessions", folder=folder)
    with pytest.raises(ConfigurationError, match="no file v1"):
        released_schemas("shop.unheard", folder=folder)


CASES: list[tuple[Any, Any, str | None]] = [
    ("int", "int", None),
    ("long", "int", None),
    ("int", "long", "long can't be read as int"),
    ("double", "float", None),
    ("bytes", "string", None),
    ("string", "bytes", "bytes can't be read as string"),
    (["null", "string"], "string", None),
    ("string", ["null", "string"], "null can't be read as string"),
    (["null", "long"], ["int", "null"], None),
    (["null", "int"], "string", "nothing reads string"),
    (record(field("x", "int")), record(field("x", "int"), field("y", "int")), None),
    (record(field("x", "int"), field("y", "int")), record(field("x", "int")), "y: is new and has no default"),
    (record(field("x", "int"), field("y", "int", default=1)), record(field("x", "int")), None),
    (record(field("z", "int", aliases=["x"])), record(field("x", "int")), None),
    (record(name="S"), record(), "record R became S"),
    (record(name="S", aliases=["R"]), record(), None),
    (ENUM, ENUM | {"symbols": ["a"]}, None),
    (ENUM | {"symbols": ["a"]}, ENUM, "symbols b are gone"),
    (ENUM | {"symbols": ["a"], "default": "a"}, ENUM, None),
    ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, None),
    ({"type": "map", "values": "int"}, {"type": "map", "values": "string"}, "{}: string can't be read as int"),
    ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}, "map can't be read as array"),
    ({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 3}, "fixed F of 3 bytes"),
    (record(field("r", ["null", record(field("y", "int"), name="S")])), record(field("r", ["null", record(name="S")])),
     "r.y: is new"),
    (TREE, TREE, None),
    (TREE | {"fields": [*TREE["fields"], field("y", "int")]}, TREE, "y: is new"),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "writer", "problem"), CASES)
def test_rules(reader: Any, writer: Any, problem: str | None) -> None:
    """Each rule of schema resolution, for and against."""
    found = incompatibilities(reader, writer)
    assert (problem is None) == (not found)
    if problem is not None:
        assert problem in found[0]


@pytest.mark.parametrize(("reader", "writer"), [(r, w) for r, w, problem in CASES if problem is None])
def test_what_passes_can_be_read(reader: Any, writer: Any) -> None:
    """An independent witness: fastavro, reading generated data of the old schema with the new one."""
    from fastavro.utils import generate_many  # noqa: PLC0415 -- heavy, only here

    for value in generate_many(writer, 5):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, writer, value)
        stream.seek(0)
        fastavro.schemaless_reader(stream, writer, reader)


def test_a_changed_meaning_is_no_compatible_change() -> None:
    """Stricter than the specification: milliseconds that become a plain number mean something else."""
    assert incompatibilities("long", MILLIS) == [": logical type timestamp-millis became None"]


def test_every_subject_has_a_schema() -> None:
    """No topic of the shop without a contract, and each is documented field by field."""
    for subject in SUBJECTS:
        assert released_schemas(subject)
        definition = json.loads((RELEASED / subject / "v1.avsc").read_bytes())
        assert all(one.get("doc") for one in definition["fields"])
