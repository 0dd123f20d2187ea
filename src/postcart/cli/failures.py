"""How a command fails: every error of Postcart becomes one clear message and an exit code.

Owns: the exit codes, the form of the message, broken pipes and Ctrl-C. Must not: know single commands.
"""

import os
import signal
import sys
import traceback
from enum import IntEnum
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from postcart.errors import (
    BrokerUnavailable,
    ChannelUnavailable,
    ConfigurationError,
    PostcartError,
    ReadModelUnavailable,
    RegistryUnavailable,
)

ERRORS_PAGE = "docs/errors.md"
"""Has one section per ``PostcartError.code``; a test holds it."""


class Exit(IntEnum):
    """Exit codes. A script may rely on them."""

    OK = 0
    FINDING = 1
    USAGE = 2
    UNREACHABLE = 3
    BUG = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Root(TyperGroup):
    """The outermost command: runs the others and turns what they raise into message and exit code."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer hands its own context class
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except PostcartError as error:
            report(error, debug=bool(ctx.params.get("debug")))
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            _silence_stdout()
            raise typer.Exit(Exit.PIPE_CLOSED) from None
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as bug:  # noqa: BLE001 -- the outermost frame: told in full, never swallowed
            if is_interrupt(bug):
                raise typer.Exit(Exit.INTERRUPTED) from None
            traceback.print_exception(bug)
            say("error: this is a bug of Postcart, not of your input. Please report it with the lines above.")
            raise typer.Exit(Exit.BUG) from None
        return result


def exit_code(error: PostcartError) -> Exit:
    """3 where a service can't be reached, else 1."""
    return (
        Exit.UNREACHABLE
        if isinstance(error, BrokerUnavailable | RegistryUnavailable | ReadModelUnavailable | ChannelUnavailable)
        else Exit.FINDING
    )


def is_interrupt(error: BaseException) -> bool:
    """Whether this is Ctrl-C, also where C code noticed and swallowed it: the interpreter tells at the next call."""
    swallowed = isinstance(error, SystemError) and isinstance(error.__cause__, KeyboardInterrupt)
    return swallowed or isinstance(error, KeyboardInterrupt)


def interrupted_by(*signals: signal.Signals) -> None:
    """Have these signals raise ``KeyboardInterrupt``.

    Also Ctrl-C, for which Python does so itself: before Python 3.12 what its own handler raises has no instance, and
    in a delivery report confluent-kafka 2.16 loses it.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)


def report(error: PostcartError, *, debug: bool = False) -> None:
    """Tell ``error`` on stderr: what is wrong, what to do, where to read more; with ``debug`` also the traceback."""
    if debug:
        traceback.print_exception(error)
    problems = error.problems if isinstance(error, ConfigurationError) else (str(error),)
    if len(problems) == 1:
        say(f"error: {problems[0]}")
    else:
        say(f"error: {len(problems)} problems")
        for problem in problems:
            say(f"  {problem}")
    if isinstance(error, BrokerUnavailable) and "POSTCART_BOOTSTRAP" not in str(error):
        say(_where_kafka_should_be())
    say(f"See {ERRORS_PAGE}#{anchor(error)}" + ("" if debug else "; --debug shows where it happened."))


def anchor(error: PostcartError | type[PostcartError]) -> str:
    """The heading of docs/errors.md about this kind of error, as a link's target."""
    return error.code.replace("_", "-")


def say(line: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(line + "\n")


def _where_kafka_should_be() -> str:
    from postcart.cli.setup import current_settings  # noqa: PLC0415

    return (
        f"Check POSTCART_BOOTSTRAP ({current_settings().bootstrap}), that the broker runs, and that this machine "
        "reaches it; for a try, `make kafka` starts one."
    )


def _silence_stdout() -> None:
    """Python flushes stdout once more at its end, which would complain about the pipe that is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
