"""What ``make compiled`` compiles: that it is there, and that the tests of it test it."""

import ast
import os
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import BuiltinFunctionType

import pytest

from postcart.codecs.avro_reader import reader_of
from postcart.codecs.avro_schemas import released_schemas
from postcart.codecs.shop_subjects import SUBJECTS

ROOT = Path(__file__).parents[2]


def compiled() -> list[str]:
    """Names of the modules, as setup.py has them: with slashes, below the package."""
    for statement in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "COMPILED":
            return [str(name) for name in ast.literal_eval(statement.value)]
    raise AssertionError("setup.py has no COMPILED")


def test_what_is_to_be_compiled_is_there() -> None:
    """A module that was renamed would be left out of the build only there."""
    assert [name for name in compiled() if not (ROOT / "src/postcart" / f"{name}.py").is_file()] == []


COMPILED = os.environ.get("COMPILE_HOT_MODULES") == "1"  # noqa: TID251 -- of the build, no setting


@pytest.mark.skipif(not COMPILED, reason="make test-compiled runs it")
def test_the_extensions_are_tested() -> None:
    """Not the sources beside them."""
    files = [str(import_module(f"postcart.{name.replace('/', '.')}").__file__) for name in compiled()]
    assert [file for file in files if not file.endswith(tuple(EXTENSION_SUFFIXES))] == []


@pytest.mark.skipif(not COMPILED, reason="make test-compiled runs it")
@pytest.mark.parametrize("subject", SUBJECTS)
def test_readers_of_released_schemas_are_compiled(subject: str) -> None:
    """All of their versions: what is put together only now is a function of Python."""
    for schema in released_schemas(subject):
        assert isinstance(reader_of(schema.parsed), BuiltinFunctionType)
