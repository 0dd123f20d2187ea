"""What a command needs before it begins: settings, logging.

Owns: reading the process's environment, once, for all; being told to stop. Must not: know what single settings mean.
"""

import os
import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from postcart.settings import Settings

CONFIG_VARIABLE = "POSTCART_CONFIG"
"""As postcart.settings.FILE_VARIABLE, which is slow to import."""


def use_config_file(path: Path) -> None:
    """Let this process, and those that it starts, read their settings from ``path`` too."""
    os.environ[CONFIG_VARIABLE] = str(path)


def current_settings() -> "Settings":
    """The settings of this process.

    Raises:
        ConfigurationError: All that is wrong with them, by variable or file and line.
    """
    from postcart.settings import load_settings  # noqa: PLC0415 -- pydantic is slow to import

    return load_settings(os.environ)


def kafka_client(settings: "Settings") -> dict[str, str | int | float | bool]:
    """How librdkafka reaches the broker."""
    return {"bootstrap.servers": settings.bootstrap, **settings.kafka.properties()}


def settings_with_currency(currency: str | None) -> "Settings":
    """The settings of this process, with another currency if one was typed.

    Raises:
        ConfigurationError: As ``current_settings``.
        typer.BadParameter: What was typed is no currency.
    """
    if currency is None:
        return current_settings()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise typer.BadParameter("write three capital letters, for example USD", param_hint="--currency")
    return current_settings().with_values({"currency": currency})


def stopped_by_signal() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; a second one ends the process at once."""
    stopped = threading.Event()

    def stop(number: int, _frame: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped
