"""Does to a running world what a scenario describes.

Owns: how each fault is done, and the proof that it struck. Must not: judge what came of it.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from faults.crew import wall_ms
from faults.scenario import At, Do, Injection, Leave, Mails, Outage, Storm, Strike, Together
from faults.world import World, whole
from waiting import wait_for

_STRIKE_S = 60.0
_SESSION_S = 10.0


def perform(world: World, step: At) -> None:
    """Wait until it is time, then do it. Returns when the fault itself is over.

    Raises:
        AssertionError: It did not strike: the run proves nothing.
    """
    world.reached(step.fraction)
    _DOES[type(step.what)](world, step.what)


def _strike(world: World, strike: Strike) -> None:
    """Arm one worker of a group that is whole, and wait until it is hit."""
    crew = world.crew
    whole(world, strike.kind)
    names = crew.names(strike.kind)
    world.random.shuffle(names)
    victim = names[0]
    process = crew.processes[victim]
    crew.arm(victim, strike.point, strike.action)
    try:
        at_ms = crew.await_strike(victim, seconds=_STRIKE_S)
    finally:
        crew.disarm(victim)
    world.harm.append((at_ms, strike.kind, f"{strike.action} {strike.point}"))
    if strike.action == "stop":
        wait_for(lambda: crew.is_stopped(victim), lambda: f"{victim} does not stand still")
        world.pause(strike.asleep_s)
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: process.poll() is not None, lambda: f"{victim} works on after it was fenced")
    else:
        wait_for(lambda: process.poll() is not None, lambda: f"{victim} survives {strike.action}")


def _leave(world: World, leave: Leave) -> None:
    whole(world, leave.kind)
    victim = world.random.choice(world.crew.names(leave.kind))
    world.harm.append((wall_ms(), leave.kind, "term"))
    seconds = world.crew.dismiss(victim)
    world.notes["out_s"] = max(world.notes.get("out_s", 0.0), seconds)
    wait_for(lambda: victim not in world.crew.kinds, lambda: f"{victim} is not buried")
    world.crew.start(leave.kind, victim)


def _outage(world: World, outage: Outage) -> None:
    for number in outage.brokers:
        world.broker.kill(number)
    began_ms = wall_ms()
    world.pause(outage.seconds, looks=False)
    for number in outage.brokers:
        world.broker._launch(number)  # all at once: one alone would wait for a quorum
    world.broker.await_ready()
    for kind in world.row.crew:
        world.harm.append((wall_ms(), kind, f"brokers {list(outage.brokers)} back after {wall_ms() - began_ms} ms"))


def _storm(world: World, storm: Storm) -> None:
    """Each kind on a thread of its own: every few seconds one more worker or one less."""
    until = time.monotonic() + storm.seconds

    def blow(kind: Any) -> None:
        while time.monotonic() < until:
            _change(world, kind, storm.most)
            time.sleep(storm.every_s)  # the rhythm of the storm is the fault

    _at_once([partial(blow, kind) for kind in storm.kinds])
    for kind in storm.kinds:
        world.harm.append((wall_ms(), kind, "storm over"))


def _change(world: World, kind: Any, most: int) -> None:
    present = world.crew.names(kind)
    grows = len(present) < 2 or (len(present) < most and world.random.random() < 0.5)
    if grows:
        free = next(name for name in (f"{kind}-{n}" for n in range(most + 1)) if name not in world.crew.kinds)
        world.crew.start(kind, free)
    else:
        seconds = world.crew.dismiss(world.random.choice(present))
        world.notes["out_s"] = max(world.notes.get("out_s", 0.0), seconds)


def _mails(world: World, mails: Mails) -> None:
    world.notes["ambiguous"] = world.notes.get("ambiguous", 0) + getattr(world.room.manner, "count", 0)
    world.room.manner = mails.manner()
    world.harm.append((wall_ms(), "mail server", type(world.room.manner).__name__))


def _do(world: World, do: Do) -> None:
    do.what(world, world.random)
    world.harm.append((wall_ms(), "", do.name))


def _together(world: World, together: Together) -> None:
    def follow(track: tuple[At, ...]) -> None:
        for step in track:
            perform(world, step)

    _at_once([partial(follow, track) for track in together.tracks])


def _at_once(tasks: list[Callable[[], None]]) -> None:
    """Run each on a thread of its own; raises the first failure."""
    with ThreadPoolExecutor(len(tasks)) as threads:
        for done in [threads.submit(task) for task in tasks]:
            done.result()


_DOES: dict[type[Injection], Any] = {
    Strike: _strike,
    Leave: _leave,
    Outage: _outage,
    Storm: _storm,
    Mails: _mails,
    Do: _do,
    Together: _together,
}
