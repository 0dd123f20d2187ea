"""Alerts to employees: what is news, what goes into one message, who gets it, and that nothing is lost on the way."""

import asyncio
import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.slack import SlackWebhook
from postcart.adapters.sandbox.slack import PATH, SlackSandbox
from postcart.adapters.web_server import WebServer
from postcart.content import sample
from postcart.content.notice import SHOWN, notice_of, plain_text, slack_message
from postcart.domain.troubles import MOST, Bundle, Bundles, Sort, Trouble, heed, stock_alert
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.alerts import Alert
from postcart.events.shop import VariantUpdated
from postcart.senders.alert_destinations import Mailboxes, alert_mail
from postcart.senders.alerts import AlertDesk, Heard

START = datetime(2026, 11, 27, 14, tzinfo=UTC)
PLACE, OTHER = ("alerts", 0), ("alerts", 1)


def alert(key: str = "parcel-1/no_scan", *, minute: int = 0, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "alert_id": f"{key}/{minute}/{changes}",
        "kind": "delivery_trouble",
        "dedup_key": key,
        "at": START + timedelta(minutes=minute),
        "cause": "no_scan",
        "carrier": "dhl",
        "tracking_number": "JD014600003",
        "order_id": "A-1001",
    }
    return Alert(**(fields | changes))


# -- what is news ----------------------------------------------------------------------------------------------------


def test_a_trouble_is_told_once_when_it_gets_worse_and_when_it_is_over() -> None:
    """Repeats, what is older, and a level that was reached before are no news."""
    troubles: dict[str, Trouble] = {}
    first, worse, over = alert(), alert(minute=9, level=2), alert(minute=20, resolved=True)
    heard = [
        first,
        first,
        worse,
        alert(minute=10),
        first,
        alert(minute=5, level=3),
        over,
        over,
        alert(minute=15),
        worse,
    ]
    assert [heed(troubles, one) for one in heard] == [
        "begun", None, "worse", None, None, None, "over", None, None, None,
    ]  # fmt: skip
    assert heed(troubles, alert(minute=30)) == "begun", "the same trouble once more is another one"
    assert heed(troubles, alert("parcel-2/no_scan", resolved=True)) is None, "over, and nobody heard of it"


alerts = st.builds(
    alert,
    st.sampled_from(["a", "b"]),
    minute=st.integers(0, 9),
    level=st.integers(1, 3),
    resolved=st.booleans(),
)


@given(st.lists(alerts, max_size=20))
def test_begun_and_over_take_turns(heard: list[Alert]) -> None:
    """Whatever comes: a trouble that begins lasts until it is over; what comes twice changes nothing."""
    troubles: dict[str, Trouble] = {}
    lasting: dict[str, bool] = {}
    for one in heard:
        change = heed(troubles, one)
        assert heed(troubles, one) is None
        if change is not None:
            assert lasting.get(one.dedup_key, False) is (change != "begun")
            lasting[one.dedup_key] = change != "over"
    assert {key for key, lasts in lasting.items() if lasts} == {key for key, one in troubles.items() if one.lasts}


def variant(number: int, stock: int | None) -> VariantUpdated:
    return VariantUpdated(
        id=f"v/{number}", time=1_700_000_000_000 + number, variant_id="5773203", unit_price=1, stock=stock
    )  # type: ignore[arg-type]


def test_stock() -> None:
    """Short, sold out, and enough again; unknown counts as available."""
    troubles: dict[str, Trouble] = {}
    stocks = [50, 5, 4, 0, 0, 3, 6, None, 2, None]
    found = [heed(troubles, stock_alert(variant(n, stock), 5)) for n, stock in enumerate(stocks)]
    assert found == [None, "begun", None, "worse", None, None, "over", None, "begun", "over"]


# -- what goes into one message --------------------------------------------------------------------------------------


