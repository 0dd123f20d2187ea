"""Settings of asking carriers: nothing set asks nobody; what is wrong is told at once, by name."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from postcart.adapters.topics import all_topics, poll_inputs
from postcart.cli.app import app
from postcart.domain.track.rules import Polling
from postcart.errors import ConfigurationError
from postcart.events.times import MINUTE_MS
from postcart.settings import load_settings
from postcart.wiring.lag_exporter import group_topics
from postcart.wiring.polling import answer_forms, run_poll_worker
from postcart.wiring.tracking import poll_rules, track_context, track_rules, tracking

WHOLE = {
    "POSTCART_POLLING__CARRIERS": "usps, dhl-express=dhl_express",
    "POSTCART_POLLING__URL": "https://api.goshippo.com/tracks/{carrier}/{tracking_number}",
    "POSTCART_POLLING__ANSWER": "shippo",
    "POSTCART_POLLING__SECRET": "ShippoToken shippo_live_1",
}


def test_nothing_set_asks_nobody() -> None:
    """TRACK's rules are what they were, no group is watched, and the worker says what it needs."""
    settings = load_settings({})
    assert poll_rules(settings) is None
    assert track_context(settings).rules == track_rules(settings)
    assert settings.topic("polling") not in group_topics(settings)
    with pytest.raises(ConfigurationError, match="POSTCART_POLLING__CARRIERS"):
        run_poll_worker(settings)


def test_what_is_set_reaches_track() -> None:
    """Every 30 minutes; in a replay nobody is asked, and `simulate` knows nothing of it."""
    settings = load_settings(WHOLE)
    wanted = Polling(carriers=frozenset({"usps", "dhl-express"}))
    assert (wanted.interval_ms, wanted.longest_ms) == (30 * MINUTE_MS, 240 * MINUTE_MS)
    assert track_context(settings).rules.polling == wanted
    assert tracking(settings).rules.polling is None
    assert poll_rules(load_settings({**WHOLE, "POSTCART_CLOCK": "replay"})) is None
    assert group_topics(settings)["postcart.polling"] == poll_inputs(settings)
    assert set(poll_inputs(settings)) <= {topic.name for topic in all_topics(settings)}
    assert poll_rules(load_settings({**WHOLE, "POSTCART_POLLING__CARRIERS": "*"})) == Polling(
        carriers=frozenset({"*"}), every=True
    )


def test_several_sources(tmp_path: Path) -> None:
    """Each with a name; the vocabulary is the answer's, or another."""
    more = '[{"name":"mine","carriers":["dpd"],"url":"https://x.example/{tracking_number}","answer":"easypost","vocabulary":"postcart"}]'
    settings = load_settings({**WHOLE, "POSTCART_POLLING__MORE": more})
    forms = answer_forms(settings)
    assert {name: form.vocabulary for name, form in forms.items()} == {"carrier": "shippo", "mine": "postcart"}
    file = tmp_path / "postcart.yaml"
    file.write_text(
        "polling:\n  more:\n    - name: mine\n      carriers: [dpd]\n"
        "      url: https://x.example/{tracking_number}\n      answer: easypost\n"
    )
    assert [one.name for one in load_settings({}, file).polling.sources] == ["mine"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"URL": "https://api.example/tracks"}, "say where the number goes: {tracking_number}"),
        ({"URL": "https://{carrier}.example/{tracking_number}"}, "go behind the host"),
        ({"URL": "https://api.example/{number}/{tracking_number}"}, "{number} is not known"),
        ({"URL": "http://api.example/{tracking_number}"}, "must begin with https://"),
        ({"URL": ""}, "carrier also needs url"),
        ({"URL": "", "ANSWER": ""}, "carrier also needs url and answer"),
        ({"CARRIERS": ""}, "carrier asks about nobody: set its carriers"),
        ({"CARRIERS": "USPS"}, "'USPS': write a carrier's name in small letters"),
        ({"CARRIERS": "usps, usps=other"}, "name each carrier once"),
        ({"LONGEST_S": "60"}, "longest_s (60) is shorter than interval_s (1800)"),
        ({"HEADER": "X: y"}, "POSTCART_POLLING__HEADER"),
        (
            {"MORE": '[{"carriers":["usps"],"url":"https://x.example/{tracking_number}","answer":"shippo"}]'},
            "usps is asked at two sources",
        ),
    ],
)
def test_what_is_wrong(changes: dict[str, str], said: str) -> None:
    """By the variable's name, with what to write; the secret is not shown."""
    env = {**WHOLE, **{f"POSTCART_POLLING__{name}": value for name, value in changes.items()}}
    with pytest.raises(ConfigurationError, match="POSTCART_POLLING__") as raised:
        load_settings(env)
    assert said in str(raised.value)
    assert "shippo_live_1" not in str(raised.value)


def test_all_problems_of_all_sources_at_once() -> None:
    """One error."""
    more = '[{"name":"carrier","carriers":["usps","dpd"],"answer":"shippo"},{"name":"idle","url":"https://x.example/{tracking_number}"}]'
    with pytest.raises(ConfigurationError) as raised:
        load_settings({**WHOLE, "POSTCART_POLLING__MORE": more, "POSTCART_POLLING__LONGEST_S": "9"})
    for part in ("also needs url", "idle asks about nobody", "a name of its own", "usps is asked at two", "longest_s"):
        assert part in str(raised.value)


def test_config_check_looks_at_answers(tmp_path: Path) -> None:
    """All files and vocabularies that are not there."""
    more = '[{"name":"mine","carriers":["dpd"],"url":"https://x.example/{tracking_number}","answer":"easypost","vocabulary":"none"}]'
    env = {**WHOLE, "POSTCART_POLLING__ANSWER": "shipo", "POSTCART_POLLING__MORE": more}
    env["POSTCART_TEMPLATES_DIR"] = str(tmp_path)  # all of ours would take seconds
    ran = CliRunner().invoke(app, ["config", "check"], env=env)
    assert ran.exit_code == 1
    assert "no shipo.yaml is there; did you mean 'shippo'?" in ran.output
    assert "mine's vocabulary is none" in ran.output
