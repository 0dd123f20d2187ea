"""The doctor without Kafka: settings, secrets, limits, the clock, read model and registry."""

import resource
from pathlib import Path

import pytest

from doctor_settings import REAL, ROOT, by_check, settings
from postcart.adapters.broker_facts import Appended
from postcart.settings import load_settings
from postcart.wiring import doctor
from postcart.wiring.doctor import examine
from postcart.wiring.doctor.own import files, own_findings, trial_secrets


def test_settings_that_are_wrong_are_all_told_and_nothing_else_is_looked_at() -> None:
    """There is nothing to look at it with."""
    found = list(examine({"POSTCART_PARTITIONS": "none", "POSTCART_METRICS_PROT": "1"}, real_ms=lambda: 0))
    assert {one.check for one in found} == {"settings"}
    assert {one.state for one in found} == {"fail"}
    text = " ".join(one.detail for one in found)
    assert "POSTCART_PARTITIONS" in text
    assert "POSTCART_METRICS_PROT" in text


def test_secrets_of_a_trial_are_a_warning_here_and_a_failure_elsewhere() -> None:
    """Also where somebody has set them to the very defaults."""
    assert trial_secrets(settings()).state == "warn"
    elsewhere = {"POSTCART_SMTP__HOST": "mail.real.example"}
    found = trial_secrets(settings(**elsewhere))
    assert found.state == "fail"
    assert "POSTCART_MASTER_KEY" in found.detail
    assert trial_secrets(settings(**elsewhere, **REAL)).state == "ok"
    default = load_settings({}).identity_key.get_secret_value()
    typed = trial_secrets(settings(**elsewhere, **{**REAL, "POSTCART_IDENTITY_KEY": default}))
    assert typed.state == "fail"
    assert "POSTCART_IDENTITY_KEY" in typed.detail
    assert default not in typed.detail


def test_campaigns_and_templates_are_looked_at(tmp_path: Path) -> None:
    """As `config check` does."""
    (tmp_path / "wrong.yaml").write_text("name: [")
    (tmp_path / "cart-reminder").mkdir()
    (tmp_path / "cart-reminder/subject.txt.j2").write_text("{{ nobody")
    values = {"POSTCART_CAMPAIGNS_DIR": str(tmp_path), "POSTCART_TEMPLATES_DIR": str(tmp_path)}
    found = by_check(own_findings(load_settings({**values, "POSTCART_LOCALES_DIR": str(ROOT / "locales")})))
    assert (found["campaign"].state, found["templates"].state) == ("fail", "fail")
    assert "wrong.yaml" in found["campaign"].detail


@pytest.mark.parametrize(("limit", "state"), [(64, "fail"), (1_024, "warn"), (1 << 14, "ok")])
def test_few_open_files_are_too_few(limit: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual default of 1,024 is enough for a start, no more."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (limit, limit))
    assert files().state == state


def test_a_clock_is_ahead_only_by_what_is_certain() -> None:
    """Between sending and hearing the broker's time may be anything."""
    assert Appended(100, 150, 200).ahead_ms == 0
    assert Appended(5_000, 1_000, 5_010).ahead_ms == 4_000
    assert Appended(1_000, 9_000, 1_500).ahead_ms == -7_500


def test_the_read_model_is_asked_where_there_is_one(tmp_path: Path) -> None:
    """One that is not there yet is unreachable; without a setting nothing is said."""
    assert list(doctor._read_model(settings())) == []
    (found,) = doctor._read_model(settings(POSTCART_READ_MODEL_URL=f"sqlite:///{tmp_path}/none.db"))
    assert (found.state, found.unreachable) == ("fail", True)
    assert "worker project" in found.todo


def test_the_registry_is_asked_where_there_is_one() -> None:
    """One that does not answer; without a setting nothing is said."""
    assert list(doctor._registry(settings())) == []
    (found,) = doctor._registry(settings(POSTCART_SCHEMA_REGISTRY_URL="http://127.0.0.1:1"))
    assert (found.state, found.unreachable) == ("fail", True)