def test_troubles_of_one_sort_within_a_while_are_one_message() -> None:
    """By kind, cause and carrier; what is over before it was told is told to nobody."""
    bundles = Bundles(30.0)
    for number in range(3):
        bundles.add(alert(f"p{number}/no_scan"), "begun", place=PLACE, position=7 + number, now_s=10.0 + number)
    bundles.add(alert("p9/no_scan", carrier="ups"), "begun", place=PLACE, position=1, now_s=11.0)
    bundles.add(alert("p1/no_scan", minute=3, resolved=True), "over", place=PLACE, position=20, now_s=12.0)
    bundles.add(alert("old/no_scan", resolved=True), "over", place=PLACE, position=21, now_s=12.0)
    assert list(bundles.due(39.9)) == []
    [dhl] = bundles.due(40.0)
    assert (list(dhl.alerts), dhl.places) == (["p0/no_scan", "p2/no_scan"], {PLACE: 7})
    assert {one.sort.over for one in bundles.waiting()} == {True, False}
    assert [one.sort.carrier for one in bundles.due(100.0)] == ["ups", "dhl"]
    assert bundles.waiting() == []


def test_a_flood_is_told_in_parts() -> None:
    """A message names at most so many; the next begins at once."""
    bundles = Bundles(30.0)
    for number in range(MOST + 1):
        bundles.add(alert(f"p{number}"), "begun", place=PLACE, position=number, now_s=0.0)
    assert [len(one.alerts) for one in bundles.due(0.0)] == [MOST]
    assert [len(one.alerts) for one in bundles.due(30.0)] == [1]


def bundle(*found: Alert, over: bool = False) -> Bundle:
    made = Bundle(Sort(found[0].kind, found[0].cause, found[0].carrier, over), 0.0)
    made.alerts = {one.dedup_key: one for one in found}
    return made


def test_what_a_notice_says() -> None:
    """How many, of what; the first few by name, bounded, and escaped as Slack asks."""
    many = [alert(f"p{number}", order_id=f"A-{number}<b>&", level=2) for number in range(212)]
    notice = notice_of(bundle(*many))
    assert notice.title == "212 parcels have not moved for days (dhl)"
    assert len(notice.lines) == SHOWN
    assert notice.more == 202
    assert notice.lines[0] == "order A-0<b>&, parcel dhl JD014600003, level 2, at 2026-11-27 14:00 UTC"
    text = slack_message(notice)["text"]
    assert "order A-0&lt;b&gt;&amp;," in text
    assert text.endswith("• and 202 more")
    assert "<b>" not in text
    over = notice_of(bundle(alert(resolved=True), over=True))
    assert over.title == "Over: 1 parcel has not moved for days (dhl)"
    assert plain_text(over).splitlines()[2].startswith("- order A-1001, parcel dhl JD014600003")
    unknown = notice_of(bundle(alert(kind="system", cause="disk_full", carrier=None, tracking_number=None)))
    assert unknown.title == "1 trouble: disk full"
    short = notice_of(bundle(stock_alert(variant(1, 0), 5)))
    assert (short.title, short.lines[0].partition(", at")[0]) == ("1 variant runs short", "variant 5773203 is sold out")


def test_a_mail_of_a_notice() -> None:
    """Whole, and the same once more if it is sent again."""
    one = bundle(alert(order_id="<A&B>"))
    mail = alert_mail(notice_of(one), one.bundle_id, "ops@shop.example", sample.SHOP, 1_700_000_000_000)
    assert mail == alert_mail(notice_of(one), one.bundle_id, "ops@shop.example", sample.SHOP, 1_700_000_000_000)
    read = message_from_bytes(mail, policy=SMTP)
    assert (read["To"], read["Subject"]) == ("ops@shop.example", "1 parcel has not moved for days (dhl)")
    assert read["Message-ID"] == f"<{one.bundle_id}@lumen-leaf.example>"
    html = read.get_body(("html",)).get_content()
    assert "order &lt;A&amp;B&gt;" in html


# -- who gets it -----------------------------------------------------------------------------------------------------


class Scripted:
    """A destination that answers as it is told; the last answer stays."""

    def __init__(
        self, name: str, *answers: DeliveryError | None, kinds: Collection[Any] = ("delivery_trouble",)
    ) -> None:
        self.name, self.kinds = name, kinds
        self.answers = list(answers) or [None]
        self.got: list[str] = []
        self.asked = 0

    async def tell(self, bundle: Bundle) -> None:
        """Answer."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer
        self.got += bundle.alerts


class Counted:
    """Keeps what was counted."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str]] = []

    def told(self, destination: str, _kind: str, outcome: str) -> None:
        """Keep it."""
        self.outcomes.append((destination, outcome))


def desk_of(*destinations: Any, wait_s: float = 0.0) -> AlertDesk:
    return AlertDesk(destinations, wait_s=wait_s, metrics=Counted())


