"""Golden mails: the shipped templates' bytes, per template and language. They change only on purpose.

After an intended change: ``python tests/golden/test_mails.py`` writes them anew; read the difference before committing.
"""

from pathlib import Path

import pytest

from postcart.content.languages import Languages
from postcart.content.preview import preview_message
from postcart.content.templates import TemplateSet

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "mails"
TEMPLATES = TemplateSet(ROOT / "templates")
LANGUAGES = Languages(ROOT / "locales")
CASES = [(name, tag) for name in TEMPLATES.names for tag in ("en-GB", "de-AT", "ar-EG")]


def _bytes(name: str, tag: str) -> bytes:
    return preview_message(name, tag, templates=TEMPLATES, languages=LANGUAGES).data


def _file(name: str, tag: str) -> Path:
    return FOLDER / f"{name}.{tag}.eml"


@pytest.mark.parametrize(("name", "tag"), CASES)
def test_mails_are_as_they_were(name: str, tag: str) -> None:
    """Byte for byte; line ends in the file are those of a checkout."""
    assert _bytes(name, tag).replace(b"\r\n", b"\n") == _file(name, tag).read_bytes().replace(b"\r\n", b"\n")


def test_no_golden_file_is_left_over() -> None:
    """A template that is gone takes its mails with it."""
    assert sorted(file.name for file in FOLDER.glob("*.eml")) == sorted(_file(*case).name for case in CASES)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.eml"):
        old.unlink()
    for case in CASES:
        _file(*case).write_bytes(_bytes(*case).replace(b"\r\n", b"\n"))
