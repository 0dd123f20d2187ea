"""``postcart dead``: records that were set aside, why, and sending them on their way again.

Owns: which commands there are. Must not: read or write (adapters.dead_letters).
"""

import typer

from postcart.cli.dead.editing import edit
from postcart.cli.dead.listing import list_, runs
from postcart.cli.dead.redriving import redrive
from postcart.cli.dead.showing import show

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, explain, edit, redrive.")
app.command("list")(list_)
app.command()(show)
app.command()(edit)
app.command()(redrive)
app.command()(runs)
