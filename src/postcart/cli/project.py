"""``postcart project``: the read model as a whole.

Owns: the commands. Must not: run the worker that fills it (`postcart worker project`), or know SQL.
"""

from typing import Annotated

import typer

from postcart.cli.failures import say
from postcart.cli.printing import OutputOption, print_fields, print_json
from postcart.cli.setup import current_settings

app = typer.Typer(no_args_is_help=True, help="The read model, which `postcart worker project` fills.")


@app.command()
def show(output: OutputOption = "table") -> None:
    """Show what the read model holds and how fresh it is."""
    from postcart.events.times import iso  # noqa: PLC0415
    from postcart.wiring.read_model import read_model  # noqa: PLC0415
    from postcart.wiring.why import freshness_of  # noqa: PLC0415

    store = read_model(current_settings())
    try:
        size, freshness = store.size(), freshness_of(store)
    finally:
        store.close()
    facts = {
        "records": size.facts,
        "jobs": size.jobs,
        "partitions": size.positions,
        "oldest": None if size.oldest_ms is None else iso(size.oldest_ms),
        "complete_to": None if freshness.complete_ms is None else iso(freshness.complete_ms),
        "last_change": None if freshness.applied_ms is None else iso(freshness.applied_ms),
    }
    if output == "json":
        print_json(facts)
    else:
        print_fields({name.replace("_", " "): value for name, value in facts.items()})


@app.command()
def rebuild(
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this nothing is changed.")] = False,
    output: OutputOption = "table",
) -> None:
    """Drop the read model and let the workers fill it again from Kafka.

    A dry run by default: what there is, and what Kafka does not hold any more and would be lost. Workers may go on
    running; they begin at the topics' beginnings by themselves.
    """
    from postcart.events.times import iso  # noqa: PLC0415
    from postcart.wiring.read_model import plan_rebuild, rebuild_read_model  # noqa: PLC0415

    settings = current_settings()
    plan = plan_rebuild(settings)
    facts = {
        "records": plan.size.facts,
        "jobs": plan.size.jobs,
        "lost": plan.lost,
        "kafka_holds": plan.held,
        "oldest": None if plan.size.oldest_ms is None else iso(plan.size.oldest_ms),
        "executed": execute,
    }
    if execute:
        rebuild_read_model(settings)
    if output == "json":
        print_json(facts)
    else:
        print_fields(
            {
                "records": plan.size.facts,
                "jobs": plan.size.jobs,
                "oldest record": facts["oldest"],
                "gone from Kafka": f"{plan.lost:,} of them can't be read again",
                "to be read again": f"about {plan.held:,}",
            }
        )
    say("dropped; `postcart worker project` fills it again" if execute else "dry run: add --execute to drop it")
