"""A history of shop events into Kafka, and the clock that is driven by it.

Owns: the replay. Must not: know the workers that follow it.
"""

from postcart.adapters.replay.run import DEFAULT_RUN_ON_MS, ClockSink, ReplayOptions, ReplayProgress, replay

__all__ = ["DEFAULT_RUN_ON_MS", "ClockSink", "ReplayOptions", "ReplayProgress", "replay"]
