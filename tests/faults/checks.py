"""What single rows promise besides conservation.

Owns: those checks over a world at its end. Must not: wait or change anything.
"""

from faults.world import World

_HEARD_MS = 10_000
"""So soon everybody has heard of a refused address."""


def one_attempt_each(world: World) -> list[str]:
    """An address that does not exist is tried once, and not again once that is known; nothing reaches it."""
    refused = world.room.refused_at
    problems = [] if refused else ["no address was refused: the run proves nothing"]
    if again := {address: times for address, times in refused.items() if times[-1] - times[0] > _HEARD_MS}:
        problems.append(f"{len(again)} of {len(refused)} refused addresses were tried again later: {again}")
    retried = [receipt.job_id for receipt in world.receipts() if receipt.outcome == "not_accepted"]
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