def tell(desk: AlertDesk, now_s: float, owned: Collection[Any] = (PLACE,)) -> None:
    asyncio.run(desk.tell(now_s, owned))


def test_each_destination_by_itself_until_all_have_it() -> None:
    """One that is down holds up no other; its message is tried again, and committed only then."""
    slack = Scripted("slack", ChannelUnavailable("down"), ChannelUnavailable("down"), None)
    mail, none = Scripted("email"), Scripted("stock", kinds=("stock",))
    desk = desk_of(slack, mail, none)
    desk.begin({PLACE: 0})
    for position in range(3):
        desk.hear(Heard(alert(f"p{position}"), PLACE, position), 0.0)
    desk.read_up_to(PLACE, 3)
    assert desk.told_up_to() == {PLACE: 0}
    tell(desk, 1.0)
    assert (mail.got, slack.got, none.asked) == (["p0", "p1", "p2"], [], 0)
    assert desk.told_up_to() == {PLACE: 0}
    tell(desk, 1.5)
    assert slack.asked == 1, "not before a second has passed"
    tell(desk, 2.0)
    tell(desk, 3.9)
    assert slack.asked == 2, "then not before two"
    tell(desk, 4.0)
    assert slack.got == ["p0", "p1", "p2"]
    assert mail.asked == 1
    assert desk.told_up_to() == {PLACE: 3}


def test_what_is_refused_is_dropped_and_a_wish_to_wait_is_heeded() -> None:
    """A message that can't be read would otherwise hold up all others for ever."""
    slack = Scripted("slack", RecipientRejected("invalid"), ProviderBusy("busy", retry_after_ms=90_000), None)
    desk = desk_of(slack)
    desk.begin({PLACE: 0})
    for position, now_s in enumerate((0.0, 5.0)):
        desk.hear(Heard(alert(f"p{position}"), PLACE, position), now_s)
        desk.read_up_to(PLACE, position + 1)
        tell(desk, now_s)
    assert desk.told_up_to() == {PLACE: 1}
    tell(desk, 94.9)
    assert slack.asked == 2
    tell(desk, 95.0)
    assert slack.got == ["p1"]


def test_after_a_restart_only_what_was_not_told_is() -> None:
    """Everything is read again from the beginning; what was told before is only remembered."""
    slack = Scripted("slack")
    desk = desk_of(slack)
    desk.begin({PLACE: 2})
    for position, one in enumerate(
        (alert("a"), alert("b"), alert("b", minute=1, level=2), alert("a", minute=9, resolved=True))
    ):
        desk.hear(Heard(one, PLACE, position), 0.0)
    desk.read_up_to(PLACE, 4)
    tell(desk, 0.0)
    assert slack.got == ["b", "a"], "b got worse, a is over; neither begins anew"


def test_what_went_to_another_worker_is_its_to_tell() -> None:
    """A partition that is not owned any more is told and committed by whoever has it now."""
    slack = Scripted("slack", ChannelUnavailable("down"), None)
    desk = desk_of(slack)
    desk.begin({PLACE: 0, OTHER: 0})
    desk.hear(Heard(alert("a"), PLACE, 0), 0.0)
    desk.hear(Heard(alert("b", carrier="ups"), OTHER, 0), 0.0)
    tell(desk, 0.0, owned=[PLACE, OTHER])
    desk.read_up_to(PLACE, 1)
    tell(desk, 10.0, owned=[PLACE])
    assert slack.got == ["a"]
    assert desk.told_up_to() == {PLACE: 1}


