"""What became of jobs: a step counts as sent until a receipt says that it was not.

Owns: how receipts change a person's row. Must not: talk to a provider, or send anything again by itself.
"""

from msgspec import structs

from postcart.domain.caps import Reserved
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.events.jobs import Receipt

_GONE = frozenset({"accepted", "uncertain"})
_REARM = frozenset({"returned", "merged", "superseded"})
"""Suppressed for these reasons, a step may be planned again by the next arming."""


def settle(person: Person, receipt: Receipt, out: Decided) -> bool:
    """Take in a receipt. Idempotent; ``accepted`` overrides ``uncertain``. Returns whether it was news."""
    item = person.outstanding.get(receipt.job_id)
    if item is None and receipt.job_id in person.rejected:
        return _redriven(person, receipt)
    if item is None or receipt.attempt < item.job.attempt:
        return False
    if receipt.outcome == "not_accepted":
        # Also past not_after: the gate then ends the job, so that it has its one final receipt.
        item.retry_ms = receipt.not_before_ms or receipt.at_ms
        return True
    del person.outstanding[receipt.job_id]
    if receipt.outcome in _GONE:
        person.cancelled.pop(receipt.job_id, None)
        return True
    if person.sent.pop(receipt.job_id, None) is not None and receipt.outcome == "rejected":
        person.rejected[receipt.job_id] = receipt.at_ms
    else:
        person.cancelled.pop(receipt.job_id, None)
    person.reserved.pop(receipt.job_id, None)
    _texted(person, receipt, texted=False)
    if receipt.outcome == "suppressed" and receipt.reason in _REARM:
        _plan_again(person, receipt.job_id, out)
    return True


def _redriven(person: Person, receipt: Receipt) -> bool:
    """A job that was rejected has gone out after all, as a later revision: it counts as sent from then on."""
    if receipt.outcome not in _GONE:
        return False
    del person.rejected[receipt.job_id]
    person.cancelled.pop(receipt.job_id, None)
    person.sent[receipt.job_id] = receipt.at_ms
    person.reserved[receipt.job_id] = Reserved(receipt.channel, receipt.at_ms)
    _texted(person, receipt, texted=True)
    return True


def _texted(person: Person, receipt: Receipt, *, texted: bool) -> None:
    episode = person.episode
    if receipt.channel == "sms" and episode is not None and episode.episode_id == receipt.episode_id:
        episode.texted = texted


def retry_due(person: Person, clock_ms: int, out: Decided) -> None:
    """Emit a cart's job again that a provider asked to try later; the gate looks at everything once more."""
    for item in person.outstanding.values():
        if item.retry_ms and item.retry_ms <= clock_ms and item.is_cart:
            item.retry_ms = 0
            item.job = structs.replace(item.job, attempt=item.job.attempt + 1)
            out.jobs.append(item.job)


def _plan_again(person: Person, job_id: str, out: Decided) -> None:
    """The step of a stopped job is unsent; if the episode was armed anew meanwhile, it is planned by that arming."""
    episode = person.episode
    number = next((n for n, state in enumerate(episode.steps) if state.job_id == job_id), None) if episode else None
    if episode is None or number is None:
        return
    state = episode.steps[number]
    former_ms = state.planned_ms
    state.job_id, state.planned_ms, state.next_ms = None, 0, 0
    planned_ms = episode.armed_ms + episode.journey.steps[number].after_ms
    if planned_ms > former_ms and not person.in_session:
        state.planned_ms = state.next_ms = planned_ms
        out.planned(person, episode, number, planned_ms)
