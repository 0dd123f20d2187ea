"""Folding a person's happenings in order: visits, orders, profiles, and what falls due between them.

Owns: which rule a happening calls. Must not: read a clock, or know how happenings arrive.

As for visitors: happenings wait in ``pending`` until the clock says that nothing earlier can come; what is due at T
comes after what happens at T, steps before expiries.
"""

from postcart.domain.consent import counts
from postcart.domain.journey import lines
from postcart.domain.journey.episode import (
    arm,
    arm_recovered,
    close,
    close_if_used_up,
    interrupt,
    merge_recovered,
    open_episode,
    visit_told,
)
from postcart.domain.journey.fading import fade
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import (
    EPISODE_LIFE_MS,
    Device,
    Episode,
    Happening,
    Person,
    happening_key,
    happening_ms,
)
from postcart.domain.journey.receipts import retry_due
from postcart.domain.journey.steps import judge
from postcart.events.consents import ConsentRecorded
from postcart.events.decisions import abandonment_decided
from postcart.events.gate import Stop, StopReason
from postcart.events.ids import episode_id
from postcart.events.shop import OrderPlaced, ProfileUpdated, time_ms
from postcart.events.signals import (
    Abandonment,
    AbandonmentRecovered,
    Emptied,
    LinesChanged,
    Returning,
    Tags,
    VisitEnded,
    VisitorForgotten,
    VisitStarted,
)


def arrive(person: Person, happenings: list[Happening], out: Decided) -> None:
    """Take in happenings as they come; repeats of orders and profiles are dropped, an order stops jobs at once."""
    known = {item.id for item in person.pending if isinstance(item, OrderPlaced | ProfileUpdated)}
    for happening in happenings:
        if isinstance(happening, OrderPlaced | ProfileUpdated):
            if happening.id in known:
                out.repeated += 1
                continue
            known.add(happening.id)
        if isinstance(happening, OrderPlaced):
            stop(person, "ordered", time_ms(happening), out)
        person.pending.append(happening)
    person.pending.sort(key=happening_key)


def hint(person: Person, signal: Returning | Emptied, out: Decided) -> None:
    """A return or a clear, told ahead of its place in event time: jobs wait at the gate until the clock has passed it.

    By then its session has been folded as a visit, which stops them, or it has turned out to be no return.
    """
    reason: StopReason = "returned" if isinstance(signal, Returning) else "emptied"
    if _is_later(signal.at_ms, person.hints.get(reason)):
        person.hints[reason] = Stop(reason, signal.at_ms)
        if person.has_jobs_out:
            out.gate[person.person_id] = person


def consent(person: Person, record: ConsentRecorded, out: Decided) -> None:
    """The last word on a channel and purpose: counts at once, here and at the gate. Idempotent."""
    given = counts(record.channel, record.purpose, given=record.given, double_opt_in=record.double_opt_in)
    person.consents[f"{record.channel}/{record.purpose}"] = given
    out.gate[person.person_id] = person


def stop(person: Person, reason: StopReason, at_ms: int, out: Decided) -> None:
    """Remember the latest stop of this reason; the gate is told while jobs may still go out."""
    if _is_later(at_ms, person.stops.get(reason)):
        person.stops[reason] = Stop(reason, at_ms)
        if person.has_jobs_out:
            out.gate[person.person_id] = person


def _is_later(at_ms: int, known: Stop | None) -> bool:
    return known is None or at_ms > known.at_ms


def _drop_hints(person: Person, clock_ms: int, out: Decided) -> None:
    """What was told ahead has had its place by now."""
    left = {reason: told for reason, told in person.hints.items() if told.at_ms > clock_ms}
    if len(left) < len(person.hints):
        person.hints = left
        if person.hints_told or person.has_jobs_out:
            out.gate[person.person_id] = person


def advance(person: Person, clock_ms: int, context: Context, out: Decided) -> bool:
    """Fold what is pending up to ``clock_ms``, with everything that falls due between and up to then.

    Returns:
        Whether the row is still to be kept.
    """
    pending = person.pending
    folded = 0
    for happening in pending:
        at_ms = happening_ms(happening)
        if at_ms > clock_ms:
            break
        folded += 1
        _fire_until(person, at_ms - 1, context, out)
        out.now_ms = at_ms
        if person.ordered_ms + EPISODE_LIFE_MS < at_ms:
            person.ordered_ms = 0  # by event time, not by when the row happens to be looked at
        _fold(person, happening, context, out)
    if folded:
        del pending[:folded]
    if person.hints:
        _drop_hints(person, clock_ms, out)
    _fire_until(person, clock_ms, context, out)
    return fade(person, clock_ms)


def _fire_until(person: Person, until_ms: int, context: Context, out: Decided) -> None:
    """Let everything fall due up to ``until_ms``, in order; at one moment steps before the expiry."""
    while (due_ms := person.due_ms()) <= until_ms:
        out.now_ms = due_ms
        retry_due(person, due_ms, out)
        for visitor_id in [key for key, item in person.devices.items() if item.left_ms]:
            if person.devices[visitor_id].left_ms + EPISODE_LIFE_MS <= due_ms:
                del person.devices[visitor_id]
        episode = person.episode
        if episode is None:
            continue
        number = next((n for n, state in enumerate(episode.steps) if state.pending and state.next_ms <= due_ms), None)
        if number is not None:
            judge(person, episode, number, context, out)
        elif episode.opened_ms + EPISODE_LIFE_MS <= due_ms:
            close(person, out, at_ms=due_ms, reason="expired", by={})


