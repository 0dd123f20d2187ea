"""Where no broker is possible a test that needs one is skipped on a desk, and fails in CI."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDS_KAFKA = "tests/stream/test_topics.py::test_unequal_counts_are_told_with_the_odd_one_out"


@pytest.mark.slow
@pytest.mark.parametrize(("environ", "outcome"), [({}, "1 skipped"), ({"CI": "true"}, "1 error")])
def test_without_a_broker(tmp_path: Path, environ: dict[str, str], outcome: str) -> None:
    """Both say what to install."""
    done = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", NEEDS_KAFKA],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "DOCKER_HOST": "unix:///nowhere/docker.sock", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert "apt-get install default-jre-headless" in "".join(done.stdout.split("\n"))
