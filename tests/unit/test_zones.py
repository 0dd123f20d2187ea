"""Which zones a recipient may be in, also where the machine has nothing to spare."""

import subprocess
import sys

import pytest

from postcart.domain.zones import COUNTRY_ZONES, named, read_all, zones_of

WITHOUT_DESCRIPTORS = """
import os, resource
from postcart.domain.zones import read_all, zones_of
read_all()
first = os.open(os.devnull, os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, first + 1))
print(zones_of("Australia/Lord_Howe", "DE", None)[0].key)
"""


def test_a_zone_is_known_where_no_file_can_be_opened() -> None:
    """Else it would pass for unknown, and quiet hours would be those of another place."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_DESCRIPTORS], capture_output=True, text=True, check=True)  # noqa: S603 -- our own program
    assert done.stdout == "Australia/Lord_Howe\n"


@pytest.mark.parametrize("name", ["Europe", "x" * 5_000, "../etc/passwd", "", "Europe/Berlin/x", "\0", None])
def test_what_is_no_zone(name: str | None) -> None:
    """Whatever a profile names."""
    assert named(name) is None
    assert [str(zone) for zone in zones_of(name, "AT", None)] == ["Europe/Vienna"]


def test_countries_have_zones_that_exist() -> None:
    """The table by country is written by hand."""
    assert {zone for zones in COUNTRY_ZONES.values() for zone in zones} <= read_all().keys()
