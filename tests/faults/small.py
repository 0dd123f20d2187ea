"""The rows once more, small: several faults in one world, for every run of the tests.

Owns: which rows share a world. Must not: know how a fault is done.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from faults import checks, live
from faults.channel_rows import CHANNEL_ROWS
from faults.crash import KILLER, crash
from faults.load import over_change_of_clocks
from faults.mailroom import (
    Ambiguous,
    Answer,
    Drop,
    Late,
    Stage,
    by_policy,
    greylisting,
    holding_back,
    locked,
    nobody_there,
    polite,
)
from faults.poison import mend, own_templates, poison
from faults.proxied import disturb
from faults.registry import MixedEncoder, learn_and_redrive, served_registry, unknown_version, with_late_comers
from faults.rows import CARTS_BY_NAME, IN_DOUBT
from faults.scenario import (
    ASLEEP_S,
    IMPATIENT,
    KINDS,
    SENDER_POINTS,
    TRANSACTION_POINTS,
    Allowed,
    At,
    Do,
    Leave,
    Mails,
    Outage,
    OwnRow,
    Row,
    Storm,
    Strike,
    Together,
)
from faults.worker import Kind

_APART = 0.4
ONE_EACH: Mapping[Kind, int] = {"detect": 1, "journey": 1, "email": 1}


class Hardly:
    """A mail server with a trouble for everybody: refusals for good, answers that nobody hears, or late."""

    def __init__(self) -> None:
        self._manners = (
            nobody_there(_APART / 2),
            by_policy(_APART),
            Ambiguous(Drop(kept=True), share=0.15),
            Ambiguous(Late(4.0), share=0.3),
        )

    @property
    def count(self) -> int:
        """How many answers nobody heard."""
        return sum(getattr(manner, "count", 0) for manner in self._manners)

    def __call__(self, stage: Stage, subject: str) -> Answer:
        """The first manner that has a word."""
        return next((said for manner in self._manners if (said := manner(stage, subject)) is not None), None)


@contextmanager
def _own_records(folder: Path) -> Iterator[Mapping[str, str]]:
    with ExitStack() as stack:
        yield {**stack.enter_context(own_templates(folder)), **stack.enter_context(served_registry(folder))}


def _struck(random: Random) -> list[At]:
    """One kill in each kind of worker, at a point of the seed's choice, at once.

    Not between two batches of a turn, as the long rows have it: with so few events there may never be two.
    """
    points = {kind: SENDER_POINTS if kind == "email" else TRANSACTION_POINTS for kind in KINDS}
    return [At(0.1, Together(tuple((At(0.1, Strike(kind, random.choice(points[kind]))),) for kind in KINDS)))]


def _gone(random: Random) -> list[At]:
    """Each kind of worker: one is told to go, then one stands still past its session, at once."""
    points = {kind: SENDER_POINTS if kind == "email" else ("produced", "offsets") for kind in KINDS}
    tracks = tuple(
        (At(0.1, Leave(kind)), At(0.2, Strike(kind, random.choice(points[kind]), "stop", ASLEEP_S))) for kind in KINDS
    )
    return [At(0.1, Together(tracks))]


def _stopped_by_word(world: Any) -> list[str]:
    return live.nobody_who_ordered(world) + live.nobody_who_opted_out(world)


_CART_ROWS: tuple[Row, ...] = (
    Row(
        name="brokers",
        fault="resets and delays, one broker down, all brokers down",
        expected="lost 0, duplicates 0",
        steps=lambda _: [
            At(0.1, Do(disturb, "resets and delays")),
            At(0.4, Outage((1,), 6.0)),
            At(0.6, Outage((0, 1, 2), 8.0)),
        ],
        crew={"detect": 1, "journey": 1, "email": 2},
        brokers=3,
        proxied=True,
        load_s=25.0,
        allowed=IN_DOUBT,
    ),
    Row(
        name="held-back",
        fault="orders and opt-outs while the channel is held back",
        expected="0 reminders after them",
        steps=lambda _: [
            At(0.0, Mails(holding_back)),
            At(1.0, Do(live.opt_out, "opt-outs")),
            At(1.0, Do(live.reopen, "the channel opens")),
        ],
        crew=ONE_EACH,
        live=True,
        load=live.shoppers,
        around=live.short_campaign,
        check=_stopped_by_word,
        allowed=Allowed(suppressed=frozenset({"ordered", "no_consent"})),
    ),
    replace(CARTS_BY_NAME["clock"], crew=ONE_EACH, steps=live.tossed),
    Row(
        name="killed",
        fault="kill -9 in each kind of worker, every event three times and shuffled",
        expected="lost 0; carts never twice",
        steps=_struck,
        times=3,
        late_ms=299_999,
        load_s=15.0,
        allowed=IN_DOUBT,
    ),
    Row(
        name="stopped",
        fault="SIGTERM, then SIGSTOP past the session, in each kind of worker",
        expected="lost 0; carts never twice; fenced",
        steps=_gone,
        load_s=30.0,
        allowed=IN_DOUBT,
    ),
    Row(
        name="records",
        fault="poison, killer records, mixed schemas; mended and redriven",
        expected="one dead letter each; redrive works",
        steps=lambda _: [
            At(0.2, Do(crash, "killer records")),
            At(0.3, Do(poison, "poison")),
            At(0.4, Do(unknown_version, "unknown version")),
            At(0.9, Do(mend, "mend and redrive")),
            At(1.0, Do(learn_and_redrive, "learn and redrive")),
        ],
        crew=ONE_EACH,
        around=_own_records,
        load=with_late_comers,
        encoder=MixedEncoder,
        told={"crash_on": KILLER},
        load_s=20.0,
        allowed=Allowed(uncertain=True, codes=frozenset({-6, 75})),
    ),
    Row(
        name="server",
        fault="451, 535, 550 5.1.1, 550 5.7.1, connection lost after the final dot, answers too late",
        expected="no loss; carts never twice",
        steps=lambda _: [
            At(0.0, Mails(Hardly)),
            At(0.6, Mails(greylisting)),
            At(0.75, Mails(locked)),
            At(0.85, Mails(lambda: polite)),
        ],
        crew=ONE_EACH,
        variables=IMPATIENT,
        apart=_APART,
        check=checks.one_attempt_each_or_policy,
        load_s=18.0,
        allowed=Allowed(uncertain=True, rejected=True, suppressed=frozenset({"suppressed_address"})),
    ),
    Row(
        name="storm",
        fault="senders come and go every 3 s",
        expected="lost 0, duplicates 0, uncertain 0",
        steps=lambda _: [At(0.1, Storm(("email",), 12.0, most=3, every_s=3.0))],
        crew=ONE_EACH,
        partitions=6,
        load_s=18.0,
    ),
    Row(
        name="places",
        fault="64 descriptors, clocks that change for the summer",
        expected="lost 0, duplicates 0",
        load=over_change_of_clocks,
        variables={"TZ": "Europe/Berlin"},
        told={"descriptors": 64},
        crew=ONE_EACH,
        load_s=8.0,
    ),
    replace(CARTS_BY_NAME["disk-full"], crew=ONE_EACH, load_s=20.0),
)
"""In the order in which they are begun: those that mostly wait come first."""
_ELSEWHERE = frozenset({"parcels"})
"""tests/stream/test_track_pipeline.py is that row, small."""

SMALL: tuple[Row | OwnRow, ...] = (*_CART_ROWS, *(row for row in CHANNEL_ROWS if row.name not in _ELSEWHERE))
