"""What happened, and why: the demo's result in numbers and words.

Owns: those numbers, from what the pipeline itself wrote. Must not: print, or ask ``simulate`` for a number.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from postcart.events.decisions import CancelReason, Decision, StepCancelled, StepDue, StepPlanned
from postcart.wiring.demo.tally import Tally

WHY: Final[dict[CancelReason, str]] = {
    "returned": "the person came back to the shop first",
    "ordered": "the person ordered",
    "emptied": "the cart was emptied",
    "cool_off": "reminded within the last 7 days",
    "no_consent": "the person never agreed to reminders",
    "no_contact": "no address is known",
    "collapsed": "too late for it: recognised only afterwards",
    "merged": "the same cart on another device",
    "not_after": "its time had passed",
    "expired": "the cart was too old",
}
"""What each reason means, for people."""

SENT: Final = "sent"
WAITED: Final = "waited"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: how often, by step."""

    what: str
    why: str
    by_step: tuple[int, ...]
    part: bool = False

    @property
    def total(self) -> int:
        """Over all steps."""
        return sum(self.by_step)


@dataclass(frozen=True, slots=True)
class Difference:
    """What this run decided otherwise than ``simulate``."""

    missing: int
    extra: int
    examples: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Nothing."""
        return not self.missing and not self.extra


def rows(tally: Tally) -> list[Row]:
    """The table of reminders: planned, sent, stopped by each reason."""
    steps = sorted({one.step for one in tally.decisions if isinstance(one, StepPlanned)})

    def row(what: str, why: str, found: Iterable[int], *, part: bool = False) -> Row:
        counts = Counter(found)
        return Row(what, why, tuple(counts[step] for step in steps), part)

    table = [
        row("planned", "a cart was left behind", (d.step for d in tally.decisions if isinstance(d, StepPlanned))),
        row(SENT, "nothing stopped it", (d.step for d in tally.decisions if isinstance(d, StepDue))),
        row(
            WAITED,
            "of these: it was night where the person lives",
            (d.step for d in deferred(tally.decisions)),
            part=True,
        ),
    ]
    cancelled = [one for one in tally.decisions if isinstance(one, StepCancelled)]
    for reason, why in WHY.items():
        found = [one.step for one in cancelled if one.reason == reason]
        if found:
            table.append(row(f"stopped: {reason.replace('_', ' ')}", why, found))
    return table


def deferred(decisions: Iterable[Decision]) -> list[StepDue]:
    """The reminders that went out later than planned."""
    planned: dict[tuple[str, int], StepPlanned] = {}
    found = []
    for one in decisions:
        if isinstance(one, StepPlanned):
            planned[one.episode_id, one.step] = one
        elif isinstance(one, StepDue):
            plan = planned.get((one.episode_id, one.step))  # missing where this run differs from simulate
            if plan is not None and one.at > plan.at:
                found.append(one)
    return found


def compare(tally: Tally, expected: Counter[bytes]) -> Difference:
    """This run's decisions and those of ``simulate``, line by line."""
    missing, extra = expected - tally.lines, tally.lines - expected
    lines = [
        *(f"only simulate: {line.decode()}" for line in missing),
        *(f"only this run: {line.decode()}" for line in extra),
    ]
    return Difference(missing.total(), extra.total(), tuple(lines[:6]))


def outcomes(tally: Tally, channel: str) -> dict[str, int]:
    """What the channel's provider answered, by outcome; ``accepted`` always among them."""
    counts = Counter(receipt.outcome for receipt in tally.receipts.values() if receipt.channel == channel)
    return {"accepted": counts.pop("accepted", 0), **dict(sorted(counts.items()))}
