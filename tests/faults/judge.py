"""Conservation: what went in against what came out, judged by the mail server's ledger and the naive implementation.

Owns: every promise that a run is held to. Must not: read a topic, wait, or know which fault was done.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from faults.load import Load, Step
from faults.scenario import Allowed
from postcart.events.jobs import Claim, Job, Receipt

REARM = frozenset({"returned", "merged", "superseded"})
"""A step whose job was suppressed for one of these may be planned again, under another job id."""


@dataclass
class Evidence:
    """What happened.

    Attributes:
        parcels: Transactional jobs that were handed in: id → person.
        jobs: Everything in the jobs topics, further attempts included.
        taken: The ledger: job id and recipient of each mail that the server took, in order.
        lag: Of each group; None: unknown.
        deaths: Senders that ended other than politely.
        ambiguous: Answers that the sender could not hear.
        codes: With which workers ended by themselves.
        letters: Dead letters by reason; ``letters_due`` are those that had to come.
        apart: Whether decisions about whoever has this address depend on the server's answers.
    """

    load: Load
    in_flight: int
    parcels: dict[str, str] = field(default_factory=dict)
    decisions: Counter[str] = field(default_factory=Counter)
    jobs: list[Job] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)
    lag: dict[str, int | None] = field(default_factory=dict)
    deaths: int = 0
    ambiguous: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    letters_due: Counter[str] = field(default_factory=Counter)
    apart: Callable[[str], bool] = lambda _: False

    def is_apart(self, person_id: str) -> bool:
        """Whether the naive implementation can't know what is to become of this person."""
        address = self.load.addresses.get(person_id)
        return address is not None and self.apart(address)

    def final(self) -> dict[str, Receipt]:
        """Each job's last word; ``accepted`` overrides ``uncertain``."""
        found: dict[str, Receipt] = {}
        for receipt in self.receipts:
            known = found.get(receipt.job_id)
            if receipt.outcome != "not_accepted" and (known is None or known.outcome != "accepted"):
                found[receipt.job_id] = receipt
        return found

    @property
    def doubt(self) -> int:
        """How many messages may be in doubt: what was in flight at each death, and the answers nobody heard."""
        return self.in_flight * self.deaths + self.ambiguous


@dataclass
class Verdict:
    """The counts of a run, and every promise that was not kept."""

    counts: dict[str, int]
    problems: list[str]


def judge(evidence: Evidence, allowed: Allowed) -> Verdict:
    """Hold a run to its promises. Pure."""
    counts = counted(evidence)
    problems = [
        *_decided(evidence, allowed),
        *_jobs(evidence),
        *_ended_once(evidence, allowed),
        *_ledger(evidence, allowed),
        *_at_rest(evidence),
        *_letters(evidence),
    ]
    ends = ("accepted", "suppressed", "dead", "rejected", "uncertain")
    if counts["in"] != (out := sum(counts[end] for end in ends)):
        problems.append(f"{counts['in']} messages went in, {out} came to an end")
    if strange := {code for code in evidence.codes if code not in allowed.codes}:
        problems.append(f"workers ended with {sorted(strange)}: {dict(evidence.codes)}")
    return Verdict(counts, problems)


def counted(evidence: Evidence) -> dict[str, int]:
    """In and out, as the table shows it. What went in is the naive implementation's word, where it has one."""
    final = evidence.final()
    outcomes = Counter(receipt.outcome for receipt in final.values())
    rendered = sum(1 for receipt in final.values() if receipt.outcome == "rejected" and receipt.status == "render")
    expected = [step for step, person in evidence.load.due.items() if not evidence.is_apart(person)]
    apart = {job.job_id for job in evidence.jobs if evidence.is_apart(job.person_id)} - evidence.parcels.keys()
    taken = Counter(job_id for job_id, _ in evidence.taken)
    again = {receipt.job_id for receipt in final.values() if receipt.reason in REARM}
    return {
        "events": len(evidence.load.events),
        "in": len(expected) + len(apart) + len(evidence.parcels) + len(again - apart),
        "accepted": outcomes["accepted"],
        "suppressed": outcomes["suppressed"],
        "dead": rendered,
        "rejected": outcomes["rejected"] - rendered,
        "uncertain": outcomes["uncertain"],
        "taken": len(taken),
        "shipped twice": sum(taken[job_id] - 1 for job_id in evidence.parcels if taken[job_id]),
        "carts twice": sum(count - 1 for job_id, count in taken.items() if job_id not in evidence.parcels),
        "lost": len(_steps(evidence, expected) - taken.keys() - _in_doubt(final)),
    }


