"""People who answer STOP while messages to them are on their way.

Owns: that row. Must not: write a suppression itself: the gateway does, by what the provider tells it.
"""

import time

import httpx

from faults.channels import Channels, number_of, open_channels
from faults.scenario import Outcome, Surroundings
from postcart.adapters.sandbox.sms import SECRET, sign
from waiting import wait_for

_PUBLIC = "https://shop.example/hooks"
_PROMISE_S = 15.0
"""Suppressions are known 10 s after they were written, and a claim opens no socket once it is 5 s old."""
_LAST_S = 30.0
_PER_S = 40.0
_SHARE = 5


def stop_words(about: Surroundings) -> Outcome:
    """Messages for everybody, evenly; half-way every fifth says STOP."""
    variables = {"POSTCART_SMS__CALLBACK_URL": _PUBLIC, "POSTCART_GATEWAY__PORT": "0", "POSTCART_SHOP__NAME": "Lumen"}
    half = about.events // 2
    per_s = min(_PER_S, half / _LAST_S)
    with open_channels(about, **variables) as world:
        world.meet("sms")
        world.rig.start("sms", "worker", "send", "sms")
        world.rig.start("gateway", "worker", "gateway")
        world.emit_evenly(half, "sms", per_s=max(per_s, _PER_S / 2))
        stopped_s = {number_of(index): _stop(world, index) for index in range(0, len(world.people("sms")), _SHARE)}
        world.emit_evenly(half, "sms", per_s=per_s)
        world.settle()
        late = [text for text in world.sms.taken if text.at_s > stopped_s.get(text.to, text.at_s) + _PROMISE_S]
        problems = [f"{len(late)} messages more than {_PROMISE_S:.0f} s after a STOP"] if late else []
        after = [
            text.at_s - stopped_s[text.to] for text in world.sms.taken if text.at_s > stopped_s.get(text.to, text.at_s)
        ]
        outcome = world.outcome(problems, suppressed=frozenset({"suppressed_address", "no_consent"}))
        if not outcome.counts["suppressed"]:
            outcome.problems.append("nobody's STOP was heeded")
        return outcome._replace(notes={"stopped": len(stopped_s), "last after_s": max(after, default=0.0)})


def _stop(world: Channels, index: int) -> float:
    """Say STOP, and when that was confirmed; on the clock of the provider's ledger."""
    path, form = (
        "/sms/twilio/incoming",
        {"From": number_of(index), "To": "+4930123456", "Body": "STOP", "MessageSid": f"SM{index}"},
    )
    url = wait_for(
        lambda: next((str(line["url"]) for line in world.said("gateway", "gateway_listens")), None),
        lambda: world.rig.log_of("gateway")[-2000:],
    )
    signed = {"x-twilio-signature": sign(SECRET, f"{_PUBLIC}{path}", form)}

    def answered() -> bool:
        answer = httpx.post(f"{url}{path}", data=form, headers=signed)
        return answer.status_code == httpx.codes.OK

    wait_for(answered, "the gateway to know numbers")
    return time.monotonic()
