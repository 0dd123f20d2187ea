"""One SMTP connection: one message at a time.

Owns: the order of a delivery, and the knowledge whether the final dot was written. Must not: retry, pool, or decide.

Only the final dot makes a message the server's. So the text is written and flushed first, and the dot after it, by
itself: whatever breaks before is certainly not accepted, whatever breaks after may be. The envelope and DATA go out
together where the server offers that (PIPELINING, RFC 2920): two journeys to it and back fewer for each message.
"""

import asyncio
import re
import ssl
from collections.abc import Collection, Sequence
from typing import NamedTuple

from postcart.adapters.smtp_answers import Stage, detail_of, refusal, status_of
from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.smtp_dialogue import Answer, Dialogue
from postcart.adapters.smtp_opening import open_dialogue
from postcart.errors import (
    ChannelUnavailable,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)

_QUIT_TIMEOUT_S = 2.0
_OK, _OK_FOR_RECIPIENT, _START_INPUT = frozenset({250}), frozenset({250, 251}), frozenset({354})
_COMPLETED = range(200, 300)
_UNSAFE = re.compile(r"[\x00-\x20<>\x7f]")


class _Command(NamedTuple):
    """What is said, and the answers after which the delivery goes on."""

    stage: Stage
    text: bytes
    taken: Collection[int]


class _Refused(Exception):  # noqa: N818 -- an answer, not yet an error
    """The server said no to something."""

    def __init__(self, stage: Stage, answer: Answer) -> None:
        self.stage = stage
        self.answer = answer


class Accepted(NamedTuple):
    """The server took the message."""

    status: str
    detail: str


