"""The demo's provider of text messages: one with Twilio's API, in the demo's own process.

Owns: its life, and the settings that lead to it. Must not: check messages (adapters.sandbox does).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from postcart.adapters.sandbox.sms import ACCOUNT, SECRET, SmsSandbox, Text
from postcart.adapters.web_server import WebServer

_SENDER: Final = "+12025550100"


@dataclass(frozen=True, slots=True)
class Texting:
    """The provider while it runs, and what it took afterwards.

    Attributes:
        settings: Environment variables that lead to it.
    """

    sandbox: SmsSandbox
    settings: Mapping[str, str]

    @property
    def texts(self) -> list[Text]:
        """What it took; ``key`` is the job."""
        return self.sandbox.taken


@contextmanager
def text_provider() -> Iterator[Texting]:
    """Run it on any free port while the block lasts."""
    sandbox = SmsSandbox()
    with WebServer(sandbox.app, port=0, drain_s=1).running() as server:
        yield Texting(
            sandbox,
            {
                "POSTCART_SMS__BASE_URL": f"http://127.0.0.1:{server.port}",
                "POSTCART_SMS__ACCOUNT": ACCOUNT,
                "POSTCART_SMS__SECRET": SECRET,
                "POSTCART_SMS__SENDER": _SENDER,
            },
        )
