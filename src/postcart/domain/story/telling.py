"""Single records in words.

Owns: what a record is called, and which of its fields are told. Must not: know other records.
"""

from collections.abc import Iterable

from postcart.domain.story.moment import Kind, Moment, Planned
from postcart.domain.story.words import REPORTS, TRIGGERS, because
from postcart.events.decisions import AbandonmentDecided, EpisodeTold, Judged, StepCancelled, StepDue, StepPlanned
from postcart.events.jobs import Claim, DeliveryReport, Receipt
from postcart.events.times import parse_iso, to_ms


def left(record: AbandonmentDecided, recorded_ms: int) -> Moment:
    """A cart was left behind."""
    items = sum(line.quantity for line in record.lines)
    worth = f", {record.value} {record.currency}" if record.value is not None else ""
    lines = [f"{line.quantity} x {line.variant_id} at {line.unit_price}" for line in record.lines]
    tags = [f"{name} {value}" for name, value in _tags(record) if value is not None]
    return Moment(
        at_ms=to_ms(record.abandoned_at),
        recorded_ms=recorded_ms,
        kind="left",
        what=f"Cart left behind: {items} item{'' if items == 1 else 's'}{worth} ({TRIGGERS[record.trigger]})",
        details=[*lines, *([", ".join(tags)] if tags else [])],
        visitor_id=record.visitor_id,
        episode_id=record.episode_id,
    )


def _tags(record: AbandonmentDecided) -> Iterable[tuple[str, object]]:
    tags = record.tags
    yield "value band", tags.value_band
    yield "stage", tags.stage
    yield "device", tags.device
    yield "category", tags.category
    yield "customer", tags.visitor and tags.visitor.replace("_", " ")
    yield "peak season", None if tags.peak is None else "yes" if tags.peak else "no"
    yield "visit of", None if tags.duration_s is None else f"{tags.duration_s} s"


def episode(record: EpisodeTold, recorded_ms: int) -> Moment:
    """An episode changed."""
    by, change = record.by, record.change
    how = f" ({TRIGGERS[by['trigger']]})" if by.get("trigger") in TRIGGERS else ""
    match change:
        case "opened":
            what = "Episode opened by this cart"
        case "pinned":
            what = "Journey chosen: the other devices have told their carts"
        case "armed" if "identified" in by:
            what = "Armed: the visitor of this cart turned out to be the person"
        case "armed":
            what = f"Armed by the end of the last open visit{how}"
        case "interrupted":
            what = f"Interrupted, because {because(record.reason)}"
        case "merged":
            what = "Merged with another cart of the person"
        case "closed" if record.reason == "completed":
            what = "Episode closed: every reminder has had its end"
        case "closed":
            what = f"Episode closed, because {because(record.reason)}"
    details = [f"{kind} {name}" for kind, name in by.items() if kind != "trigger"]
    return Moment(
        at_ms=parse_iso(by["identified"]) if change == "armed" and "identified" in by else to_ms(record.at),
        recorded_ms=recorded_ms,
        kind="episode",
        what=what,
        details=details,
        rules=list(record.rules),
        visitor_id=by.get("visitor"),
        episode_id=record.episode_id,
        reason=record.reason,
        outcome=change,
    )


def waits_for(record: Judged) -> str:
    """Which rule made it wait: the last one that said so."""
    return next((said.rule for said in reversed(record.rules) if said.verdict == "wait"), "quiet_hours")


def message_name(occasion: str) -> str:
    """A message about an order or a parcel, at the beginning of a sentence."""
    return f"Message {occasion.replace('_', ' ')}"


def judged(record: Judged, recorded_ms: int) -> Moment:
    """Rules were asked, by JOURNEY or by a gate."""
    name = message_name(record.message) if record.message else f"Reminder {record.step}"
    what = {
        "due": f"{name} is due",
        "deferred": f"{name} waits: {because(waits_for(record))}",
        "cancelled": f"{name} is not sent, because {because(record.reason)}",
        "claimed": f"{name}: the gate lets it go out",
        "suppressed": f"{name}: stopped at the gate, because {because(record.reason)}",
        "given_back": f"{name}: the gate gives it back, because {because(record.reason)}",
    }[record.outcome]
    return Moment(
        at_ms=to_ms(record.at),
        recorded_ms=recorded_ms,
        kind="judged" if record.stage == "journey" else "gate",
        what=what,
        rules=list(record.rules),
        episode_id=record.episode_id,
        step=record.step,
        job_id=record.job_id,
        reason=record.reason,
        outcome=record.outcome,
        until_ms=None if record.until is None else to_ms(record.until),
    )


def plain(
    record: StepPlanned | StepDue | StepCancelled,
    recorded_ms: int,
    kind: Kind,
    what: str,
    *,
    planned: Planned | None = None,
) -> Moment:
    """A decision of which nothing says why."""
    return Moment(
        at_ms=to_ms(record.at),
        recorded_ms=recorded_ms,
        kind=kind,
        what=what,
        planned=[] if planned is None else [planned],
        episode_id=record.episode_id,
        step=record.step,
        reason=record.reason,
    )


def attempt(receipt: Receipt, recorded_ms: int) -> Moment:
    """An attempt had its answer."""
    name = f"Reminder {receipt.step}" if receipt.step else "Message"
    provider = receipt.provider or "the provider"
    tried = f"{name}, attempt {receipt.attempt}"
    what = {
        "accepted": f"{tried}: accepted by {provider}",
        "rejected": f"{tried}: refused for good",
        "not_accepted": f"{tried}: not now",
        "uncertain": f"{tried}: no answer, it may have been sent or not; it is not sent again",
        "suppressed": f"{name}: not sent, because {because(receipt.reason)}",
    }[receipt.outcome]
    said = _said(receipt.status, receipt.detail)
    return Moment(
        at_ms=receipt.at_ms,
        recorded_ms=recorded_ms,
        kind="attempt",
        what=what,
        details=[f"{provider} said: {said}"] if said else [],
        episode_id=receipt.episode_id,
        step=receipt.step,
        job_id=receipt.job_id,
        attempt=receipt.attempt,
        reason=receipt.reason,
        outcome=receipt.outcome,
        until_ms=receipt.not_before_ms,
        status=receipt.status,
    )


def claimed(claim: Claim, recorded_ms: int) -> Moment:
    """A claim without an answer."""
    is_open = claim.state == "claimed"
    what = "is being sent: claimed, no answer yet" if is_open else "was not handed over, and is in line again"
    return Moment(
        at_ms=claim.at_ms,
        recorded_ms=recorded_ms,
        kind="claim",
        what=f"{f'Reminder {claim.step}' if claim.step else 'Message'}, attempt {claim.attempt}: {what}",
        episode_id=claim.episode_id,
        step=claim.step,
        job_id=claim.job_id,
        attempt=claim.attempt,
        outcome=claim.state,
    )


def reported(report: DeliveryReport, recorded_ms: int) -> Moment:
    """Something came back after it was sent."""
    said = _said(report.status, report.detail)
    return Moment(
        at_ms=report.at_ms,
        recorded_ms=recorded_ms,
        kind="report",
        what=f"{report.source}: {REPORTS[report.kind]}",
        details=[said] if said else [],
        job_id=report.job_id,
        outcome=report.kind,
        status=report.status,
    )


def _said(status: str | None, detail: str | None) -> str:
    """A server's code and text; its enhanced code is often in both."""
    enhanced = (status or "").rpartition(" ")[2]
    if enhanced and detail and detail.startswith(f"{enhanced} "):
        detail = detail.removeprefix(f"{enhanced} ")
    return " ".join(part for part in (status, detail) if part)
