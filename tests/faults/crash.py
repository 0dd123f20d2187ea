"""Records that kill the process that takes them up.

Owns: what they look like. Must not: know how they are put aside.
"""

import json
from random import Random

from faults.feed import write
from faults.world import World
from waiting import wait_for

KILLER = "killer-record"
"""A worker's hook aborts the process when it meets this text, see ``worker``."""


def crash(world: World, _: Random) -> None:
    """One for each kind of worker, among the others; until each has been put aside.

    What comes next must not be in a sender's hands when it dies: it would be uncertain.
    """
    shop, now_ms = world.settings.shop_topic, world.feed.now_ms
    event = {"type": "heartbeat", "id": KILLER, "time": now_ms, "visitor_id": KILLER}
    order = {"type": "placed", "id": KILLER, "time": now_ms, "person_id": KILLER, "order_id": "o"}
    write(
        world.client,
        [
            (shop("sessions"), KILLER.encode(), json.dumps(event).encode()),
            (shop("orders"), KILLER.encode(), json.dumps(order).encode()),
        ],
    )
    world.shipping.add(KILLER)
    world.letters_due["crashed"] += 2  # a job that kills its sender ends uncertain, by its claim

    def aside() -> bool:
        world.look()
        crashed = sum(letter.reason == "crashed" for letter in world.tails["dead"].found)
        killers = {job.job_id for job in world.shipping.jobs.values() if job.template == KILLER}
        ended = {receipt.job_id for receipt in world.receipts() if receipt.outcome == "uncertain"}
        return crashed == 2 and bool(killers) and killers <= ended

    wait_for(aside, lambda: "a killer record was not put aside", seconds=240)
