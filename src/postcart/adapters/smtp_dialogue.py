"""Commands and answers over an open SMTP connection.

Owns: which answer belongs to what was said, and when a text has left this machine. Must not: know what an answer means
for a message, or open connections (aiosmtplib does, with TLS and login; it reads one answer at a time).
"""

import asyncio
from collections import deque
from typing import NamedTuple

_LONGEST_ANSWER = 65_536
_MALFORMED = -1


class Answer(NamedTuple):
    """What the server said; ``code`` is -1 for what is no SMTP. Lines of a longer answer are joined by line ends."""

    code: int
    text: str


class Dialogue(asyncio.Protocol):
    """Takes a transport over once the session is set up.

    Answers are those to what was said, in its order. A server that speaks without being asked takes its leave: then,
    as after anything that is no SMTP, the dialogue is over.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._lines: list[bytes] = []
        self._open_questions = 0
        self._answers: deque[Answer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: Exception | None = None
        self._paused = False
        self.answered = 0
        """Answers heard so far."""
        # With no room above zero a write is told to be over only when the operating system has every byte.
        transport.set_write_buffer_limits(high=0)
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether it can go on, as far as is known without asking."""
        return self._lost is None and not self._transport.is_closing()

    def say(self, *commands: bytes) -> None:
        """Write commands, all at once; an answer to each is to be read.

        Raises:
            ConnectionError: There is no connection any more.
        """
        self._open_questions += len(commands)
        self._write(b"\r\n".join((*commands, b"")))

    async def answer(self, timeout_s: float) -> Answer:
        """The next answer to what was said.

        Raises:
            ConnectionError: The connection is gone, and no answer is left.
            TimeoutError: There is none in time.
        """
        if not self._answers:
            async with asyncio.timeout(timeout_s):
                while not self._answers:
                    self._check()
                    await self._something()
        return self._answers.popleft()

    async def text(self, stuffed: bytes, timeout_s: float) -> bool:
        """Write a message without its final dot, and wait until it is out. False: the server answered before that.

        Raises:
            ConnectionError: It was lost meanwhile.
            TimeoutError: The server does not take it in time.
        """
        self._open_questions += 1
        self._write(stuffed)
        async with asyncio.timeout(timeout_s):
            while self._paused and not self._answers:
                self._check()
                await self._something()
        return not self._answers

    def dot(self) -> None:
        """End the text."""
        self._write(b".\r\n")

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Lines of answers."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._lines.append(line)
            if line[3:4] != b"-":
                self._answered(_parsed(self._lines))
                self._lines = []
        if len(self._unread) + sum(map(len, self._lines)) > _LONGEST_ANSWER:
            self._answered(Answer(_MALFORMED, "an answer without end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """By the server, the network, or by ``close``."""
        self._lost = exc or ConnectionResetError("connection lost")
        self._wake()

    def pause_writing(self) -> None:
        """The operating system does not take all of it yet."""
        self._paused = True

    def resume_writing(self) -> None:
        """All is out."""
        self._paused = False
        self._wake()

    def _answered(self, answer: Answer) -> None:
        if not self._open_questions:
            self._transport.close()
            return
        self._open_questions -= 1
        self.answered += 1
        self._answers.append(answer)
        if answer.code == _MALFORMED:
            self._transport.close()
        self._wake()

    def _write(self, data: bytes) -> None:
        self._check()
        self._transport.write(data)

    def _check(self) -> None:
        if self._lost is not None or self._transport.is_closing():
            raise ConnectionResetError("connection lost") from self._lost

    async def _something(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _parsed(lines: list[bytes]) -> Answer:
    try:
        code = int(lines[-1][:3])
    except ValueError:
        return Answer(_MALFORMED, f"malformed answer: {lines[-1].decode(errors='replace')}")
    return Answer(code, "\n".join(line[4:].strip().decode("utf-8", "surrogateescape") for line in lines))
