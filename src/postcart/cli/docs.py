"""``python -m postcart.cli.docs``: the pages that are made of the code, so that they can't differ from it.

Owns: docs/cli.md, docs/metrics.md, docs/settings.md and a part of docs/errors.md. Must not: hold facts of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from postcart.cli.failures import Exit, say
from postcart.codecs.dead_letter_reasons import REASONS, RENDER, anchor
from postcart.metrics.table import METRICS
from postcart.settings import known_settings, plain_text, variable

_WIDTH = 100
_HEAD = "<!-- Made by `python -m postcart.cli.docs`; change the code, not this page. -->\n"

_REASONS = "<!-- Reasons of dead letters: made by `python -m postcart.cli.docs`. -->"
_END = "<!-- End of the reasons. -->"
_CLI = """\
Data goes to stdout, all else to stderr. On a terminal results are tables; `--output json` is the stable form.
`NO_COLOR` is respected. Errors are explained in [errors.md](errors.md), settings in [settings.md](settings.md).

| exit code | meaning |
|---|---|
| 0 | all is well |
| 1 | something was found to be wrong |
| 2 | the command was typed wrong |
| 3 | a service can't be reached |
| 70 | a bug of Postcart |
| 75 | a worker that was running lost its partitions or its broker: start it again |
| 78 | a worker that was running found its configuration wrong: don't, before something is changed |
| 130 | stopped by Ctrl-C |
| 141 | the reader of the output went away |
"""
_METRICS = """\
Workers serve them on `POSTCART_METRICS_PORT` at `/metrics`, beside `/live` and `/ready`; `postcart lag --serve`
serves those of the lag exporter. Names are kept; labels come from closed sets, topics, groups and partitions.
Series of a partition end when it goes to another worker. The gateway comes with a later release.

| name | kind | labels | meaning | from |
|---|---|---|---|---|
"""
_SETTINGS = """\
Each setting is an environment variable, or a name in the YAML or TOML file that `POSTCART_CONFIG` (or `--config`)
names; the environment goes before the file. `postcart config show --origin` tells what is set where, and
`postcart config check` what is wrong. Settings without a default are off until set.
"""


def main(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a page is out of date.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where the pages are.")] = Path("docs"),
) -> None:
    """Write the generated pages of the documentation, or check them."""
    stale = []
    errors = folder / "errors.md"
    kept = {errors.name: with_reasons(errors.read_text(encoding="utf-8"))} if errors.is_file() else {}
    for name, text in {**pages(), **kept}.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            path.write_text(text, encoding="utf-8")
    for path_name in stale:
        say(f"{path_name}: out of date; run python -m postcart.cli.docs" if check else f"{path_name}: written")
    if stale and check:
        raise typer.Exit(Exit.FINDING)


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"cli.md": "".join(_cli()), "metrics.md": "".join(_metrics()), "settings.md": "".join(_settings())}


def with_reasons(page: str) -> str:
    """docs/errors.md with the part about dead letters' reasons as the code has it; the rest is written by hand."""
    before, _, rest = page.partition(_REASONS)
    _, _, after = rest.partition(_END)
    parts = [
        f"### {anchor(reason)}\n\n`{reason}`: {known.meaning} {known.remedy}\n"
        for reason, known in REASONS.items()
        if reason != RENDER  # it has a section as an error
    ]
    return f"{before}{_REASONS}\n\n" + "\n".join(parts) + f"\n{_END}{after}"


def _cli() -> Iterator[str]:
    from postcart.cli.app import app  # noqa: PLC0415 -- it imports the commands

    yield f"# Command line\n\n{_HEAD}\n"
    yield _CLI
    for path in _commands(typer.main.get_command(app)):
        shown = CliRunner(env={"COLUMNS": str(_WIDTH), "TERMINAL_WIDTH": str(_WIDTH)}).invoke(
            app, [*path, "--help"], prog_name="postcart", terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        yield f"\n## {' '.join(('postcart', *path))}\n\n```text\n{shown.stdout.strip()}\n```\n"


def _below(command: Any) -> Iterator[tuple[str, Any]]:
    """Sub-commands in the order in which ``--help`` lists them."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield name, command.commands[name]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in _below(command):
        yield from _commands(below, (*path, name))


def _metrics() -> Iterator[str]:
    yield f"# Metrics\n\n{_HEAD}\n"
    yield _METRICS
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.full_name}` | {metric.kind} | {labels} | {metric.help} | {metric.source} |\n"
    yield "\n## Buckets\n\n| name | upper bounds, seconds |\n|---|---|\n"
    for metric in METRICS:
        if metric.buckets:
            yield f"| `{metric.full_name}` | {', '.join(f'{bound:g}' for bound in metric.buckets)} |\n"


def _settings() -> Iterator[str]:
    yield f"# Settings\n\n{_HEAD}\n{_SETTINGS}"
    groups: dict[str, list[str]] = {}
    for path, known in known_settings():
        default = "" if known.secret else plain_text(known.default)
        shown = f"`{default}`" if default else ("one for trials" if known.secret and known.default else "")
        cells = (f"`{variable(path)}`", f"`{'.'.join(path)}`", shown, known.what)
        row = " | ".join(cell.replace("|", "\\|") for cell in cells)
        groups.setdefault(".".join(path[:-1]), []).append(f"| {row} |\n")
    for group, rows in groups.items():
        yield f"\n## {group or 'General'}\n\n| variable | in a file | default | meaning |\n|---|---|---|---|\n"
        yield from rows


if __name__ == "__main__":
    typer.run(main)
