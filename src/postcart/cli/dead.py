"""``postcart dead``: records that were set aside.

Owns: the commands. Must not: read or redrive (adapters.dead_letters).
"""

import typer

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, explain, redrive.")


@app.command("list")
def list_() -> None:
    """List dead letters, grouped by reason and topic."""
    from postcart.adapters import dead_letters  # noqa: PLC0415

    del dead_letters