def _in_doubt(final: dict[str, Receipt]) -> set[str]:
    return {job_id for job_id, receipt in final.items() if receipt.outcome not in {"accepted", "not_accepted"}}


def _steps(evidence: Evidence, expected: Iterable[Step]) -> set[str]:
    """Names of the messages that were expected: a job's id, or the step where there is no job at all."""
    jobs = {(job.episode_id, job.step): job.job_id for job in evidence.jobs if job.purpose == "marketing"}
    return {jobs.get(step, f"{step[0]}/{step[1]}") for step in expected} | set(evidence.parcels)


def _decided(evidence: Evidence, allowed: Allowed) -> list[str]:
    if not allowed.same_decisions:
        return []
    doubtful = {person for person in evidence.load.addresses if evidence.is_apart(person)}

    def counting(lines: Counter[str]) -> Counter[str]:
        return Counter({line: n for line, n in lines.items() if not any(f'"{person}"' in line for person in doubtful)})

    wanted, found = counting(evidence.load.lines), counting(evidence.decisions)
    missing, extra = list((wanted - found).elements()), list((found - wanted).elements())
    problems = [f"{len(missing)} decisions are missing: {missing[:2]}"] if missing else []
    return problems + ([f"{len(extra)} decisions are too many: {extra[:2]}"] if extra else [])


def _jobs(evidence: Evidence) -> list[str]:
    """Exactly the steps that the naive implementation has due became jobs, each once."""
    final = evidence.final()
    carts = {job.job_id: job for job in evidence.jobs if job.purpose == "marketing"}
    steps = Counter(
        (job.episode_id, job.step)
        for job_id, job in carts.items()
        if not (job_id in final and final[job_id].reason in REARM) and not evidence.is_apart(job.person_id)
    )
    expected = {step for step, person in evidence.load.due.items() if not evidence.is_apart(person)}
    problems = []
    if missing := sorted(expected - steps.keys()):
        problems.append(f"{len(missing)} due steps never became a job: {missing[:3]}")
    if extra := sorted(steps.keys() - expected):
        problems.append(f"{len(extra)} jobs for steps that are not due: {extra[:3]}")
    if twice := sorted(step for step, count in steps.items() if count > 1):
        problems.append(f"{len(twice)} steps became two jobs: {twice[:3]}")
    if absent := sorted(evidence.parcels.keys() - {job.job_id for job in evidence.jobs}):
        problems.append(f"{len(absent)} transactional jobs are not in their topic: {absent[:3]}")
    return problems