class SmtpConnection:
    """A connection to the server. Not to be used by two tasks at once."""

    def __init__(self, config: SmtpConfig, context: ssl.SSLContext | None) -> None:
        self._config = config
        self._context = context
        self._dialogue: Dialogue | None = None
        self._offers: frozenset[str] = frozenset()
        self.sent = 0
        """Messages that were tried on it."""
        self.used_at = 0.0
        """For the pool: when it was last given back, on the pool's clock."""
        self.lost_early = False
        """The last ``deliver`` found the connection dead before the server had answered anything."""

        self.refused = False
        """The last ``deliver`` was refused: a message may be half done."""
        self._dotted = False

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known without asking."""
        return self._dialogue is not None and self._dialogue.is_open

    async def open(self) -> None:
        """Connect, secure and log in.

        Raises:
            ChannelUnavailable: The server can't be reached, refuses the session, or TLS fails.
            CredentialsRejected: It refuses the login.
        """
        self._dialogue, self._offers = await open_dialogue(self._config, self._context)

    async def deliver(self, envelope_from: str, recipient: str, message: bytes) -> Accepted:
        """Send one message.

        Args:
            envelope_from: Takes the bounces; may be empty.
            recipient: One address.
            message: With CRLF line ends, ending in one.

        Raises:
            DeliveryError: One of its classes, see ``smtp_answers`` and the module's docstring.
        """
        self.sent += 1
        self.lost_early = self.refused = False
        dialogue = self._opened()
        asked, self._dotted = dialogue.answered, False
        try:
            async with asyncio.timeout(self._config.message_timeout_s):
                await self._envelope(dialogue, self._commands(envelope_from, recipient, len(message)))
                answer = await self._text(dialogue, _stuffed(message))
            return Accepted(status_of(*answer), detail_of(answer.text, recipient, envelope_from))
        except _Refused as no:
            raise self._refused(refusal(*no.answer, no.stage, recipient, envelope_from)) from None
        except ValueError:
            raise RecipientRejected("an address can't be written into a command", status="5.1.3") from None
        except (OSError, TimeoutError) as error:
            self.lost_early = dialogue.answered == asked and isinstance(error, ConnectionError)
            self.close()
            raise _broken(error, dotted=self._dotted) from error
        except BaseException:
            self.close()  # cancelled in mid-dialogue: nobody reads the answer any more
            raise

    async def reset(self) -> bool:
        """Ask the server to forget a half-done message. False if it does not, then the connection is closed."""
        if await self._asked(b"RSET", self._config.timeout_s) not in _OK:
            self.close()
        return self.is_open

    async def quit(self) -> None:
        """Leave politely."""
        await self._asked(b"QUIT", min(self._config.timeout_s, _QUIT_TIMEOUT_S))
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        if self._dialogue is not None:
            self._dialogue.close()

    async def _asked(self, command: bytes, timeout_s: float) -> int | None:
        """The code of the answer to something beside a delivery. None, and closed, where the server is gone."""
        dialogue = self._opened()
        try:
            dialogue.say(command)
            return (await dialogue.answer(timeout_s)).code
        except (OSError, TimeoutError):
            self.close()
            return None
        except BaseException:
            self.close()  # cancelled: nobody reads the answer any more
            raise

    def _opened(self) -> Dialogue:
        if self._dialogue is None:
            raise ChannelUnavailable("the connection is not open")
        return self._dialogue

    def _commands(self, envelope_from: str, recipient: str, size: int) -> Sequence[_Command]:
        declared = f" SIZE={size}".encode() if "size" in self._offers else b""
        return (
            _Command("mail", b"MAIL FROM:" + _path(envelope_from) + declared, _OK),
            _Command("rcpt", b"RCPT TO:" + _path(recipient), _OK_FOR_RECIPIENT),
            _Command("data", b"DATA", _START_INPUT),
        )

    async def _envelope(self, dialogue: Dialogue, commands: Sequence[_Command]) -> None:
        """Up to the word that the text may come. Raises _Refused, and leaves no answer unread."""
        at_once = self._config.pipelining and "pipelining" in self._offers
        for together in [commands] if at_once else [[one] for one in commands]:
            dialogue.say(*(command.text for command in together))
            for number, command in enumerate(together):
                answer = await dialogue.answer(self._config.timeout_s)
                if answer.code not in command.taken:
                    await self._unsaid(dialogue, len(together) - number - 1)
                    raise _Refused(command.stage, answer)

    async def _unsaid(self, dialogue: Dialogue, answers: int) -> None:
        """Hear what the server makes of what was said behind something that it refused."""
        try:
            for _ in range(answers):
                if (await dialogue.answer(self._config.timeout_s)).code in _START_INPUT:
                    await self._text(dialogue, b"")  # it wants a text for nobody: the lone dot ends it (RFC 2920, 3.1)
        except _Refused:
            pass
        except (OSError, TimeoutError):
            self.close()

    async def _text(self, dialogue: Dialogue, stuffed: bytes) -> Answer:
        """The text, then the dot; the server's word that it has it. Raises _Refused."""
        if await dialogue.text(stuffed, self._config.timeout_s):
            dialogue.dot()
            self._dotted = bool(stuffed)
        else:
            self.close()  # it answered within the text, whatever it would make of the rest
        answer = await dialogue.answer(self._config.timeout_s)
        if answer.code not in _COMPLETED:
            raise _Refused("data", answer)
        return answer

    def _refused(self, error: DeliveryError) -> DeliveryError:
        # A clear no to this message leaves the dialogue usable after a reset; anything else does not.
        if isinstance(error, RecipientRejected | DeliveryDeferred):
            self.refused = True
        else:
            self.close()
        return error


def _path(address: str) -> bytes:
    """An address as it stands in a command. Raises ValueError for what would end it early, or is not ASCII."""
    if not address.isascii() or _UNSAFE.search(address):
        raise ValueError("an address that can't stand in a command")
    return f"<{address}>".encode("ascii")


def _stuffed(message: bytes) -> bytes:
    """RFC 5321, 4.5.2: a line that begins with a dot gets another."""
    text = message.replace(b"\r\n.", b"\r\n..")
    return b"." + text if text.startswith(b".") else text


def _broken(error: BaseException, *, dotted: bool) -> DeliveryError:
    what = "no answer in time" if isinstance(error, TimeoutError) else "the connection was lost"
    if dotted:
        return DeliveryUncertain(f"{what} after the whole message was sent")
    return ChannelUnavailable(f"{what} before the message was complete; nothing was accepted")
