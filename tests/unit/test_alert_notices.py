"""Alerts to employees: what is news, what goes into one message, and what that says."""

from email import message_from_bytes
from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st

from alerts import alert, bundle
from postcart.content import sample
from postcart.content.notice import SHOWN, notice_of, plain_text, slack_message
from postcart.domain.troubles import MOST, Bundles, Trouble, heed, stock_alert
from postcart.events.alerts import Alert
from postcart.events.shop import VariantUpdated
from postcart.senders.alert_destinations import alert_mail

PLACE = ("alerts", 0)


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
