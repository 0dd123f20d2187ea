"""``postcart topics``: Postcart's topics in Kafka.

Owns: the commands. Must not: know which topics there are (adapters.topics).
"""

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json
from postcart.cli.setup import current_settings

app = typer.Typer(no_args_is_help=True, help="Create and check the topics.")


@app.command()
def create(output: OutputOption = "table") -> None:
    """Create what is missing of Postcart's topics and give new consumer groups their first offsets.

    Running it again changes nothing. Counts of partitions are fixed for a topic's life (POSTCART_PARTITIONS).
    """
    from postcart.adapters import topics  # noqa: PLC0415

    created = topics.create(current_settings())


@app.command()
def check(output: OutputOption = "table") -> None:
    """Check that all topics are there and fit together. Exit code 1 if they don't, 3 if Kafka can't be reached."""
    from postcart.adapters import topics  # noqa: PLC0415

    problems = topics.check(current_settings())
    if output == "json":
        print_json({"problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        say("" if problems else "all is well")
    if problems:
        raise typer.Exit(Exit.FINDING)
