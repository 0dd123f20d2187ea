"""Senders of several channels at once, jobs for them, and what their providers say they took.

Owns: that world for one run. Must not: hurt a provider, or know what a row promises besides conservation.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from faults.scenario import Outcome, Surroundings
from faults.tail import Group, Tail
from postcart.adapters.sandbox import Arrival
from postcart.adapters.sandbox.sms import SmsSandbox
from postcart.adapters.topics import job_topics, stage_group
from postcart.adapters.web_server import WebServer
from postcart.events.jobs import Job, Purpose, Receipt, ReceiptRecord, SuppressReason
from postcart.wiring.sandbox import running_sandbox
from stream.channel_rig import ROOT, ChannelRig, channel_rig
from stream.sender_rig import now_ms
from waiting import wait_for

PARTITIONS = 2
_PEOPLE = 400
_SETTLE_S = 600.0
_DRAIN_S = 30.0


class Ledger:
    """What providers took, in order: which of them, and the job."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __call__(self, arrival: Arrival) -> None:
        """Hear of a request, on any thread."""
        if arrival.accepted:
            job = arrival.shown.get("id") or arrival.shown.get("message-id", "").strip("<>").partition("@")[0]
            with self._lock:
                self.taken.append((arrival.server, job))


class Channels:
    """One run's surroundings.

    Attributes:
        sms: The provider of text messages; a row gives it a script.
        ledger: Of the other providers.
        emitted: Every job, with its latest attempt.
    """

    def __init__(
        self, rig: ChannelRig, sms: SmsSandbox, ledger: Ledger, about: Surroundings, *, impatient: bool
    ) -> None:
        self.rig, self.sms, self.ledger, self.about = rig, sms, ledger, about
        self._impatient = impatient
        self.emitted: dict[str, Job] = {}
        self._people: dict[str, list[str]] = {}
        self._turn: dict[str, Iterator[tuple[int, int]]] = {}
        self._tail = Tail(
            about.bootstrap, rig.settings.topic("receipts"), PARTITIONS, msgspec.json.Decoder(ReceiptRecord).decode
        )
        self._read = 0

    # -- jobs --------------------------------------------------------------------------------------------------------

    def meet(self, *channels: str) -> None:
        """People who can be reached by these channels, some for each, known at the gate before any job is."""
        for channel in channels:
            count = min(_PEOPLE, max(20, self.about.events // 4))
            names = [f"{channel}-{number}" for number in range(count)]
            self._people[channel] = [self.rig.person(name, channel, _contact(channel, name)) for name in names]
            self._turn[channel] = ((step, number) for step in itertools.count(1) for number in range(count))
        self.rig.flush()

    def people(self, channel: str) -> list[str]:
        """Their ids; the contact point of the one at an index is ``number_of`` that index."""
        return self._people[channel]

    def emit(self, channel: str, *, purpose: Purpose = "marketing", not_after_ms: int | None = None) -> Job:
        """One more job, due now, for whoever's turn it is."""
        step, number = next(self._turn[channel])
        bound = {} if not_after_ms is None else {"not_after_ms": not_after_ms}
        job = self.rig.emit(self._people[channel][number], channel, step=step, purpose=purpose, **bound)
        self.emitted[job.job_id] = job
        return job

    def emit_evenly(self, count: int, *channels: str, per_s: float) -> list[Job]:
        """``count`` jobs for each channel, at this rate each; every tenth is transactional."""
        began, jobs = time.monotonic(), []
        for number in range(count):
            while (early := began + number / per_s - time.monotonic()) > 0:
                time.sleep(min(early, 0.05))
            purpose: Purpose = "marketing" if number % 10 else "transactional"
            jobs += [self.emit(channel, purpose=purpose) for channel in channels]
            self.look(0.0)
        return jobs

    # -- what came of them -------------------------------------------------------------------------------------------

    def look(self, seconds: float = 0.3) -> None:
        """Take in receipts; what a provider wants later comes back, as JOURNEY would have it."""
        self._tail.poll(seconds)
        for receipt in self._tail.found[self._read :]:
            if isinstance(receipt, Receipt) and receipt.outcome == "not_accepted":
                job = self.emitted[receipt.job_id]
                if job.attempt == receipt.attempt:
                    due_ms = max(now_ms(), 0 if self._impatient else receipt.not_before_ms or 0)
                    again = msgspec.structs.replace(job, attempt=job.attempt + 1, due_ms=due_ms)
                    self.emitted[job.job_id] = again
                    topic = self.rig.settings.topic(f"jobs.{job.channel}.{job.purpose}")
                    self.rig.write(topic, job.person_id, again)
        self._read = len(self._tail.found)

    def receipts(self) -> list[Receipt]:
        """All so far."""
        return [one for one in self._tail.found if isinstance(one, Receipt)]

    def final(self) -> dict[str, Receipt]:
        """Each job's last word so far; ``accepted`` overrides ``uncertain``."""
        found: dict[str, Receipt] = {}
        for receipt in self.receipts():
            known = found.get(receipt.job_id)
            if receipt.outcome != "not_accepted" and (known is None or known.outcome != "accepted"):
                found[receipt.job_id] = receipt
        return found

    def settle(self, *channels: str) -> None:
        """Wait until every job so far, of these channels or of all, has come to its end."""

        def open_jobs() -> set[str]:
            self.look()
            jobs = {job.job_id for job in self.emitted.values() if not channels or job.channel in channels}
            return jobs - self.final().keys()

        wait_for(lambda: not open_jobs(), lambda: f"{len(open_jobs())} jobs come to no end", seconds=_SETTLE_S)

    def pause(self, seconds: float) -> None:
        """Let time pass: how long a fault lasts is a part of it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()

    def said(self, name: str, event: str) -> list[Mapping[str, object]]:
        """What a worker's log has of an event."""
        lines = self.rig.log_of(name).splitlines()
        return [msgspec.json.decode(line) for line in lines if line.startswith("{") and f'"{event}"' in line]

    def memory_mb(self, name: str) -> float:
        """What a worker has in memory now."""
        status = Path(f"/proc/{self.rig.processes[name].pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def outcome(
        self, problems: list[str], *, suppressed: frozenset[SuppressReason] = frozenset(), ambiguous: int = 0
    ) -> Outcome:
        """Conservation: every job came to one end, which the providers' ledgers bear out, and nothing waits.

        Args:
            problems: What the row found by itself.
            suppressed: Reasons that are expected.
            ambiguous: How many answers nobody heard: so many may be uncertain.
        """
        final = self.final()
        ends = Counter(receipt.outcome for receipt in final.values())
        taken = Counter([text.key for text in self.sms.taken] + [job for _, job in self.ledger.taken])
        by_outcome = {name: {one for one, receipt in final.items() if receipt.outcome == name} for name in ends}
        accepted, uncertain = by_outcome.get("accepted", set()), by_outcome.get("uncertain", set())
        twice = Counter(self.emitted[job].purpose for job, count in taken.items() if count > 1)
        lost = self.emitted.keys() - final.keys() | accepted - taken.keys()
        found = {
            f"{len(lost)} are lost": lost,
            f"{len(uncertain)} are uncertain, {ambiguous} may be": len(uncertain) > ambiguous,
            f"{dict(twice)} were sent twice": twice,
            "providers have what no receipt says": taken.keys() - accepted - uncertain,
            f"{ends['rejected']} were rejected": ends["rejected"],
            f"requests were wrong: {self.sms.faults[:3]}": self.sms.faults,
            f"suppressed for other reasons than {sorted(suppressed)}": {
                receipt.reason for receipt in final.values() if receipt.outcome == "suppressed"
            }
            - suppressed,
        }
        lags = self._lags()
        found[f"lag: {lags}"] = any(lags.values())
        counts = {
            "events": len(self.emitted),
            "in": len(self.emitted),
            **{name: ends[name] for name in ("accepted", "suppressed", "rejected", "uncertain")},
            "dead": 0,
            "taken": len(taken),
            "shipped twice": twice["transactional"],
            "carts twice": twice["marketing"],
            "lost": len(lost),
        }
        return Outcome(counts, problems + [said for said, is_so in found.items() if is_so])

    def _lags(self) -> dict[str, int | None]:
        settings, found = self.rig.settings, {}
        for channel in self._people:
            group = Group(settings.bootstrap, stage_group(settings, channel), job_topics(settings, channel), PARTITIONS)
            found[channel] = group.drained(seconds=_DRAIN_S)
            group.close()
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._tail.close()


def number_of(index: int) -> str:
    """A number that exists, for the person at this index."""
    return f"+4915112{345_000 + index}"


def _contact(channel: str, name: str) -> str:
    if channel == "sms":
        return number_of(int(name.partition("-")[2]))
    return f"{name}@example.com" if channel == "email" else ""


@contextmanager
def open_channels(
    about: Surroundings, *, ledger: Ledger | None = None, impatient: bool = False, **variables: str
) -> Iterator[Channels]:
    """Providers that run, topics, and no worker yet; all is gone afterwards.

    Args:
        about: Where.
        ledger: Where a row brings a provider of its own, which tells it.
        impatient: What a provider wants later comes back at once.
        variables: Of the workers.
    """
    sms, ledger = SmsSandbox(), ledger or Ledger()
    with ExitStack() as stack:
        others = stack.enter_context(running_sandbox(about.folder / "sandbox", tell=ledger))
        web = stack.enter_context(WebServer(sms.app, drain_s=1).running())
        env = {
            **others.settings,
            "POSTCART_CHANNELS": "email,sms,webhook",
            "POSTCART_TEMPLATES_DIR": str(ROOT / "templates"),
            "POSTCART_LOCALES_DIR": str(ROOT / "locales"),
            "POSTCART_SMS__BASE_URL": web.url,
            "POSTCART_SMS__PROBE_S": "1",
            "POSTCART_SMS__TIMEOUT_S": "10",  # also a busy machine answers within that
            **variables,
        }
        rig = stack.enter_context(channel_rig(about, about.folder, **env))
        channels = Channels(rig, sms, ledger, about, impatient=impatient)
        stack.callback(channels.close)
        yield channels
