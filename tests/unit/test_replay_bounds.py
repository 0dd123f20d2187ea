"""The bound that open events set to a replay's clock, for any order that the disorder allows."""

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.replay.bounds import OpenEvents
from postcart.errors import ConfigurationError
from postcart.events.shop import SessionStarted

DISORDER_MS = 50


def event(at_ms: int, number: int = 0) -> SessionStarted:
    return SessionStarted(id=f"{at_ms}/{number}", time=1_000 + at_ms, visitor_id="visitor")


def shuffled(times: list[int], seed: int) -> list[int]:
    """In an order in which none comes after one that is more than the disorder younger."""
    jitter = random.Random(seed)
    return [at for _, at in sorted((at + jitter.uniform(0, DISORDER_MS), at) for at in times)]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(), st.randoms(use_true_random=False))
def test_the_bound_is_exact(times: list[int], seed: int, chance: random.Random) -> None:
    """T never covers an event that is not acknowledged, read or not, and reaches the youngest one before it."""
    order = shuffled(times, seed)
    opened = OpenEvents((event(at, n) for n, at in enumerate(order)), DISORDER_MS)
    unacknowledged: dict[int, int] = {}
    missing = {n: 1_000 + at for n, at in zip(count(1), order, strict=False)}
    while not opened.finished:
        opened.read_ahead()
        if opened.unsent and (not unacknowledged or chance.random() < 0.5):
            at_ms, number, _ = opened.unsent.popleft()
            unacknowledged[number] = at_ms
        elif unacknowledged:
            number = chance.choice(sorted(unacknowledged))
            del unacknowledged[number], missing[number]
            opened.acknowledge(number)
        bound = opened.bound_ms
        if missing:
            assert bound is not None
            assert bound < min(missing.values())
            if opened.unsent or unacknowledged:
                assert bound == min(missing.values()) - 1
    assert opened.bound_ms is None
    assert not missing


def test_more_disorder_than_allowed() -> None:
    """An event that the clock may have passed already ends the replay; it is named."""
    opened = OpenEvents(iter([event(60), event(10), event(9)]), DISORDER_MS)
    with pytest.raises(ConfigurationError, match=r"9/0 .* more than the 0 s"):
        opened.read_ahead()
