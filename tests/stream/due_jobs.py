"""A job that is due now, as tests hand it to senders.

Owns: what such a job holds where a test does not say otherwise. Must not: emit it.
"""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from postcart.events.jobs import Job
from postcart.events.signals import LineState


def due_job(person_id: str, *, now_ms: int, **told: Any) -> Job:
    """A reminder of a cart; ``told``: at least job_id and channel, and what else differs."""
    fields: dict[str, Any] = {
        "person_id": person_id,
        "episode_id": str(uuid5(UUID(person_id), "episode")),
        "step": 1,
        "purpose": "marketing",
        "campaign": "cart-reminder",
        "campaign_version": "1",
        "journey": "standard",
        "template": "cart-reminder",
        "armed_ms": now_ms - 3_600_000,
        "planned_ms": now_ms,
        "due_ms": now_ms,
        "not_after_ms": now_ms + 86_400_000,
        "lines": (LineState(variant_id="5773203", quantity=1, changed_ms=0, unit_price=Decimal("2.62")),),
    }
    return Job(**(fields | told))
