"""`simulate` and the naive implementation decide alike, on real data and on generated histories.

A difference names one of the two as wrong; docs/decisions.md says which.
"""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import CAMPAIGNS, history, moves, random_history, tripled
from oracle import Campaign, read_rows, structure
from postcart.codecs.rees46 import read_rees46
from postcart.events.shop import OrderPlaced, ProfileUpdated, ShopEvent, time_ms
from side_by_side import as_json, differences, naive, product_lines, product_list, typed

FILES = sorted((Path(__file__).parents[1] / "fixtures" / "rees46").glob("data_*.csv"))
TENANT = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
GOLDEN = {
    (0.0, 0.0): {"inactivity": 125, "planned": 375, "due": 363, "returned": 12},
    (0.3, 0.5): {"inactivity": 128, "planned": 252, "due": 240, "returned": 12},
}
"""Per share of anonymous users and of users with two devices: abandonments by trigger, steps by what became of them."""


def imported(anonymous: float, devices: float) -> list[ShopEvent]:
    """The three files as shop events."""
    options = {"anonymous": anonymous, "devices": devices}
    return list(read_rees46(FILES, tenant=TENANT, identity_key=b"for tests", **options))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("anonymous", "devices"), [(0.0, 0.0), (0.3, 0.5), (1.0, 0.0)])
def test_real_data(anonymous: float, devices: float) -> None:
    """On three mornings of a real shop, with all, some or none of its visitors known."""
    events = imported(anonymous, devices)
    for campaign in CAMPAIGNS:
        assert product_lines(events, campaign) == naive(as_json(events), campaign)


@pytest.mark.parametrize("shares", GOLDEN)
def test_real_data_in_numbers(shares: tuple[float, float]) -> None:
    """What both say of the three files, counted; a change here is a change of decisions."""
    counts: Counter[str] = Counter()
    for text in product_lines(imported(*shares), Campaign()).elements():
        line = json.loads(text)
        counts[line.get("reason") or line.get("trigger") or line["type"]] += 1
    assert counts == GOLDEN[shares]


def test_the_importer_reads_the_files_as_the_naive_implementation_does() -> None:
    """The same sequence of times, kinds, variants and quantities per user."""
    tenant_of = {f"user-{user}@shop.example": user for user in structure(read_rows(FILES))}
    users: dict[str, str] = {}
    told: dict[str, list[tuple[Any, ...]]] = {}
    for event in sorted(imported(0.0, 0.0), key=lambda event: (time_ms(event), event.sequence)):
        if isinstance(event, ProfileUpdated):
            users[event.person_id] = tenant_of[event.email or ""]
        elif isinstance(event, OrderPlaced):
            told.setdefault(users[event.person_id], []).append((time_ms(event), event.sequence, "placed", None, None))
        else:
            entry = as_json([event])[0]
            if entry["type"] == "identified":
                users[entry["visitor_id"]] = users[entry["person_id"]]
                continue
            line = entry.get("line", entry)
            said = (time_ms(event), event.sequence, entry["type"], line.get("variant_id"), line.get("quantity"))
            told.setdefault(users[entry["visitor_id"]], []).append(said)
    expected = {
        user: [(one.at, one.sequence, one.kind, one.variant, one.quantity) for one in history]
        for user, history in structure(read_rows(FILES)).items()
    }
    assert {user: sorted(history, key=repr) for user, history in told.items()} == {
        user: sorted(history, key=repr) for user, history in expected.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("campaign", CAMPAIGNS)
@settings(max_examples=40, derandomize=True, deadline=None, database=None)
@given(moves=moves(), start=st.sampled_from(range(6)))
def test_generated_histories(campaign: Campaign, moves: list[Any], start: int) -> None:
    """Hypothesis looks for a history on which they differ, and makes it small."""
    assert differences(history(moves, start=start, campaign=campaign), campaign) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("campaign", CAMPAIGNS)
@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(moves=moves(), start=st.sampled_from(range(6)))
def test_more_generated_histories(campaign: Campaign, moves: list[Any], start: int) -> None:
    """The same, looking longer."""
    assert differences(history(moves, start=start, campaign=campaign), campaign) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_more_histories(part: int) -> None:
    """Histories aimed at the edges by the decisions themselves, by the thousand; the seed names the history."""
    for seed in range(part, 3_000, 4):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        assert differences(random_history(seed, campaign=campaign), campaign) == ([], []), seed


def test_repeats_and_order_of_arrival_change_nothing() -> None:
    """Every event three times, shuffled: the same decisions in the same order."""
    for seed in range(150):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        events = random_history(seed, campaign=campaign)
        arrived = tripled(events, Random(seed))
        assert product_list(typed(arrived), campaign) == product_list(typed(events), campaign), seed
