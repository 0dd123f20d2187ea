"""``postcart config``: is everything set right, and what is set where.

Owns: the commands. Must not: judge settings, campaigns or templates (their own modules do).
"""

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json, print_table
from postcart.cli.setup import current_settings
from postcart.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Check and show the configuration.")

TRIAL_DEFAULTS = ("identity_key", "master_key", "unsubscribe.token_secret", "unsubscribe.base_url", "shop.from_address")
"""Settings whose defaults do for a trial, but not for mail to real people."""


@app.command()
def check(output: OutputOption = "table") -> None:
    """Check settings, campaigns, messages, templates and keys.

    All problems are told at once; exit code 1 if there are any. Notes (trial defaults still in use) are no problems.
    Kafka and the mail server are not asked: see `postcart topics check`.
    """
    problems: list[str] = []
    notes: list[str] = []
    try:
        settings = current_settings()
    except ConfigurationError as error:
        problems += error.problems
    else:
        notes = [f"{name} is not set: its default is for trials only" for name in _trial_defaults(settings)]
        for part in (_check_campaigns, _check_messages, _check_templates, _check_carriers, _check_polling, _check_keys):
            problems += _problems(part, settings)
    if output == "json":
        print_json({"problems": problems, "notes": notes})
    else:
        for problem in problems:
            typer.echo(problem)
        for note in notes:
            say(f"note: {note}")
        say(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else "all is well")
    if problems:
        raise typer.Exit(Exit.FINDING)


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    output: OutputOption = "table",
) -> None:
    """Show every setting as it is now; secrets are left out."""
    from postcart.settings import show_settings  # noqa: PLC0415

    shown = show_settings(os.environ)
    if output == "json":
        print_json([one._asdict() for one in shown])
    elif origin:
        print_table(("setting", "value", "origin", "place"), ((o.name, o.value, o.origin, o.place) for o in shown))
    else:
        print_table(("setting", "value"), ((one.name, one.value) for one in shown))


def _trial_defaults(settings: Any) -> list[str]:
    from postcart.settings import variable  # noqa: PLC0415

    return [variable(name.split(".")) for name in TRIAL_DEFAULTS if not settings.is_set(name)]


def _problems(part: Callable[[Any], list[str] | None], settings: Any) -> list[str]:
    try:
        return list(part(settings) or ())
    except ConfigurationError as error:
        return list(error.problems)


def _check_campaigns(settings: Any) -> None:
    from postcart.wiring.rules import active_campaign  # noqa: PLC0415

    active_campaign(settings)


def _check_messages(settings: Any) -> None:
    from postcart.wiring.rules import messages  # noqa: PLC0415

    messages(settings)


def _check_templates(settings: Any) -> list[str]:
    from postcart.content.lint import lint_templates  # noqa: PLC0415

    return [str(problem) for problem in lint_templates(settings.templates_dir, settings.locales_dir)]


def _check_carriers(settings: Any) -> None:
    from postcart.wiring.tracking import vocabularies  # noqa: PLC0415

    vocabularies(settings)


def _check_polling(settings: Any) -> None:
    from postcart.wiring.polling import answer_forms  # noqa: PLC0415

    answer_forms(settings)


def _check_keys(settings: Any) -> None:
    from postcart.wiring.email import dkim_signer  # noqa: PLC0415

    dkim_signer(settings)
