"""The command tree.

Owns: which commands there are, and the options before them. Must not: do anything else; each noun has its module.
"""

from pathlib import Path
from typing import Annotated

import typer

from postcart.cli import (
    bounces,
    config,
    dead,
    demo,
    doctor,
    estimates,
    events,
    feed,
    lag,
    preview,
    project,
    replay,
    sandbox,
    simulate,
    topics,
    why,
    worker,
)
from postcart.cli.failures import Root, say
from postcart.cli.setup import use_config_file

_ORDER = (
    "demo",
    "worker",
    "topics",
    "config",
    "doctor",
    "events",
    "estimates",
    "simulate",
    "replay",
    "preview",
    "sandbox",
    "bounces",
    "dead",
    "lag",
    "why",
    "project",
    "feed",
)


class Postcart(Root):
    """The command, listing what there is in the order in which one meets it."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer hands its own class
        """Names in order."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    name="postcart",
    cls=Postcart,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the start-up time, and the same in a pipe, a log and a terminal
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"postcart {version('postcart')}")
        raise typer.Exit


@app.callback()
def postcart(
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Settings file; as POSTCART_CONFIG.", exists=True, dir_okay=False)
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="With an error, show where it happened.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Event streaming on Kafka: abandoned carts become the right message at the right time.

    Data goes to stdout, all else to stderr. Exit codes: 0 well, 1 something is wrong with what was looked at, 2 wrong
    usage, 3 a service can't be reached.
    """
    del version
    if config_file:
        use_config_file(config_file)
    if debug:
        say("debug: errors come with a traceback")


app.add_typer(worker.app, name="worker")
app.add_typer(topics.app, name="topics")
app.add_typer(config.app, name="config")
app.command()(doctor.doctor)
app.add_typer(events.app, name="events")
app.add_typer(estimates.app, name="estimates")
app.command()(simulate.simulate)
app.command()(replay.replay)
app.command()(preview.preview)
app.command()(sandbox.sandbox)
app.command()(bounces.bounces)
app.add_typer(dead.app, name="dead")
app.command()(lag.lag)
app.command()(why.why)
app.add_typer(project.app, name="project")
app.add_typer(feed.app, name="feed")
app.command()(demo.demo)
