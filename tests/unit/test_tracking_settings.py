"""Settings of parcels: the numbers of tracking, the levels of delays, the folder of carriers' words."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from postcart.cli.app import app
from postcart.domain.track.rules import Level, Rules
from postcart.errors import ConfigurationError
from postcart.settings import load_settings
from postcart.wiring.tracking import track_rules


def test_defaults_are_those_of_the_rules() -> None:
    """docs/tracking.md, the domain and the settings say the same."""
    assert track_rules(load_settings({})) == Rules()


def test_levels_are_written_in_one_line() -> None:
    """Days and whom."""
    settings = load_settings({"POSTCART_TRACKING__LEVELS": "0:operations, 3:customer+operations"})
    assert track_rules(settings).levels == (
        Level(after=0, audiences=("operations",)),
        Level(after=3, audiences=("customer", "operations")),
    )


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ("1:customer", "the first level must be told at once"),
        ("0:customer, 0:operations", "each level must come later"),
        ("0 customer", "a level is written DAYS:WHO"),
        ("0:boss", "customer"),
    ],
)
def test_wrong_levels(levels: str, said: str) -> None:
    """By the variable's name, with what to write."""
    with pytest.raises(ConfigurationError, match="POSTCART_TRACKING__LEVELS") as raised:
        load_settings({"POSTCART_TRACKING__LEVELS": levels})
    assert said in str(raised.value)


@pytest.mark.slow
def test_config_check_looks_at_carriers(tmp_path: Path) -> None:
    """With file and line."""
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nsources: {docs: here}\nwords: [{code: a, means: gone, source: docs}]\n"
    )
    ran = CliRunner().invoke(app, ["config", "check"], env={"POSTCART_TRACKING__CARRIERS_DIR": str(tmp_path)})
    assert ran.exit_code == 1
    assert f"{tmp_path}/mine.yaml:3: means is 'gone'" in ran.output
