"""The house's walls stand: layers, module sizes, docstrings that say what a module owns."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src/postcart").rglob("*.py"))
_MOST_LINES = 300


def test_imports_only_go_down() -> None:
    """Contracts of import-linter in pyproject.toml."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 -- ours
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src/postcart")))
def test_a_module_fits_into_a_head(module: Path) -> None:
    """300 lines at most, and a docstring."""
    text = module.read_text()
    assert len(text.splitlines()) <= _MOST_LINES
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    if module.name not in {"__init__.py", "__main__.py"}:
        assert "must not" in " ".join(docstring.lower().split()), "say what the module owns, and what it must not do"
