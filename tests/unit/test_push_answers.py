"""Push messages: what the answers for several browsers and apps mean together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from postcart.adapters.providers import Accepted
from postcart.content import sample
from postcart.content.push import OutgoingPush, Target
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.domain.journey.suppressions import receipt_came
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.jobs import Receipt
from postcart.senders.answers import of_error
from postcart.senders.item import GiveBack, Settle
from push_services import LAPTOP, PAD, PHONE, RENDERER, Service, adapter


def gone(contact: str) -> RecipientRejected:
    error = RecipientRejected("the subscription is over", status="410")
    error.gone = (contact,)
    return error


def message(*kinds: str) -> OutgoingPush:
    subscriptions = {"web": LAPTOP, "fcm": PHONE, "apns": PAD}
    targets = tuple(Target(f"{kind}-{n}", subscriptions[kind]) for n, kind in enumerate(kinds))
    job = sample.sample_job("cart-reminder", channel="push")
    return RENDERER.render(job, sample.RECIPIENT, targets, date_ms=sample.DATE_MS)


def sent(provider: str, kinds: Sequence[str], **services: Service) -> Any:
    """The acceptance or the error."""
    return all_sent(provider, [kinds], **services)[0]


def all_sent(provider: str, messages: Sequence[Sequence[str]], **services: Service) -> list[Any]:
    async def run() -> list[Any]:
        push, found = adapter(**services), []
        for kinds in messages:
            try:
                found.append(await push.send(message(*kinds), provider))
            except DeliveryError as error:
                found.append(error)
        return found

    return asyncio.run(run())


def test_every_device_gets_it_and_one_is_enough() -> None:
    """Accepted names the one that took it, and those that are over."""
    web, fcm = Service(gone("web-0"), None), Service()
    accepted = sent("web", ["web", "web", "fcm"], web=web, fcm=fcm)
    assert accepted == Accepted("201", "2 of 3 devices, the subscription is over", contact_id="web-1", gone=("web-0",))
    assert (web.asked, fcm.asked) == (["web-0", "web-1"], ["fcm-2"])


def test_all_are_over() -> None:
    """Rejected, and each is given up; the receipt itself names none."""
    error = sent("web", ["web", "fcm"], web=Service(gone("web-0")), fcm=Service(gone("fcm-1")))
    assert (type(error), error.status, error.gone) == (RecipientRejected, "410", ("web-0", "fcm-1"))
    job = sample.sample_job("cart-reminder", channel="push")
    ending = of_error(error, job, now_ms=0, resent=False, failures=0).ending
    assert isinstance(ending, Settle)
    assert (ending.outcome, ending.gone) == ("rejected", ("web-0", "fcm-1"))
    out = Decided()
    receipt = Receipt(
        job_id="j", person_id="p", episode_id="e", step=1, channel="push", purpose="marketing", attempt=1,
        outcome="rejected", at_ms=1, status="410", gone=ending.gone,
    )  # fmt: skip
    receipt_came(Person(person_id="p"), receipt, out)
    assert [(one.channel, one.contact_id, one.reason) for one in out.suppressed] == [
        ("push", "web-0", "hard"), ("push", "fcm-1", "hard"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "trouble", [ChannelUnavailable("down"), ProviderBusy("busy", retry_after_ms=7_000), CredentialsRejected("who?")]
)
def test_trouble_of_the_asked_service_is_the_senders_affair(trouble: DeliveryError) -> None:
    """Nothing was handed over, and nobody else is asked: the sender chooses another, and watches over this one."""
    fcm = Service()
    assert sent("web", ["web", "fcm"], web=Service(trouble), fcm=fcm) is trouble
    assert fcm.asked == []


def test_a_service_that_failed_is_left_alone_where_it_is_only_asked_besides() -> None:
    """One that is slow or down does not slow down whom another reaches."""
    web, fcm = Service(), Service(ChannelUnavailable("down"))
    first, second = all_sent("web", [["web", "fcm"]] * 2, web=web, fcm=fcm)
    assert (first.status, second.status) == ("201", "201")
    assert len(fcm.asked) == 1
    assert len(web.asked) == 2


def test_where_the_reachable_one_is_over_the_other_is_waited_for() -> None:
    """The job comes back when it may; by then the gate knows whom it need not ask."""
    busy = ProviderBusy("busy", status="429", retry_after_ms=90_000)
    error = sent("web", ["web", "fcm"], web=Service(gone("web-0")), fcm=Service(busy))
    assert (type(error), error.retry_after_ms, error.gone) == (DeliveryDeferred, 90_000, ("web-0",))
    job = sample.sample_job("cart-reminder", channel="push")
    ending = of_error(error, job, now_ms=0, resent=False, failures=0).ending
    assert isinstance(ending, GiveBack)
    assert (ending.not_before_ms >= 90_000, ending.gone) == (True, ("web-0",))


def test_uncertain_stays_so_unless_another_takes_it() -> None:
    """Nobody knows whether the first has it; the person has it if the second took it."""
    lost = DeliveryUncertain("no answer")
    assert sent("web", ["web", "fcm"], web=Service(lost), fcm=Service(gone("fcm-1"))) is lost
    assert lost.gone == ("fcm-1",)
    assert sent("web", ["web", "fcm"], web=Service(DeliveryUncertain("no answer")), fcm=Service()).contact_id == "fcm-1"
    assert type(sent("web", ["fcm"], web=Service(), fcm=Service(gone("fcm-0")))) is RecipientRejected
    assert type(sent("web", ["apns"], web=Service())) is RecipientRejected
