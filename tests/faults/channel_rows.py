"""The fault matrix of channels and their providers: what each row does, and what it asks for besides conservation.

Owns: the providers' behaviour, row by row. Must not: start anything by itself (the world of channels does).
"""

import math
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import quantiles

from faults.channels import Channels, open_channels
from faults.elsewhere import elsewhere
from faults.scenario import Outcome, OwnRow, Surroundings
from faults.stop_words import stop_words
from faults.trips import trips
from postcart.adapters.sandbox.sms import Answer, polite
from postcart.events.jobs import Job
from stream.sender_rig import now_ms
from waiting import wait_for

_OTHERS = ("email", "webhook")
_PER_S = 15.0
_SLOW_S = 30.0
_OPENS_WITHIN_S = 60.0
_MORE_MB = 150.0
_BUSY_S, _BUSY_RATE = 6, 40.0
_DOWN_S = 30.0
_CONNECTIONS = 8
_WINDOW_S = 5.0


class _Slow:
    """Takes the message, and long to say so; ``count`` of answers that nobody heard."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: object) -> Answer:
        self.count += 1
        return Answer(201, wait_s=_SLOW_S, takes_it=True)


def _p99(world: Channels, jobs: Iterable[Job]) -> float:
    """From a job's emission to its acceptance, in seconds."""
    final = world.final()
    waited = [(final[job.job_id].at_ms - job.due_ms) / 1000 for job in jobs]
    return quantiles(waited, n=100, method="inclusive")[-1]


def slow_provider(about: Surroundings) -> Outcome:
    """First all providers are quick, then one of three takes 30 s for an answer: the others' jobs must not notice."""
    share = about.events // 6
    with open_channels(about, POSTCART_SMS__TIMEOUT_S="2") as world:
        world.meet("sms", *_OTHERS)
        for channel in ("sms", *_OTHERS):
            world.rig.start(channel, "worker", "send", channel)
        world.emit_evenly(10, "sms", *_OTHERS, per_s=_PER_S)  # what is done once is not the base
        world.settle()
        base = world.emit_evenly(share, "sms", *_OTHERS, per_s=_PER_S)
        world.settle()
        before_mb, began_ms = world.memory_mb("sms"), now_ms()
        world.sms.script = provider = _Slow()
        slow = world.emit_evenly(share, "sms", *_OTHERS, per_s=_PER_S)
        world.settle(*_OTHERS)
        wait_for(lambda: world.said("sms", "channel_paused"), "the slow provider to be left alone")
        paused = datetime.fromisoformat(str(world.said("sms", "channel_paused")[0]["timestamp"]))
        opened_s = paused.timestamp() - began_ms / 1000
        grown_mb = world.memory_mb("sms") - before_mb
        world.sms.script = polite
        world.settle()
        problems = [
            f"{name} moved partitions" for name in world.rig.processes if world.said(name, "partitions_revoked")
        ]
        if grown_mb > _MORE_MB:
            problems.append(f"the sender of the slow provider took {grown_mb:.0f} MB more")
        if opened_s > _OPENS_WITHIN_S:
            problems.append(f"the circuit opened only after {opened_s:.0f} s")
        notes = {"opened_s": opened_s, "grown_mb": grown_mb}
        for channel in _OTHERS:
            then, now = (_p99(world, (job for job in jobs if job.channel == channel)) for jobs in (base, slow))
            notes |= {f"{channel} p99 base_s": then, f"{channel} p99 slow_s": now}
            if about.timed and now > 2 * then:
                problems.append(f"p99 of {channel} was {then:.2f} s and became {now:.2f} s")
        outcome = world.outcome(problems, ambiguous=provider.count)
        return outcome._replace(notes=notes)


