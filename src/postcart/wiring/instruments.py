"""The instruments of a process, as every kind of worker has them.

Owns: what they tell of the process itself. Must not: count anything.
"""

from importlib.metadata import version

from postcart.metrics.instruments import Instruments


def process_instruments() -> Instruments:
    """A process's own registry, with what all processes tell."""
    return Instruments().with_process(version=version("postcart"), revision="unknown")
