"""What became of a sender's jobs, judged by what the mail server took.

Owns: the judge, and the jobs that faults are tried with. Must not: share code with the sender.
"""

from collections import Counter
from typing import Any

from postcart.adapters.mail_sink import MailSink
from waiting import wait_for

IN_FLIGHT = 8


def mails(sink: MailSink) -> Counter[str]:
    """How often each job's mail was accepted."""
    return Counter(mail.entry.message_id.strip("<>").split("@")[0] for mail in sink.received)


def judge(rig: Any, sink: MailSink, jobs: list[Any], *, kills: int, seconds: float = 120) -> None:
    """Conservation: each job ended once, what the server took is what receipts say, less the uncertain."""
    receipts = rig.await_receipts(len(jobs), seconds=seconds)
    final = {r.job_id: r for r in receipts if r.outcome != "not_accepted"}
    repeated = [j for j, n in Counter(r.job_id for r in receipts if r.outcome != "not_accepted").items() if n > 1]
    assert not repeated, "two final receipts for a job"
    assert final.keys() == {job.job_id for job in jobs}
    taken = mails(sink)
    accepted = {job_id for job_id, receipt in final.items() if receipt.outcome == "accepted"}
    uncertain = {job_id for job_id, receipt in final.items() if receipt.outcome == "uncertain"}
    carts = {job.job_id for job in jobs if job.purpose == "marketing"}
    assert accepted | uncertain == final.keys()
    assert accepted <= taken.keys(), "a receipt without a mail"
    assert taken.keys() <= accepted | uncertain, "a mail without a receipt"
    assert not [job_id for job_id, count in taken.items() if count > 1 and job_id in carts], "a cart mailed twice"
    assert sum(count - 1 for count in taken.values()) <= IN_FLIGHT * kills
    assert len(uncertain) <= IN_FLIGHT * kills
    wait_for(lambda: rig.lag() == 0, what="lag 0")


def people_with_jobs(rig: Any, count: int) -> list[Any]:
    """Two reminders for each of so many people, and a transactional message for each fourth."""
    people = [rig.person(f"p{n}") for n in range(count)]
    carts = [rig.job(person, step) for step in (1, 2) for person in people]
    return carts + [rig.job(person, 1, purpose="transactional") for person in people[: count // 4]]
