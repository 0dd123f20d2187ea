"""Logging of a whole process: structured lines, for people on a terminal and as JSON elsewhere.

Owns: structlog's and the standard library's configuration, and what must never be in a line. Must not: log itself.

Modules log with ``structlog.get_logger()``, an event in plain words and keys beside it. Lines hold no addresses and
no bodies: whoever logs leaves them out; what slips through, in a foreign library's error text for example, is masked.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

NOISY: Mapping[str, int] = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    "kafka": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "urllib3": logging.WARNING,
    "testcontainers": logging.WARNING,
    "mail.log": logging.WARNING,  # aiosmtpd names every peer and command
    "mail.error": logging.ERROR,
    "flufl.bounce": logging.CRITICAL,  # it tells of each exception over mails that nobody vouches for
}
"""Libraries that tell their inner life at info, and from which level on they are heard."""

FORBIDDEN_KEYS = frozenset({"address", "body", "email", "html", "password", "phone", "recipient", "secret", "text"})
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;=\[\]]+@[^\s@<>\"'(),:;=\[\]]+\.[A-Za-z]{2,}")
MASK = "[address]"


def configure_logging(*, level: LogLevel = "info", form: LogFormat = "auto", stream: TextIO | None = None) -> None:
    """Set up logging for this process; calling it again replaces the former setting.

    Args:
        level: The least important level that is written; noisy libraries stay at theirs.
        form: ``auto`` is ``console`` where ``stream`` is a terminal, else ``json``.
        stream: stderr by default.
    """
    out = stream or sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _shared_processors(console=console)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a cached logger would keep the former setting, and a closed stream in tests
    )
    renderer: Processor = (
        # plain_traceback: the pretty one shows local variables, among them addresses and keys
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(is_worth_telling)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask_personal_data,
                _in_order,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(number)
    logging.captureWarnings(capture=True)
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(max(least, number))


def _shared_processors(*, console: bool) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # a traceback becomes a text like others, and is masked like them
    ]


def is_worth_telling(record: logging.LogRecord) -> bool:
    """Not what mode's services, also those of our own modules, tell of their starting and stopping: ``[^-App]: …``."""
    return record.levelno >= logging.WARNING or not str(record.msg).startswith("[^")


def mask_personal_data(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what must not be logged by its name, and mask whatever looks like an address in the rest."""
    for name, value in fields.items():
        if name in FORBIDDEN_KEYS:
            fields[name] = "[left out]"
        elif isinstance(value, str):
            if "@" in value:
                fields[name] = _ADDRESS.sub(MASK, value)
        elif isinstance(value, BaseException) or (isinstance(value, list | tuple | dict) and "@" in str(value)):
            fields[name] = _ADDRESS.sub(MASK, repr(value))
    return fields


def _in_order(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """When, how bad, what; then the rest: lines are read by people too."""
    first = {name: fields[name] for name in ("timestamp", "level", "event") if name in fields}
    return first | dict(fields)
