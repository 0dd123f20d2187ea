"""Alerts to employees: who gets a message, and that nothing is lost on the way."""

import asyncio
import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerts import alert, bundle
from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.slack import SlackWebhook
from postcart.adapters.sandbox.slack import PATH, SlackSandbox
from postcart.adapters.web_server import WebServer
from postcart.content import sample
from postcart.content.notice import notice_of, slack_message
from postcart.domain.troubles import Bundle, Trouble, heed
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.alerts import Alert
from postcart.senders.alert_destinations import Mailboxes
from postcart.senders.alerts import AlertDesk, Heard

PLACE, OTHER = ("alerts", 0), ("alerts", 1)


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
