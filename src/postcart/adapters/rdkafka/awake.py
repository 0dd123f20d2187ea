"""Keeps a consumer's own thread awake, whatever happens to the machine's clock.

Owns: how that is done, and how records are awaited outside librdkafka. Must not: know what they are for.

librdkafka waits by the wall clock (its issue 2145): when that is set back by an hour, whoever waits inside it waits an
hour, and its own thread sends no heartbeats meanwhile. So consumers ask it only for what is there, wait by the
monotonic clock themselves, and ask its thread something once a second, which wakes it.
"""

import time
from typing import Final

from confluent_kafka import Consumer, Message

_WAKE_S: Final = 1.0
_LOOK_S: Final = 0.02


class Awake:
    """Of one consumer; called on the thread that owns it."""

    def __init__(self) -> None:
        self._woken_s = 0.0

    def keep(self, consumer: Consumer) -> None:
        """Wake the client's thread if it is time again."""
        now_s = time.monotonic()
        if now_s - self._woken_s > _WAKE_S:
            self._woken_s = now_s
            consumer.memberid()

    def consume(self, consumer: Consumer, most: int, wait_s: float) -> list[Message]:
        """As ``consumer.consume``: at most so many messages, those of so many seconds."""
        until_s = time.monotonic() + wait_s
        found: list[Message] = []
        while True:
            self.keep(consumer)
            found += consumer.consume(most - len(found), 0)
            left_s = until_s - time.monotonic()
            if len(found) >= most or left_s <= 0:
                return found
            time.sleep(min(left_s, _LOOK_S))
