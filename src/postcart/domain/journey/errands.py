"""A message on its way to a person: over which channel, behind which other message, and when over the next channel.

Owns: emitting messages about orders and parcels, holding them up, taking them back, and falling back. Must not: know
what happened (parcels and orders say what is told), or read a clock.

A job is taken back through the gate alone: it is stopped there, and whatever is in its place follows in the same topic,
or once its receipt says that it did not go out. Then nobody gets both, and nobody gets neither.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import structs

from postcart.domain.caps import allowed_ms
from postcart.domain.journey import carts
from postcart.domain.journey.channels import Choice, choose
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Outstanding, Person, known_profile
from postcart.domain.journey.shipping import Errand
from postcart.domain.messages import Message, Occasion
from postcart.events.decisions import RuleSaid
from postcart.events.gate import Stop, StopReason
from postcart.events.ids import message_id
from postcart.events.jobs import Channel, DeliveryReport, Job, Receipt
from postcart.events.milestones import DelayRule
from postcart.events.times import iso

_ELSEWHERE = frozenset({"no_contact", "no_consent", "suppressed_address"})
"""Suppressed for these reasons, a message may yet go over another channel."""
_GONE = frozenset({"accepted", "uncertain"})


@dataclass(frozen=True, slots=True)
class Courier:
    """Carries one person's messages; what it brings about is collected in ``out``."""

    person: Person
    context: Context
    out: Decided

    def begin(self, message: Message, draft: Job, occurrence: str, *, delay: DelayRule | None = None) -> None:
        """Tell something: over one of the message's channels, and besides over each of ``also``.

        The caller sees to it that nothing is told twice.

        Args:
            message: Over which channels.
            draft: The job but for channel and id.
            occurrence: Of the draft's occasion.
            delay: Of a delay and its clearing: which it is.
        """
        for candidates in (message.channels, *((channel,) for channel in message.also)):
            if not candidates:
                continue
            key = f"{draft.episode_id}/{draft.journey}/{occurrence}/{candidates[0]}"
            self.person.errands[key] = Errand(job=draft, occurrence=occurrence, rest=candidates, delay=delay)
            self._go(key)

    def profile_came(self) -> None:
        """Who is known now can be written to."""
        for key in [key for key, errand in self.person.errands.items() if errand.state == "unknown"]:
            self._go(key)

    def receipt_came(self, receipt: Receipt) -> None:
        """What became of an attempt. The caller has settled it, and calls this once for each."""
        errands = self.person.errands
        key = next((key for key, errand in errands.items() if errand.job.job_id == receipt.job_id), None)
        if key is None or receipt.outcome == "not_accepted":
            return
        errand = errands[key]
        told = receipt.outcome in _GONE
        if errand.stopped or errand.arrived:
            self._done(key, told=told)
        elif told:
            self._sent(key, receipt)
        elif receipt.outcome == "rejected" or errand.state == "leaving" or receipt.reason in _ELSEWHERE:
            self._next(key)
        else:
            self._done(key, told=False)

    def report_came(self, report: DeliveryReport) -> None:
        """A message arrived, or came back. One that arrives late takes back what was to replace it."""
        arrived = report.kind == "delivered"
        if arrived:
            self.person.silent.pop(report.channel, None)
        for key, errand in list(self.person.errands.items()):
            if report.job_id in errand.former and arrived:
                if errand.state in {"out", "leaving"}:
                    self._stop(errand, "superseded", report.at_ms)
                else:
                    self._done(key, told=True)
            elif report.job_id == errand.job.job_id:
                if errand.state == "watched" and arrived:
                    self._done(key, told=True)
                elif errand.state == "watched" and report.kind == "hard":
                    self._next(key)
                errand.arrived = errand.arrived or arrived

    def fire(self, clock_ms: int) -> None:
        """Whatever falls due up to ``clock_ms`` on the shipping clock."""
        person = self.person
        for item in person.outstanding.values():
            if item.retry_ms and item.retry_ms <= clock_ms and not item.is_cart:
                self._again(item)
        for key, errand in list(person.errands.items()):
            if not errand.due_ms or errand.due_ms > clock_ms or key not in person.errands:
                continue
            errand.due_ms = 0
            if errand.state == "unknown":
                self._give_up(key, RuleSaid("contact", "stop", {"person": "unknown"}), "no_contact")
            elif errand.state == "watched":
                person.silent[errand.job.channel] = clock_ms
                self._next(key)
            elif errand.state == "out" and self._choose(errand).channels:
                errand.state = "leaving"
                self._cancel(errand, "superseded", clock_ms)

    def supersede(
        self, about: str, occasions: Iterable[Occasion], *, at_ms: int, reason: StopReason = "superseded"
    ) -> None:
        """Take back what older news of this parcel or order no sender has begun to send. Idempotent."""
        wanted = frozenset(occasions)
        for key, errand in list(self.person.errands.items()):
            if errand.about != about or errand.job.journey not in wanted or key not in self.person.errands:
                continue
            if errand.state in {"out", "leaving"}:
                self._stop(errand, reason, at_ms)
            elif errand.state == "watched":
                self._done(key, told=True)
            else:
                self._give_up(key, RuleSaid("stops", "stop", {reason: iso(at_ms)}), reason)

    def _choose(self, errand: Errand) -> Choice:
        job, rest = errand.job, errand.rest
        if job.step:
            sent, caps, at_ms = self.person.reserved.values(), self.context.caps, self._cart_ms(job)
            uncapped = (one for one in rest if allowed_ms(at_ms, one, sent, caps) == at_ms)
            rest = carts.texts_once(self.person.episode, tuple(uncapped))
        return choose(self.person, rest, job.purpose, self.context.impersonal)

    def _cart_ms(self, job: Job) -> int:
        """When a cart's message would go out over another channel."""
        return max(job.due_ms, self.out.shipping_ms)

    def _go(self, key: str) -> None:
        """Choose a channel, and emit unless something is in front."""
        errand = self.person.errands[key]
        if known_profile(self.person) is None and self.context.impersonal.isdisjoint(errand.rest):
            errand.state, errand.due_ms = "unknown", errand.job.not_after_ms
            return
        choice = self._choose(errand)
        if not choice.channels:
            self._give_up(key, choice.said, choice.reason or "no_contact")
            return
        channel = choice.channels[0]
        errand.rest = tuple(one for one in errand.rest if one != channel)
        errand.job = _on(errand, channel)
        errand.due_ms = 0
        waits_for = _in_front(self.person, key)
        if waits_for is None:
            self._emit(errand, choice.said)
        else:
            errand.state = "held"
            said = (choice.said, RuleSaid("order", "wait", {"job": waits_for.job.job_id}))
            self.out.told(self.person, errand.job, outcome="deferred", rules=said)

    def _emit(self, errand: Errand, said: RuleSaid) -> None:
        person, out, job = self.person, self.out, errand.job
        if job.step:
            self._emit_cart(errand, said)
            return
        errand.state = "out"
        leave_ms = self.context.messages.leave_ms
        errand.due_ms = max(job.due_ms, out.shipping_ms) + leave_ms if errand.rest and leave_ms else 0
        person.outstanding[job.job_id] = Outstanding(job=job)
        out.jobs.append(job)
        out.told(person, job, outcome="due", rules=(said,))
        if person.profile is None:
            out.gate[person.person_id] = person  # carts have not folded it: the gate has not heard of it either

    def _emit_cart(self, errand: Errand, said: RuleSaid) -> None:
        """A reminder over another channel: whatever has stopped it by now, the gate will say."""
        person, job = self.person, errand.job
        until_ms = carts.text_until_ms(job.armed_ms, job.channel, job.purpose, job.not_after_ms)
        errand.job = job = structs.replace(job, not_after_ms=until_ms)
        leave_ms = self.context.messages.leave_ms
        errand.state = "out"
        errand.due_ms = max(job.due_ms, self.out.shipping_ms) + leave_ms if errand.rest and leave_ms else 0
        carts.send_off(person, job, self.out, at_ms=self._cart_ms(job))
        self.out.told(person, job, outcome="due", rules=(said,))
        self.out.gate[person.person_id] = person

    def _sent(self, key: str, receipt: Receipt) -> None:
        """Somewhere between here and there. An answer that never came is not made up for by marketing."""
        errand, messages = self.person.errands[key], self.context.messages
        job = errand.job
        watchable = receipt.outcome == "accepted" or job.purpose == "transactional"
        if errand.rest and messages.fallback_ms and watchable and job.channel in messages.reporting:
            errand.state, errand.due_ms = "watched", receipt.at_ms + messages.fallback_ms
            self._release(errand.about)
        else:
            self._done(key, told=True)

    def _next(self, key: str) -> None:
        """Over another channel, if there is one."""
        errand = self.person.errands[key]
        former, told = errand.job, errand.state == "watched"
        possible = bool(self._choose(errand).channels)
        if not possible or (former.step and not carts.goes_on(self.person, former, told=told)):
            self._done(key, told=told)
            return
        errand.former = (*errand.former, former.job_id)
        self._go(key)
        if former.step:
            carts.stands_for(self.person, former, errand.job, told=told)
        if errand.state != "out":
            self._release(errand.about)

    def _stop(self, errand: Errand, reason: StopReason, at_ms: int) -> None:
        """For good, unless a sender was faster."""
        if not errand.stopped:
            errand.stopped, errand.due_ms = True, 0
            self._cancel(errand, reason, at_ms)

    def _cancel(self, errand: Errand, reason: StopReason, at_ms: int) -> None:
        """Through the gate: what waits here for another try is sent there, so that it has its end.

        The stop is younger than the job: a replay judges by event time, and there what was due went out.
        """
        job = errand.job
        self.person.cancelled[job.job_id] = Stop(reason, max(at_ms, job.due_ms + 1))
        self.out.gate[self.person.person_id] = self.person
        item = self.person.outstanding.get(job.job_id)
        if item is not None and item.retry_ms:
            self._again(item)

    def _again(self, item: Outstanding) -> None:
        item.retry_ms = 0
        item.job = structs.replace(item.job, attempt=item.job.attempt + 1)
        self.out.jobs.append(item.job)

    def _give_up(self, key: str, said: RuleSaid, reason: str) -> None:
        """It does not go out (any more)."""
        self.out.told(self.person, self.person.errands[key].job, outcome="cancelled", rules=(said,), reason=reason)
        self._done(key, told=False)

    def _done(self, key: str, *, told: bool) -> None:
        """The errand is over. A delay that nobody heard of needs no all-clear."""
        errand = self.person.errands.pop(key)
        if errand.delay and errand.job.journey == "delayed" and not told:
            for other, held in list(self.person.errands.items()):
                about_it = held.about == errand.about and held.delay == errand.delay
                if about_it and held.job.journey == "delay_cleared" and held.state == "held":
                    said = (RuleSaid("order", "stop", {"job": errand.job.job_id}),)
                    self.out.told(self.person, held.job, outcome="cancelled", rules=said, reason="superseded")
                    del self.person.errands[other]
        self._release(errand.about)

    def _release(self, about: str) -> None:
        """Let go what waited, as far as nothing else is in front of it."""
        for key, errand in self.person.errands.items():
            if errand.about == about and errand.state == "held" and _in_front(self.person, key) is None:
                self._emit(errand, RuleSaid("order", "pass"))


def _on(errand: Errand, channel: Channel) -> Job:
    job = errand.job
    occasion = str(job.step) if job.step else job.journey  # as events.ids.job_id has it
    name = message_id(job.episode_id, occasion, errand.occurrence, channel)
    return structs.replace(job, job_id=name, channel=channel, attempt=1)


def _in_front(person: Person, key: str) -> Errand | None:
    """An earlier message of the same parcel or order that is being tried again; of a delay, its own message."""
    errand = person.errands[key]
    if errand.job.purpose == "marketing":
        return None
    for other_key, other in person.errands.items():
        if other_key == key:
            return None
        if other.about != errand.about or other.state not in {"out", "leaving", "held"}:
            continue
        if other.job.journey == errand.job.journey and other.occurrence == errand.occurrence:
            continue  # the same message, over another channel
        if errand.delay and other.delay == errand.delay:
            return other
        if not other.stopped and (other.state == "held" or _is_tried_again(person, other)):
            return other
    return None


def _is_tried_again(person: Person, errand: Errand) -> bool:
    item = person.outstanding.get(errand.job.job_id)
    return item is not None and (item.retry_ms > 0 or item.job.attempt > 1)
