"""``postcart topics``: Postcart's topics in Kafka.

Owns: the commands. Must not: know which topics there are (adapters.topics).
"""

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json, print_table
from postcart.cli.setup import current_settings

app = typer.Typer(no_args_is_help=True, help="Create and check Kafka topics.")


@app.command()
def create(output: OutputOption = "table") -> None:
    """Create the topics that are missing.

    New consumer groups get their first offsets too. Running it again changes nothing. The number of partitions
    (POSTCART_PARTITIONS) is fixed for a topic's life.
    """
    from postcart.adapters import topics  # noqa: PLC0415

    done = topics.create(current_settings())
    if output == "json":
        print_json(done._asdict())
        return
    rows = [(name, "created") for name in done.created] + [(name, "was there") for name in done.existing]
    print_table(("topic", "state"), sorted(rows))
    for group in done.groups:
        say(f"group {group} begins at the earliest records")


@app.command()
def check(output: OutputOption = "table") -> None:
    """Check that all topics are there and fit together.

    Exit code 1 if they don't, 3 if Kafka can't be reached.
    """
    from postcart.adapters import topics  # noqa: PLC0415

    problems = topics.check(current_settings())
    if output == "json":
        print_json({"problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        if not problems:
            say("all is well")
    if problems:
        raise typer.Exit(Exit.FINDING)
