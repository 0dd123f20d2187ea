"""`postcart why` on the demo: its read model is waited for, and two ids are chosen that are worth asking about.

Owns: that choice, and the command line to copy. Must not: answer (wiring.why does).
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from postcart.adapters.read_model import open_read_model
from postcart.adapters.topics import Admin, project_inputs
from postcart.errors import ReadModelUnavailable
from postcart.events.decisions import StepCancelled, StepDue
from postcart.settings import Settings
from postcart.wiring.demo.result import Result
from postcart.wiring.demo.shop import Places
from postcart.wiring.demo.story import deferred
from postcart.wiring.read_model import read_model_url

_WAIT_S: Final = 20.0
_LOOK_S: Final = 0.05


def await_read_model(settings: Settings, *, stopped: Callable[[], bool]) -> None:
    """Wait until everything that is in the topics now is in the read model, or it takes too long."""
    admin, until = Admin(settings), time.monotonic() + _WAIT_S
    counts = admin.partition_counts()
    ends = admin.ends([(topic, number) for topic in project_inputs(settings) for number in range(counts[topic])])
    while time.monotonic() < until and not stopped():
        try:
            store = open_read_model(read_model_url(settings))
            standings = store.standings()
            store.close()
        except ReadModelUnavailable:
            standings = {}
        if all(place in standings and standings[place].next >= end for place, end in ends.items() if end):
            return
        time.sleep(_LOOK_S)


def questions(result: Result) -> Mapping[str, str]:
    """In words → the id: a mail that was sent, after a night if there is such a one, and one that was stopped."""
    waited = {(one.episode_id, one.step) for one in deferred(result.tally.decisions)}
    mails = result.mails
    sent = next((mail for mail in mails if mail.due and (mail.due.episode_id, mail.due.step) in waited), None)
    reached = {one.episode_id for one in result.tally.decisions if isinstance(one, StepDue)}
    cancelled = [one for one in result.tally.decisions if isinstance(one, StepCancelled)]
    stopped = next((one for one in cancelled if one.reason == "ordered" and one.episode_id in reached), None)
    found = {}
    if sent or mails:
        found["why a mail was sent when it was"] = (sent or mails[0]).job_id
    if stopped or cancelled:
        found["why another was not"] = (stopped or cancelled[0]).episode_id
    return found


def command(places: Places, program: str, name: str) -> str:
    """What to type."""
    path = Path(os.path.relpath(places.read_model))
    shown = places.read_model if path.parts[0] == ".." else path
    return f"POSTCART_READ_MODEL_URL=sqlite:///{shown} {program} why {name}"