def busy_provider(about: Surroundings) -> Outcome:
    """429 with Retry-After in mid-run: only what was on its way then still comes; never more than was configured."""
    variables = {"POSTCART_SMS__RATE_PER_S": str(int(_BUSY_RATE)), "POSTCART_SMS__CONNECTIONS": str(_CONNECTIONS)}
    with open_channels(about, **variables) as world:
        refused_s: list[float] = []

        def busy(_: object) -> Answer | None:
            now_s, so_far = world.sms.asked_s[-1], len(world.sms.asked_s)
            until_s = refused_s[0] + _BUSY_S if refused_s else now_s + _BUSY_S
            if so_far < about.events // 3 or now_s >= until_s:
                return None
            refused_s.append(now_s)
            return Answer(429, 20429, {"retry-after": str(math.ceil(until_s - now_s))})

        world.sms.script = busy
        world.meet("sms")
        for number in range(about.events):
            world.emit("sms", purpose="marketing" if number % 10 else "transactional")
        world.rig.start("sms", "worker", "send", "sms")
        world.settle()
        problems = []
        if len(refused_s) > _CONNECTIONS:
            problems.append(f"asked {len(refused_s)} times while it wanted to be left alone")
        busiest, bound = _most_within(world.sms.asked_s, _WINDOW_S), _BUSY_RATE * 1.1 * _WINDOW_S + _CONNECTIONS
        if busiest > bound:
            problems.append(f"asked {busiest} times in {_WINDOW_S:.0f} s, {bound:.0f} are the most")
        outcome = world.outcome(problems)
        return outcome._replace(notes={"refused": len(refused_s), "busiest_per_s": busiest / _WINDOW_S})


def _most_within(times: list[float], seconds: float) -> int:
    first, most = 0, 0
    for number, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, number - first + 1)
    return most


def provider_down(about: Surroundings) -> Outcome:
    """Everything waits for a provider that is out of order; then it is ramped up, and what is too late is not sent."""
    with open_channels(about) as world:
        down = threading.Event()
        down.set()
        tried: set[str] = set()

        def out_of_order(form: Mapping[str, str]) -> Answer | None:
            if not down.is_set():
                return None
            tried.add(form["To"])
            return Answer(503)

        world.sms.script = out_of_order
        world.meet("sms")
        expires_ms = now_ms() + 1_000
        for number in range(about.events):
            expires = expires_ms if number % 10 == 1 else None
            world.emit("sms", purpose="marketing" if number % 10 else "transactional", not_after_ms=expires)
        world.rig.start("sms", "worker", "send", "sms")
        wait_for(lambda: world.said("sms", "channel_paused"), lambda: world.rig.log_of("sms")[-2000:])
        failed = len(world.sms.asked_s)
        world.pause(_DOWN_S if about.timed else _DOWN_S / 6)
        probes = len(world.sms.asked_s) - failed
        mb = world.memory_mb("sms")
        down.clear()
        world.settle()
        purposes = [world.emitted[text.key].purpose for text in world.sms.taken]
        shipping = [  # what was tried in vain waits for up to 30 s by itself
            number
            for number, (purpose, text) in enumerate(zip(purposes, world.sms.taken, strict=True))
            if purpose == "transactional" and text.to not in tried
        ]
        before = purposes[: shipping[-1]].count("marketing") if shipping else 0
        problems = [f"{before} carts went out before the last parcel"] if before > 2 * _CONNECTIONS else []
        if probes > (most := _DOWN_S + _CONNECTIONS):
            problems.append(f"{probes} probes, {most:.0f} are the most")
        due = {job.job_id for job in world.emitted.values() if job.not_after_ms == expires_ms}
        if unexpired := due & {text.key for text in world.sms.taken}:
            problems.append(f"{len(unexpired)} were sent after their time")
        outcome = world.outcome(problems, suppressed=frozenset({"not_after"}))
        return outcome._replace(notes={"probes": probes, "memory_mb": mb})


CHANNEL_ROWS: tuple[OwnRow, ...] = (
    OwnRow(
        name="slow-provider",
        alone=True,
        fault="one of three providers takes 30 s for an answer",
        expected="others' p99 below twice the base; circuit open in 60 s; memory bounded; no rebalance",
        play=slow_provider,
    ),
    OwnRow(
        name="busy-provider",
        alone=True,
        fault="429 with Retry-After",
        expected="no earlier retry; rate ≤ limit + 10 %",
        play=busy_provider,
    ),
    OwnRow(
        name="provider-down",
        fault="a provider down for an hour (scaled) with every job waiting",
        expected="only probes meanwhile; shipping before carts; expired carts suppressed",
        play=provider_down,
    ),
    OwnRow(
        name="stop-word",
        fault="STOP answered in mid-flight, by the provider's signed callback",
        expected="0 text messages 15 s after it",
        play=stop_words,
    ),
    OwnRow(
        name="elsewhere",
        fault="a webhook whose name changes its address, and that redirects",
        expected="0 connections to anywhere else; everything arrives in the end",
        play=elsewhere,
    ),
    OwnRow(
        name="parcels",
        fault="every scan three times, shuffled, delivered before shipped; the worker killed twice",
        expected="each told once, as the rules say; no status goes back",
        play=trips,
    ),
)
