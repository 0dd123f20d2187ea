"""Push messages: what they say, and whose browsers and apps they go to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json, structs

from postcart.codecs.sanity import problem_of
from postcart.content import sample
from postcart.content.push import LONGEST_BODY, LONGEST_TITLE, PushRenderer, shortened
from postcart.content.templates import TemplateSet
from postcart.domain.journey import fold
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.errors import RenderError
from postcart.events.gate import GatePerson
from postcart.events.ids import contact_id
from postcart.events.shop import ProfileUpdated, PushSubscription
from postcart.processors.gate import GateWriter, gate_record
from postcart.senders.contacts import sealed_points, without
from postcart.senders.providers import ProviderPlan, Providers
from push_services import LANGUAGES, LAPTOP, PAD, PHONE, RENDERER, VAULT, Service, adapter

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
