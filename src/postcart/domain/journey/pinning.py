"""Which journey an episode pins: by the person's united lines at the moment of its opening.

Owns: that choice, also where other devices, in a session then, tell their lines only when it ends. Must not: arm.
"""

from postcart.domain.detect.abandonment import value_of
from postcart.domain.journey.lines import merge_newer, unite, united
from postcart.domain.journey.outcome import Context
from postcart.domain.journey.person import FOR_EVER, Episode, Person, Pinning, StepState
from postcart.events.ids import episode_id
from postcart.events.shop import Identified
from postcart.events.signals import Abandonment, LineState, Signal, SignalOrder


def new_episode(person: Person, abandonment: Abandonment, context: Context, *, signal: Signal) -> Episode:
    """The episode that ``abandonment`` opens, with the journey that it pins as far as lines are known.

    ``signal`` told of it; its moment is that of the opening: later than ``opened_ms`` for a recovered abandonment.
    """
    campaign = context.campaign
    episode = Episode(
        episode_id=episode_id(abandonment.abandonment_id),
        opened_ms=abandonment.abandoned_ms,
        campaign=campaign.name,
        version=campaign.version,
        journey=campaign.journey,
        quiet_hours=campaign.quiet_hours,
        last_step_ms=campaign.last_step_ms,
        steps=[],
        mobile=campaign.mobile if _ended_abruptly(abandonment) else None,
    )
    _choose(episode, united(person), context)
    waiting = [visitor_id for visitor_id, device in person.devices.items() if device.in_session]
    if waiting and campaign.high_value:
        devices = {visitor_id: dict(device.lines) for visitor_id, device in person.devices.items()}
        episode.pinning = Pinning(
            at_ms=signal.at_ms,
            sequence=_last_sequence(signal.order),
            ordered_ms=person.ordered_ms,
            devices=devices,
            waiting=waiting,
        )
    return episode


def _ended_abruptly(abandonment: Abandonment) -> bool:
    """A phone that went into a pocket: no goodbye, no checkout."""
    return abandonment.tags.device == "mobile" and abandonment.trigger in {"exit", "inactivity"}


def pin(episode: Episode, visitor_id: str, lines: tuple[LineState, ...], context: Context) -> None:
    """A device's session ended: its changes up to the opening count for the choice; the last one settles it."""
    pinning = episode.pinning
    if pinning is None or visitor_id not in pinning.waiting:
        return
    opening = (pinning.at_ms, pinning.sequence)
    before = (line for line in lines if (line.changed_ms, line.sequence) <= opening)
    counting = (line for line in before if line.changed_ms > pinning.ordered_ms)
    merge_newer(pinning.devices.setdefault(visitor_id, {}), counting)
    pinning.waiting.remove(visitor_id)
    if not pinning.waiting:
        _choose(episode, unite(pinning.devices), context)
        episode.pinning = None


def _last_sequence(order: SignalOrder) -> int:
    """The last sequence of cart events before a happening of the same moment: all of them if it fell due."""
    if order.phase:
        return FOR_EVER
    # Of the same sequence an identification comes before cart events, a logout behind them.
    return order.sequence - 1 if order.rank == Identified.RANK else order.sequence


def _choose(episode: Episode, lines: tuple[LineState, ...], context: Context) -> None:
    value, currency = value_of(lines, context.currency)
    journey = context.campaign.choose(value=value, currency=currency, opened_ms=episode.opened_ms)
    episode.journey = journey
    kept = episode.steps[: len(journey.steps)]
    episode.steps = kept + [StepState() for _ in journey.steps[len(kept) :]]