class NothingIsLost(RuleBasedStateMachine):
    """Alerts come, the destination fails now and then, the worker is killed: each trouble is told at least once."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Alert] = []
        self.told: list[str] = []
        self.committed = 0
        self.now_s = 0.0
        self.up = True
        self.begin()

    def begin(self) -> None:
        """A new process reads from the beginning."""
        self.desk = desk_of(self, wait_s=3.0)
        self.desk.begin({PLACE: self.committed})
        self.read = 0

    name, kinds = "slack", ("delivery_trouble",)

    async def tell(self, bundle: Bundle) -> None:
        """As a destination."""
        if not self.up:
            raise ChannelUnavailable("down")
        self.told += [one.alert_id for one in bundle.alerts.values()]

    @rule(key=st.sampled_from("abc"), minute=st.integers(0, 99), level=st.integers(1, 2), resolved=st.booleans())
    def comes(self, key: str, minute: int, level: int, resolved: bool) -> None:  # noqa: FBT001 -- hypothesis names them
        """An alert is written."""
        self.log.append(alert(key, minute=minute, level=level, resolved=resolved))

    @rule(seconds=st.integers(0, 70), up=st.booleans())
    def goes_on(self, seconds: int, up: bool) -> None:  # noqa: FBT001 -- the same
        """The worker's loop turns."""
        self.up = up
        self.now_s += seconds
        for position in range(self.read, len(self.log)):
            self.desk.hear(Heard(self.log[position], PLACE, position), self.now_s)
        self.read = len(self.log)
        self.desk.read_up_to(PLACE, self.read)
        tell(self.desk, self.now_s)
        self.committed = self.desk.told_up_to().get(PLACE, self.committed)

    @rule()
    def is_killed(self) -> None:
        """And started again."""
        self.begin()

    @invariant()
    def commits_never_go_back(self) -> None:
        """Nor beyond what was read."""
        assert 0 <= self.committed <= len(self.log)

    def teardown(self) -> None:
        """At last all is told that lasts."""
        for _ in range(3):
            self.goes_on(70, up=True)
        assert self.committed == len(self.log)
        troubles: dict[str, Trouble] = {}
        for one in self.log:
            heed(troubles, one)
        last = {key for key, one in troubles.items() if one.lasts}
        assert last <= {told.partition("/")[0] for told in self.told}


TestNothingIsLost = NothingIsLost.TestCase


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, "invalid_payload", {}), RecipientRejected),
        ((403, "action_prohibited", {}), CredentialsRejected),
        ((404, "no_service", {}), CredentialsRejected),
        ((410, "channel_is_archived", {}), CredentialsRejected),
        ((429, "rate_limited", {"retry-after": "30"}), ProviderBusy),
        ((500, "rollup_error", {}), DeliveryUncertain),
        ((503, "", {}), ChannelUnavailable),
    ],
)
def test_what_slack_answers(answer: Any, kind: type[DeliveryError]) -> None:
    """Against a local server; the address stays secret."""
    sandbox = SlackSandbox()
    with WebServer(sandbox.app).running() as web:

        async def run() -> Any:
            webhook = SlackWebhook(f"{web.url}{PATH}", HttpClient(HttpOptions(read_s=2.0)), now_ms=lambda: 0)
            assert (await webhook.send(slack_message(notice_of(bundle(alert()))))).status == "200"
            sandbox.reply = lambda _: answer
            with pytest.raises(kind) as raised:
                await webhook.send({"text": "hello"})
            await webhook.close()
            return raised.value

        error = asyncio.run(run())
    assert sandbox.faults == []
    assert type(error) is kind
    assert "sandbox" not in str(error)
    if answer[2]:
        assert error.retry_after_ms == 30_000
    assert json.dumps(sandbox.messages[0]).count("JD014600003") == 2


def test_mailboxes_get_a_mail_each_by_the_first_server_that_takes_it() -> None:
    """One that is refused keeps nobody else from theirs."""
    sent: list[tuple[str, str]] = []

    class Server:
        def __init__(self, name: str, refuses: str) -> None:
            self._name, self._refuses = name, refuses

        async def send(self, _sender: str, recipient: str, _mail: bytes) -> Any:
            if self._refuses in recipient:
                raise RecipientRejected("no such user")
            sent.append((self._name, recipient))

        async def close(self) -> None:
            pass

    servers: Any = [Server("first", "b@"), Server("second", "c@")]
    boxes = Mailboxes(servers, ("a@x.example", "b@x.example"), sample.SHOP, kinds=("stock",), now_ms=lambda: 0)
    asyncio.run(boxes.tell(bundle(alert())))
    assert sent == [("first", "a@x.example"), ("second", "b@x.example")]
    boxes = Mailboxes([Server("only", "c@")], ("c@x.example", "d@x.example"), sample.SHOP, kinds=(), now_ms=lambda: 0)  # type: ignore[list-item]
    with pytest.raises(RecipientRejected):
        asyncio.run(boxes.tell(bundle(alert())))
    assert sent[-1] == ("only", "d@x.example")
