"""The demo: a shop's events, parcels, a broker, workers as processes, providers, and a page of what happened.

Owns: putting these together for a minute. Must not: hold a rule, or be needed by anything else.
"""

from postcart.wiring.demo.run import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]
