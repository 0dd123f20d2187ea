"""How a stage is run: what the engine may be told.

Owns: intervals and limits of the engine. Must not: read the environment.
"""

from dataclasses import dataclass

from postcart.adapters.rdkafka.settings import ClientSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Intervals in milliseconds of real time, also where the stage's clock runs faster."""

    clients: ClientSettings
    worker: str
    """Name of this worker, stable where the platform gives a stable one; part of the transactional id."""
    commit_outputs_ms: int = 100
    """Age at which a transaction that holds outputs is committed, while the worker keeps up with its inputs."""
    commit_rows_ms: int = 1000
    """Age at which any other is."""
    watermark_interval_ms: int = 1000
    """How often high watermarks are fetched, and tasks are advanced while nothing arrives."""
    tick_ms: int = 20
    """How often the timer looks whether one of the above is due."""
    batch_ms: int = 1000
    """How long what is folded together may take; what would take longer comes in smaller batches."""
    behind_records: int = 20_000
    """Records unread from which a worker is behind: commits then wait, see ``CommitSchedule``."""
    seek_after_ms: int = 5_000
    """A partition that stands still that long before its watermark is sought to its position once more."""
    stalled_after_ms: int = 30_000
    """One that still does then ends the process."""
    commit_attempts: int = 3
    """A transaction that is aborted that often, with fresh metadata each time, ends the process."""
    connect_within_ms: int = 60_000
    """A broker that has not answered that long after the start ends the process; a later outage never does."""
    leave_within_ms: int = 8_000
    """How long a polite end may take before the process ends without it."""
