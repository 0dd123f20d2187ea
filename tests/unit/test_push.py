"""Push messages: what they say, whose browsers and apps they go to, and what several answers mean together."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json, structs

from postcart.adapters.providers import Accepted
from postcart.adapters.vault import Vault
from postcart.codecs.sanity import problem_of
from postcart.content import sample
from postcart.content.languages import Languages
from postcart.content.push import LONGEST_BODY, LONGEST_TITLE, OutgoingPush, PushRenderer, Target, shortened
from postcart.content.templates import TemplateSet
from postcart.domain.journey import fold
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
    RenderError,
)
from postcart.events.gate import GatePerson
from postcart.events.ids import contact_id
from postcart.events.jobs import Receipt
from postcart.events.shop import ProfileUpdated, PushSubscription
from postcart.processors.gate import GateWriter, gate_record
from postcart.senders.answers import of_error
from postcart.senders.contacts import sealed_points, without
from postcart.senders.item import GiveBack, Settle
from postcart.senders.providers import ProviderPlan, Providers
from postcart.senders.push import PushAdapter

ROOT = Path(__file__).parents[2]
LANGUAGES = Languages(ROOT / "locales")
RENDERER = PushRenderer(TemplateSet(ROOT / "templates"), sample.SHOP, languages=LANGUAGES)
VAULT = Vault(bytes(32), os.urandom)
LAPTOP = PushSubscription(kind="web", token="https://push.example/laptop", p256dh="p", auth="a")  # noqa: S106 -- a URL
PHONE = PushSubscription(kind="fcm", token="phone:token")  # noqa: S106 -- made up
PAD = PushSubscription(kind="apns", token="00fc", since=1_700_000_000_000)  # noqa: S106 -- made up


# -- what they say ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "title", "direction"),
    [
        ("en-GB", "Your cart at Lumen & Leaf is waiting", "ltr"),
        ("de-AT", "Dein Warenkorb bei Lumen & Leaf wartet", "ltr"),
        ("ar-EG", "\u2068Lumen & Leaf\u2069", "rtl"),
    ],
)
def test_what_a_reminder_says(locale: str, title: str, direction: str) -> None:
    """In the recipient's language, within what phones show, with a link and what it replaces."""
    recipient = sample.Recipient("", "Ana", locale, None)
    push = RENDERER.render(sample.sample_job("cart-reminder", channel="push"), recipient, (), date_ms=sample.DATE_MS)
    assert title in push.title
    assert push.direction == direction
    assert push.language == locale[:2]
    assert len(push.title) <= LONGEST_TITLE
    assert 0 < len(push.body) <= LONGEST_BODY
    assert push.link == sample.SHOP.cart_url
    assert push.valid_s == 23 * 3_600
    again = sample.sample_job("cart-reminder-2", channel="push", step=2, job_id="another")
    assert RENDERER.render(again, recipient, (), date_ms=sample.DATE_MS).tag == push.tag, "it replaces the first"
    assert len(push.tag) == 32


@pytest.mark.parametrize("template", ["shipped", "delayed", "order-confirmation"])
def test_news_of_orders_and_parcels(template: str) -> None:
    """Subject and preview of the mail, and the page of the order or parcel."""
    job = sample.usual_job(template, RENDERER._templates.about(template))
    push = RENDERER.render(structs.replace(job, channel="push"), sample.RECIPIENT, (), date_ms=sample.DATE_MS)
    assert "order" in push.title
    assert push.body
    assert push.link.startswith("https://lumen-leaf.example/")


@given(text=st.text(max_size=300), most=st.integers(2, 100))
def test_shortened_is_a_beginning(text: str, most: int) -> None:
    """What fits stays; else it ends in an ellipsis, between words where there are some."""
    found = shortened(text, most)
    assert len(found) <= most
    if len(text) <= most:
        assert found == text
    else:
        assert found.endswith("…")
        assert text.startswith(found[:-1])


@pytest.mark.parametrize(
    ("part", "text"), [("title", " \n"), ("body", ""), ("link", "javascript:alert(1)"), ("link", "")]
)
def test_a_template_that_says_nothing(tmp_path: Path, part: str, text: str) -> None:
    """Is an error of the template, as is a link that is none."""
    folder = tmp_path / "hello"
    folder.mkdir()
    texts = {"title": "Hello", "body": "There", "link": "https://shop.example/"} | {part: text}
    for name, content in texts.items():
        (folder / f"push.{name}.txt.j2").write_text(content)
    renderer = PushRenderer(TemplateSet(tmp_path), sample.SHOP, languages=LANGUAGES)
    with pytest.raises(RenderError, match=f"hello/push.{part}"):
        renderer.render(sample.sample_job("hello"), sample.RECIPIENT, (), date_ms=sample.DATE_MS)


# -- whose they are --------------------------------------------------------------------------------------------------


