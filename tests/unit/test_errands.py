"""Requests to the thread that owns a consumer."""

import threading
from concurrent.futures import CancelledError
from typing import Any

import pytest

from postcart.adapters.rdkafka.errands import Errands
from postcart.errors import Fenced

CONSUMER: Any = object()
"""What requests are given; here nobody calls it."""


def test_all_that_waits_is_done_in_order_with_the_consumer() -> None:
    """One that fails keeps nobody else from being served, and the error is the asker's."""
    errands, seen = Errands(), list[str]()
    answers = [errands.ask(lambda consumer, name=name: (seen.append(name), consumer)) for name in "ab"]  # type: ignore[misc]
    failing = errands.ask(lambda _: 1 // 0)
    last = errands.ask(lambda _: seen.append("c"))
    errands.serve(CONSUMER)
    assert seen == ["a", "b", "c"]
    assert all(answer.result(0)[1] is CONSUMER for answer in answers)
    assert isinstance(failing.exception(0), ZeroDivisionError)
    assert last.done()


def test_who_waits_for_requests_is_woken_by_one() -> None:
    """The wait ends with the first request, not with its time; without any it ends by itself."""
    errands = Errands()
    errands.serve(CONSUMER, wait_s=0.001)
    thread = threading.Thread(target=lambda: errands.serve(CONSUMER, wait_s=600.0))
    thread.start()
    assert errands.ask(lambda _: "done").result(60) == "done"
    thread.join(60)
    assert not thread.is_alive()


def test_after_the_end_all_are_refused() -> None:
    """Whoever asks must not wait for ever, whether they asked before it or after."""
    errands = Errands()
    before = errands.ask(lambda _: pytest.fail("there is nothing to ask"))
    errands.end()
    after = errands.ask(lambda _: pytest.fail("there is nothing to ask"))
    for asked in (before, after):
        with pytest.raises(Fenced, match="no consumer"):
            asked.result(0)


def test_what_was_given_up_is_not_done() -> None:
    """A cancelled request is passed over."""
    errands = Errands()
    given_up, other = errands.ask(lambda _: pytest.fail("it was cancelled")), errands.ask(lambda _: 1)
    assert given_up.cancel()
    errands.serve(CONSUMER)
    assert other.result(0) == 1
    with pytest.raises(CancelledError):
        given_up.result(0)