def _fold(person: Person, happening: Happening, context: Context, out: Decided) -> None:
    if isinstance(happening, VisitStarted):
        _visit_started(person, happening, out)
    elif isinstance(happening, VisitEnded):
        _visit_ended(person, happening, context, out)
    elif isinstance(happening, LinesChanged):
        _lines_changed(person, happening, out)
    elif isinstance(happening, AbandonmentRecovered):
        _recovered(person, happening, context, out)
    elif isinstance(happening, VisitorForgotten):
        person.devices.pop(happening.visitor_id, None)
    elif isinstance(happening, OrderPlaced):
        _ordered(person, happening, out)
    elif isinstance(happening, ProfileUpdated) and (
        person.profile is None or time_ms(happening) >= time_ms(person.profile)
    ):
        person.profile = happening
        out.gate[person.person_id] = person


def _visit_started(person: Person, signal: VisitStarted, out: Decided) -> None:
    """A return on any device cancels what is pending."""
    device = lines.device_of(person, signal.visitor_id)
    device.in_session = True
    lines.merge(person, device, signal.lines)
    stop(person, "returned", signal.at_ms, out)
    if person.episode is not None:
        interrupt(person, person.episode, out, at_ms=signal.at_ms, reason="returned", by={"visitor": signal.visitor_id})


def _visit_ended(person: Person, signal: VisitEnded, context: Context, out: Decided) -> None:
    """An abandonment opens an episode; the end of the last open session arms it, or closes it as emptied."""
    device = lines.device_of(person, signal.visitor_id)
    device.in_session = False
    visit_told(person, signal.visitor_id, signal.lines, context, out)
    lines.merge(person, device, signal.lines)
    if signal.left:
        lines.keep_former(person, signal.visitor_id, signal.at_ms)
    _abandoned(person, device, signal, context, out)
    episode = person.episode
    if episode is None or person.in_session:
        return
    by = {"end": signal.end_id, "visitor": signal.visitor_id, "trigger": signal.trigger}
    if lines.united(person):
        arm(person, episode, out, end_ms=signal.at_ms, end_id=signal.end_id, by=by)
        close_if_used_up(person, out, at_ms=signal.at_ms)
    else:
        stop(person, "emptied", signal.at_ms, out)
        close(person, out, at_ms=signal.at_ms, reason="emptied", by=by)


def _abandoned(person: Person, device: Device, signal: VisitEnded, context: Context, out: Decided) -> None:
    episode, abandonment = person.episode, signal.abandonment
    if abandonment is None:
        return
    shown = episode.episode_id if episode else episode_id(abandonment.abandonment_id)
    out.decide(abandonment_decided(abandonment, episode_id=shown, tags=_with_history(person, abandonment.tags)))
    if episode is None and _own_lines_left(device, abandonment):
        open_episode(person, abandonment, context, out, signal=signal)


def _own_lines_left(device: Device, abandonment: Abandonment) -> bool:
    """Whether the visit's own cart holds anything that no order has taken away, however long ago."""
    left = {line.variant_id: line.changed_ms for line in device.lines.values()}
    return any(left.get(line.variant_id) == line.changed_ms for line in abandonment.lines)


def _with_history(person: Person, tags: Tags) -> Tags:
    return Tags(
        duration_s=tags.duration_s,
        value_band=tags.value_band,
        stage=tags.stage,
        device=tags.device,
        category=tags.category,
        peak=tags.peak,
        visitor="returning" if person.known else "first_time",
    )


def _lines_changed(person: Person, signal: LinesChanged, out: Decided) -> None:
    device = lines.device_of(person, signal.visitor_id)
    lines.merge(person, device, signal.lines)
    if signal.left:
        lines.keep_former(person, signal.visitor_id, signal.at_ms)
    episode = person.episode
    if signal.lines and episode is not None and not person.in_session and not lines.united(person):
        close(person, out, at_ms=signal.at_ms, reason="emptied", by={"visitor": signal.visitor_id})


def _recovered(person: Person, signal: AbandonmentRecovered, context: Context, out: Decided) -> None:
    """An anonymous abandonment whose visitor became known in time: as if its person had been known, from now on."""
    device = lines.device_of(person, signal.visitor_id)
    lines.merge(person, device, signal.lines)
    abandonment = signal.abandonment
    # Not the device's lines: those may hold some from before a logout.
    if not any(line.quantity and line.changed_ms > person.ordered_ms for line in signal.lines):
        return
    if person.episode is not None:
        merge_recovered(person, signal, context, out)
        return
    open_episode(person, abandonment, context, out, signal=signal)
    episode: Episode | None = person.episode
    if episode is None or person.in_session:
        return
    if lines.united(person):
        episode.armed_ms, episode.armed_by = abandonment.abandoned_ms, abandonment.abandonment_id
        arm_recovered(person, episode, out, signal=signal)
        close_if_used_up(person, out, at_ms=signal.at_ms)
    else:
        close(person, out, at_ms=signal.at_ms, reason="emptied", by={"visitor": signal.visitor_id})


def _ordered(person: Person, order: OrderPlaced, out: Decided) -> None:
    """An order takes the lines of its time from every device and closes the episode that they opened."""
    at_ms = time_ms(order)
    person.known = True
    person.ordered_ms = max(person.ordered_ms, at_ms)
    lines.order_takes(person, at_ms)
    episode = person.episode
    if episode is None:
        return
    if at_ms >= episode.opened_ms or not lines.united(person):
        close(person, out, at_ms=at_ms, reason="ordered", by={"order": order.order_id, "event": order.id})