def gate_of(*subscriptions: PushSubscription) -> tuple[GatePerson, bytes]:
    """The record that JOURNEY writes of a person with these, and its key."""
    writer = GateWriter(
        gate_topic="gate",
        keys_topic="keys",
        sealer=VAULT,
        contact_id=lambda channel, point: contact_id(b"key", channel, point),
        partition=0,
        progress_interval_ms=1_000,
    )
    person = Person(person_id="p")
    profile = ProfileUpdated(id="profile", time=1_000, person_id="p", email="a@x.example", push=subscriptions)
    fold.arrive(person, [writer.sealed(person, profile)], Decided())
    person.profile = person.pending.pop()  # type: ignore[assignment]  # it is the profile
    return gate_record(person), person.wrapped_key or b""


def adapter(**services: Any) -> PushAdapter:
    return PushAdapter(RENDERER, services, VAULT)


def test_each_is_sealed_and_has_an_id_of_its_own() -> None:
    """What JOURNEY tells is what the sender opens; nothing of it is readable on the way."""
    record, key = gate_of(LAPTOP, PHONE, PAD)
    raw = json.encode(record)
    assert b"push.example" not in raw
    assert b"phone:token" not in raw
    ids = [one for one, _ in sealed_points(record, "push")]
    assert len(set(ids)) == 3
    push = adapter(web=Service()).prepare(
        sample.sample_job("cart-reminder", channel="push", person_id="p"), record, key
    )
    assert [(one.contact_id, one.subscription) for one in push.targets] == list(
        zip(ids, (LAPTOP, PHONE, PAD), strict=True)
    )
    assert "phone:token" not in repr(push)


def test_one_that_was_made_again_is_another() -> None:
    """Given up and registered anew, a device is not punished for what it was."""
    first, _ = gate_of(PushSubscription(kind="apns", token="00fc", since=1))  # noqa: S106 -- made up
    again, _ = gate_of(PushSubscription(kind="apns", token="00fc", since=2))  # noqa: S106 -- made up
    same, _ = gate_of(PushSubscription(kind="apns", token="00fc", since=1))  # noqa: S106 -- made up
    assert first.contact_ids["push"] == same.contact_ids["push"] != again.contact_ids["push"]


def test_those_that_are_suppressed_are_left_out() -> None:
    """The sender is given the others only; one alone stays, the gate then stops the job."""
    record, _ = gate_of(LAPTOP, PHONE, PAD)
    ids = [one for one, _ in sealed_points(record, "push")]
    assert [one for one, _ in sealed_points(without(record, "push", ids[1:]), "push")] == ids[1:]
    assert without(record, "push", ids) is record
    assert without(record, "push", []) is record
    assert without(record, "push", ids[:1]).contacts["email"] == record.contacts["email"]


def test_only_services_that_reach_the_person_are_asked() -> None:
    """By the kinds of its subscriptions, as far as they are configured."""
    push = adapter(web=Service(), fcm=Service())
    assert push.able(*gate_of(LAPTOP)) == {"web"}
    assert push.able(*gate_of(LAPTOP, PHONE, PAD)) == {"web", "fcm"}
    assert push.able(*gate_of(PAD)) == {"web"}, "somebody has to say that it can't be reached"
    providers = Providers([ProviderPlan(name="web"), ProviderPlan(name="fcm", order=1)])
    assert {providers.choose(f"job {n}", 0.0, able={"fcm"}) for n in range(9)} == {"fcm"}
    providers.failed("fcm", 1.0, at_once=True)
    assert providers.choose("job", 1.0, able={"fcm"}) is None
    assert providers.choose("job", 1.0, able={"web", "fcm"}) == "web"


def test_a_profile_with_what_can_not_be_kept() -> None:
    """Sealed texts are longer than what is sealed: too long a token, or a time without a zone, is a dead letter."""
    whole = ProfileUpdated(id="1", time=1, person_id="p", push=(LAPTOP, PAD))
    assert problem_of(whole) is None
    long = PushSubscription(kind="fcm", token="x" * 1_001)
    assert "push.token" in str(problem_of(ProfileUpdated(id="1", time=1, person_id="p", push=(long,))))
    assert "email" in str(problem_of(ProfileUpdated(id="1", time=1, person_id="p", email="x" * 1_001)))
    late = PushSubscription(kind="fcm", token="x", since=1 << 60)  # noqa: S106 -- made up
    assert "push.since" in str(problem_of(ProfileUpdated(id="1", time=1, person_id="p", push=(late,))))


# -- what answers mean -----------------------------------------------------------------------------------------------


class Service:
    """Answers as it is told; the last answer stays."""

    def __init__(self, *answers: DeliveryError | None) -> None:
        self._answers = list(answers) or [None]
        self.asked: list[str] = []

    async def send(self, message: OutgoingPush, target: Target) -> Accepted:  # noqa: ARG002 -- the port's signature
        """Answer."""
        self.asked.append(target.contact_id)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer
        return Accepted("201")

    async def close(self) -> None:
        """Nothing to close."""


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
