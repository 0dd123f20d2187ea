"""The transport's acceptance test, short: each fault once. ``trial.py`` runs many seeds."""

from pathlib import Path
from typing import Any

import pytest

from stream import trial


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_under_faults(kafka: Any, tmp_path: Path) -> None:
    """Three workers under kill -9, SIGTERM and SIGSTOP of 2 and 18 s: an independent reader finds each record once."""
    verdict = trial.run_trial(
        kafka.bootstrap,
        kafka.prefix("trial"),
        create=kafka.create,
        faults=("kill", "stop 18", "term", "stop 2"),
        seed=7,
        logs=tmp_path,
    )
    assert verdict.good, str(verdict)
    assert verdict.sent > 10_000
