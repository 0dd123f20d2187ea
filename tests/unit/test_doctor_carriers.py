"""What the doctor says of those who are asked where parcels are."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_settings import settings
from postcart.adapters.sandbox.carrier import PATH, SECRET, CarrierSandbox
from postcart.adapters.web_server import WebServer
from postcart.wiring.doctor import Finding
from postcart.wiring.doctor.polling import NUMBER, polling_findings


def polled(url: str, **more: str) -> list[Finding]:
    """What is found about a carrier there."""
    env = {"CARRIERS": "dhl-express=dhl_express", "URL": f"{url}{PATH}", "ANSWER": "shippo", "SECRET": SECRET} | more
    return list(polling_findings(settings(**{f"POSTCART_POLLING__{name}": value for name, value in env.items()})))


@pytest.fixture(scope="module")
def carrier() -> Iterator[tuple[CarrierSandbox, str]]:
    """Of Shippo's API, and where it is."""
    sandbox = CarrierSandbox(now_ms=lambda: 0)
    with WebServer(sandbox.app).running() as web:
        yield sandbox, web.url


def test_carriers_are_asked_only_where_there_are_any(carrier: tuple[CarrierSandbox, str]) -> None:
    """One question, about no parcel, as the worker would put it; without settings nothing is said."""
    sandbox, url = carrier
    assert list(polling_findings(settings())) == []
    before = sandbox.asked.copy()
    source, schedule = polled(url)
    assert sandbox.asked - before == {("dhl_express", NUMBER): 1}
    assert (source.check, source.state) == ("polling", "ok")
    assert "lets us in" in source.detail
    assert (schedule.check, schedule.state) == ("poll schedule", "ok")
    assert "0:30:00 to 4:00:00" in schedule.detail
    assert "9,000 parcels" in schedule.detail


@pytest.mark.parametrize(
    ("status", "state", "todo"),
    [
        (404, "ok", ""),
        (400, "ok", ""),
        (401, "fail", "POSTCART_POLLING__SECRET"),
        (403, "fail", "POSTCART_POLLING__SECRET"),
        (302, "fail", "__URL"),
        (429, "warn", "RATE_PER_S"),
        (503, "fail", "reaches it"),
        (500, "fail", "reaches it"),
    ],
)
def test_what_a_carrier_says_to_the_doctor(
    carrier: tuple[CarrierSandbox, str], status: int, state: str, todo: str
) -> None:
    """A number of no parcel may be unknown or refused; all else has something to be done. No text of theirs is told."""
    sandbox, url = carrier
    sandbox.reply = lambda _carrier, _number: (status, "somebody@example.com", {})
    try:
        found, _schedule = polled(url)
    finally:
        sandbox.reply = lambda _carrier, _number: None
    assert (found.state, found.unreachable) == (state, status >= 500), found
    assert todo in found.todo
    assert "somebody" not in found.detail


def test_logins_and_addresses_that_are_wrong(carrier: tuple[CarrierSandbox, str], tmp_path: Path) -> None:
    """Another secret, an API of another form, nobody there, files that are not; secrets are not shown."""
    _sandbox, url = carrier
    assert [(one.state, one.unreachable) for one in polled(url, SECRET="Bearer hush")] == [  # noqa: S106 -- opens nothing
        ("fail", False),
        ("ok", False),
    ]
    assert "hush" not in str(polled(url, SECRET="Bearer hush"))  # noqa: S106 -- opens nothing
    assert polled("http://127.0.0.1:1")[0].unreachable
    (missing,) = polled(url, ANSWER="nobody")
    assert (missing.state, "nobody.yaml" in missing.detail) == ("fail", True)
    assert "authorities" in polled(url, CA_FILE=f"{tmp_path}/none.pem")[0].detail
    others = json.dumps(
        [{"name": "other", "carriers": "*", "url": f"{url}{PATH}", "answer": "shippo", "secret": SECRET}]
    )
    assert [one.check for one in polled(url, MORE=others)] == ["polling", "polling", "poll schedule"]


def test_answers_that_can_not_be_read() -> None:
    """A time that is none, here: the file is another API's, or the API has changed."""
    in_2300_ms = 10_413_792_000_000
    with WebServer(CarrierSandbox(now_ms=lambda: in_2300_ms).app).running() as web:
        found = polled(web.url)[0]
    assert (found.state, found.unreachable) == ("fail", False)
    assert "shippo.yaml" in found.detail
    assert "POSTCART_POLLING__ANSWER" in found.todo


def test_schedules_that_are_not_sane(carrier: tuple[CarrierSandbox, str]) -> None:
    """Too often, unless it is a trial on this machine; too seldom to know that a parcel moves."""
    _sandbox, url = carrier
    assert polled(url, INTERVAL_S="10", LONGEST_S="60")[-1].state == "ok"
    far = polled("https://127.1.2.3:1", INTERVAL_S="10", LONGEST_S="60", TIMEOUT_S="1")[-1]
    assert (far.state, "every 0:00:10" in far.detail, "INTERVAL_S" in far.todo) == ("warn", True, True)
    seldom = polled(url, LONGEST_S="604800")[-1]
    assert (seldom.state, "7 days" in seldom.detail) == ("warn", True)
