"""The command line: what people type, what they see, and how it ends.

Owns: commands, options, output and exit codes. Must not: hold logic that something other than a person at a terminal
needs; that lives below. Modules are imported inside the commands, so that ``postcart --help`` answers at once.
"""

import signal
import sys


def main() -> None:
    """Run ``postcart`` with the process's arguments, and exit.

    Exit codes: 0 all is well, 1 something was found to be wrong, 2 the command was typed wrong, 3 a service can't be
    reached, 70 a bug of Postcart, 130 stopped by Ctrl-C, 141 the reader of the output went away.
    """
    from postcart.cli.app import app  # noqa: PLC0415 -- importing the package must stay free
    from postcart.cli.failures import interrupted_by  # noqa: PLC0415

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where Ctrl-C is to be ignored, as by nohup
        interrupted_by(signal.SIGINT)
    app(prog_name="postcart", args=_debug_first(sys.argv[1:]))


def _debug_first(arguments: list[str]) -> list[str]:
    """``--debug`` may stand anywhere before ``--``: people add it to the end of what they typed before."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" not in arguments[:end]:
        return arguments
    return ["--debug", *(word for word in arguments[:end] if word != "--debug"), *arguments[end:]]
