"""DETECT's and JOURNEY's tasks decide like `simulate`, however records come and whenever a worker crashes."""

import json
from collections import Counter
from random import Random
from typing import Any

import pytest

from histories import CAMPAIGNS, random_history, shuffled, tripled
from postcart.domain.detect.rules import Rules
from side_by_side import context, simulated, typed
from tasks_in_memory import Pipeline

Json = dict[str, Any]
WAYS = (lambda events, _: events, shuffled, tripled)


def check(seed: int) -> None:
    """One history, arriving in one of three ways, live or as a replay."""
    campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
    events = random_history(seed, campaign=campaign)
    arrivals = WAYS[seed % len(WAYS)](events, Random(seed))
    pipeline = Pipeline(context(campaign), Rules(seasons=campaign.peaks), Random(seed), replay=seed % 2 == 0)
    decided = pipeline.run(typed(arrivals))
    assert decided == simulated(events, campaign), seed
    assert pipeline.dead == [], seed
    due = [line for line in map(json.loads, decided.elements()) if line["type"] == "due"]
    jobs = Counter((job.episode_id, job.step, job.due_ms) for job in pipeline.jobs)
    assert jobs == Counter((line["episode_id"], line["step"], line["at"]) for line in due), seed
    assert len({job.job_id for job in pipeline.jobs}) == len(pipeline.jobs), seed
    assert all(job.planned_ms <= job.due_ms <= job.not_after_ms for job in pipeline.jobs), seed


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_tasks_decide_like_simulate(part: int) -> None:
    """Batches of any size, restarts from the changelog, records in order, shuffled, three times each."""
    for seed in range(part, 90, 3):
        check(seed)


@pytest.mark.parametrize("seed", [21_608, 70_238])
def test_found_before(seed: int) -> None:
    """An event before the first pending one; a cart forgotten while the next event is there already."""
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_more(part: int) -> None:
    """The same by the thousand."""
    for seed in range(10_000 + part, 10_600, 4):
        check(seed)