def _ended_once(evidence: Evidence, allowed: Allowed) -> list[str]:
    """Every job has one final receipt, for a reason that is allowed."""
    finals: dict[str, list[Receipt]] = {}
    for receipt in evidence.receipts:
        if receipt.outcome != "not_accepted":
            finals.setdefault(receipt.job_id, []).append(receipt)
    problems = []
    jobs = {job.job_id for job in evidence.jobs}
    if pending := sorted(jobs - finals.keys()):
        problems.append(f"{len(pending)} jobs came to no end: {pending[:3]}")
    if twice := sorted(job for job, found in finals.items() if not _is_one_word(found)):
        problems.append(f"{len(twice)} jobs have two final receipts: {[(j, finals[j]) for j in twice[:2]]}")
    lineless = {job.job_id for job in evidence.jobs if not job.lines}  # forgotten since it was planned: nothing to send
    stopped = [one for found in finals.values() for one in found if one.outcome == "suppressed"]
    stopped = [one for one in stopped if not (one.reason == "emptied" and one.job_id in lineless)]
    reasons = Counter(one.reason for one in stopped)
    if strange := {reason for reason in reasons if reason not in allowed.suppressed}:
        which = [(one.job_id, one.person_id) for one in stopped if one.reason in strange]
        problems.append(f"suppressed for {sorted(map(str, strange))}: {dict(reasons)}, {which[:3]}")
    uncertain = sum(1 for receipt in evidence.final().values() if receipt.outcome == "uncertain")
    bound = evidence.doubt if allowed.uncertain else 0
    if uncertain > bound:
        problems.append(f"{uncertain} are uncertain, {bound} may be")
    rejected = [r for r in evidence.final().values() if r.outcome == "rejected" and r.status != "render"]
    if not allowed.rejected and rejected:
        problems.append(f"{len(rejected)} were rejected: {rejected[:2]}")
    return problems


def _is_one_word(receipts: list[Receipt]) -> bool:
    """One final word; an acceptance that overrides an uncertainty is one, as is what a redrive makes of a failure."""
    words = [receipt.outcome for receipt in receipts if receipt.status != "render"]
    return len(words) <= 1 or sorted(words) == ["accepted", "uncertain"]


def _ledger(evidence: Evidence, allowed: Allowed) -> list[str]:
    """What the server took is what receipts say, less the uncertain; no cart twice, each to the right address."""
    final, taken = evidence.final(), Counter(job_id for job_id, _ in evidence.taken)
    accepted = {job_id for job_id, receipt in final.items() if receipt.outcome == "accepted"}
    uncertain = {job_id for job_id, receipt in final.items() if receipt.outcome == "uncertain"}
    problems = []
    if lost := sorted(accepted - taken.keys()):
        problems.append(f"{len(lost)} receipts say accepted, the server took no such mail: {lost[:3]}")
    if silent := sorted(taken.keys() - accepted - uncertain):
        problems.append(
            f"{len(silent)} mails without a receipt that says so: {[(j, final.get(j)) for j in silent[:3]]}"
        )
    copies = {job_id: count - 1 for job_id, count in taken.items() if count > 1}
    if carts := sorted(copies.keys() - evidence.parcels.keys()):
        problems.append(f"{len(carts)} cart messages were sent twice: {carts[:3]}")
    shipped = sum(copies.values())
    if shipped > (evidence.doubt if allowed.uncertain else 0) or max(copies.values(), default=0) > 1:
        problems.append(f"{shipped} copies of transactional messages: {dict(list(copies.items())[:3])}")
    people = {job.job_id: job.person_id for job in evidence.jobs}
    wrong = [
        (job_id, recipient)
        for job_id, recipient in evidence.taken
        if evidence.load.addresses.get(people.get(job_id, "")) != recipient
    ]
    if wrong:
        problems.append(f"{len(wrong)} mails went to a wrong address: {wrong[:3]}")
    return problems


def _at_rest(evidence: Evidence) -> list[str]:
    """At the end nothing waits: lag 0, and no claim is open."""
    problems = [f"lag of {group} is {lag}" for group, lag in evidence.lag.items() if lag != 0]
    standing: dict[str, str] = {}
    for claim in evidence.claims:
        if standing.get(claim.job_id) != "settled":
            standing[claim.job_id] = claim.state
    if waiting := sorted(job_id for job_id, state in standing.items() if state == "claimed"):
        problems.append(f"{len(waiting)} claims are open: {waiting[:3]}")
    return problems


def _letters(evidence: Evidence) -> list[str]:
    if evidence.letters == evidence.letters_due:
        return []
    return [f"dead letters {dict(evidence.letters)}, there should be {dict(evidence.letters_due)}"]
