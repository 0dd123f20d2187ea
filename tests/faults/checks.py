"""What single rows promise besides conservation.

Owns: those checks over a world at its end. Must not: wait or change anything.
"""

from faults.world import World

_HEARD_MS = 5_000
"""So soon, in real time, everybody has heard of a refused address."""


def one_attempt_each(world: World) -> list[str]:
    """An address that does not exist is tried once, and not for what comes due once that is known; nothing reaches it.

    In a replay messages are judged by the time at which they are due, which may lie long before the moment of sending.
    """
    receipts = world.receipts()
    refused = [receipt for receipt in receipts if receipt.outcome == "rejected"]
    problems = [] if refused else ["no address was refused: the run proves nothing"]
    if not any(receipt.reason == "suppressed_address" for receipt in receipts):
        problems.append("no message was held back for its address: the run proves nothing")
    known_ms: dict[str | None, float] = {}
    for receipt in refused:
        heard_ms = receipt.at_ms + _HEARD_MS * world.feed.speed
        known_ms[receipt.contact_id] = min(heard_ms, known_ms.get(receipt.contact_id, heard_ms))
    due_ms = {job.job_id: job.due_ms for job in world.jobs()}
    if again := [one.job_id for one in refused if due_ms[one.job_id] > known_ms[one.contact_id]]:
        problems.append(f"{len(again)} messages went to addresses that had been refused before: {again[:3]}")
    retried = [receipt.job_id for receipt in receipts if receipt.outcome == "not_accepted"]
    if retried:
        problems.append(f"{len(retried)} refused jobs were tried again: {retried[:3]}")
    reached = [mail.entry.recipient for mail in tuple(world.room.sink.received) if world.is_apart(mail.entry.recipient)]
    return problems + ([f"mails were taken for refused addresses: {reached[:3]}"] if reached else [])


def one_attempt_each_or_policy(world: World) -> list[str]:
    """Refused jobs end, and only an address that does not exist is given up."""
    rejected = {receipt.status for receipt in world.receipts() if receipt.outcome == "rejected"}
    if not rejected:
        return ["nothing was refused: the run proves nothing"]
    gone = {r.person_id for r in world.receipts() if r.status == "550 5.1.1"}
    given_up = {r.person_id for r in world.receipts() if r.reason == "suppressed_address"}
    wrong = sorted(given_up - gone)
    return [f"{len(wrong)} persons were given up for a policy: {wrong[:3]}"] if wrong else []


def nobody_suppressed(world: World) -> list[str]:
    """Policy is no reason to give an address up: what was refused once is sent to again."""
    rejected = {receipt.person_id for receipt in world.receipts() if receipt.outcome == "rejected"}
    problems = [] if rejected else ["nothing was refused: the run proves nothing"]
    reached = {mail.entry.recipient for mail in tuple(world.room.sink.received)}
    again = [person for person in rejected if world.load.addresses[person] in reached]
    later = [person for person in rejected if _has_later_job(world, person)]
    return problems + ([f"none of {len(later)} persons was sent to again"] if later and not again else [])


def _has_later_job(world: World, person: str) -> bool:
    ends = {receipt.job_id: receipt.outcome for receipt in world.receipts() if receipt.person_id == person}
    return len(set(ends.values())) > 1


def no_attempt_used_up(world: World) -> list[str]:
    """A refused login is the channel's trouble, not the job's."""
    problems = [] if world.room.refused["535"] else ["no login was refused: the run proves nothing"]
    used = [receipt.job_id for receipt in world.receipts() if receipt.outcome == "not_accepted"]
    return problems + ([f"{len(used)} jobs lost an attempt: {used[:3]}"] if used else [])
