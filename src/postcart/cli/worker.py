"""``postcart worker KIND``: run one worker of a consumer group until it is told to stop.

Owns: the commands. Must not: build workers, or check what they need (wiring does both, before anything runs).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from postcart.cli.setup import current_settings

if TYPE_CHECKING:
    from postcart.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Run a worker; more of a kind share the load.")


@app.command()
def detect() -> None:
    """Find carts that were left behind.

    Sessions and carts in, signals out.
    """
    from postcart.wiring.workers import run_detect  # noqa: PLC0415

    _run(run_detect)


@app.command()
def track() -> None:
    """Follow parcels, and find those that do not move.

    Shipments in, milestones out.
    """
    from postcart.wiring.workers import run_track  # noqa: PLC0415

    _run(run_track)


@app.command()
def poll() -> None:
    """Ask carriers that push nothing where parcels are.

    Questions of `track` in, shipments out, as if the carrier had pushed them (POSTCART_POLLING__CARRIERS).
    """
    from postcart.wiring.polling import run_poll_worker  # noqa: PLC0415

    _run(run_poll_worker)


@app.command()
def journey() -> None:
    """Decide per person whether and when to send what.

    Signals, orders and profiles in, jobs out.
    """
    from postcart.wiring.workers import run_journey  # noqa: PLC0415

    _run(run_journey)


@app.command()
def alerts() -> None:
    """Tell employees of trouble.

    Orders that wait, parcels that don't move, stock that runs short.
    Alerts in, messages to a chat and mailboxes out, grouped; also when it is over.
    """
    from postcart.wiring.alerts import run_alert_worker  # noqa: PLC0415

    _run(run_alert_worker)


@app.command()
def project() -> None:
    """Keep the read model up to date, from which `postcart why` answers.

    Decisions, jobs, claims and receipts in, rows of PostgreSQL or SQLite out (POSTCART_READ_MODEL_URL).
    """
    from postcart.wiring.read_model import run_project  # noqa: PLC0415

    _run(run_project)


@app.command()
def feedback() -> None:
    """Take returned mails in, over SMTP or LMTP.

    Bounces, complaints and opt-outs by mail, known by the tokens of the mails that they are about. The mail server of
    the domain of envelope senders relays to it.
    """
    from postcart.wiring.feedback import run_feedback  # noqa: PLC0415

    _run(run_feedback)


@app.command()
def gateway() -> None:
    """Answer over HTTP: what providers of text messages tell.

    Answers of people and delivery reports in, by signed callbacks; receipts, consents and suppressions out.
    """
    from postcart.wiring.gateway import run_gateway  # noqa: PLC0415

    _run(run_gateway)


@app.command()
def send(
    channel: Annotated[str, typer.Argument(help="One of POSTCART_CHANNELS, for example email.", show_default=False)],
) -> None:
    """Render a channel's jobs and send them by its providers.

    Jobs in, claims and receipts out, beside gate, keys, catalogue and suppressions.
    """
    from postcart.wiring.channels import unknown  # noqa: PLC0415
    from postcart.wiring.sender import run_send  # noqa: PLC0415

    settings = current_settings()
    if channel not in settings.channel_names:
        raise typer.BadParameter(unknown(settings, channel), param_hint="CHANNEL")
    _run(lambda settings: run_send(settings, channel))


def _run(run: Callable[["Settings"], int]) -> None:
    """Run a worker; the process ends with its exit code.

    Raises:
        TopologyError: Topics are missing or don't fit together.
        BrokerUnavailable: Kafka can't be reached.
    """
    from postcart.wiring.logging import configure_logging  # noqa: PLC0415

    settings = current_settings()
    configure_logging(level=settings.log.level, form=settings.log.format)
    raise typer.Exit(run(settings))
