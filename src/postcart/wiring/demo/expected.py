"""What ``simulate`` decides on the demo's events.

Owns: that. Must not: know what the pipeline decides.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from postcart.domain.simulation import simulate_all
from postcart.events.decisions import AbandonmentDecided, Decision, StepDue
from postcart.events.milestones import ParcelDecision
from postcart.events.times import HOUR_MS, to_ms
from postcart.settings import Settings
from postcart.wiring.demo.history import History, read_history
from postcart.wiring.rules import active_campaign, decision_context, detect_rules
from postcart.wiring.tracking import tracking

_NIGHT_MS = 13 * HOUR_MS
"""What is found in the evening is told in the morning, wherever somebody lives: 21:00 to 08:00, and a while."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Decisions, and each as it would stand in the topic; ``until_ms``: a night after the last one, event time.

    ``offsets``: step → milliseconds after the cart was left, of ordinary carts.
    """

    decisions: list[Decision | ParcelDecision]
    lines: Counter[bytes]
    until_ms: int
    offsets: Mapping[int, int]

    @property
    def due(self) -> int:
        """How many reminders they ask for."""
        return sum(isinstance(decision, StepDue) for decision in self.decisions)


def history_and_expected(settings: Settings) -> tuple[History, Expected]:
    """The demo's events, and what is to be decided on them.

    Raises:
        ConfigurationError: The campaign is wrong.
    """
    context, rules = decision_context(settings, active_campaign(settings)), detect_rules(settings)
    offsets = {number: step.after_ms for number, step in enumerate(context.campaign.journey.steps, 1)}
    history = read_history(settings, context, rules)
    decisions = list(simulate_all(history.all, context, rules, tracking(settings)))
    last_ms = max(to_ms(one.abandoned_at if isinstance(one, AbandonmentDecided) else one.at) for one in decisions)
    return history, Expected(decisions, Counter(map(msgspec.json.encode, decisions)), last_ms + _NIGHT_MS, offsets)
