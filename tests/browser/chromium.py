"""The browser that pages are looked at with.

Owns: where it is, who needs it, and what it is told always. Must not: know a page.
"""

import os
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CI = "CI" in os.environ  # noqa: TID251 -- tests are an outermost shell, like the CLI

NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM and not CI, reason="no chromium: apt-get install chromium"),
]
"""Without a browser a test is skipped, but not in CI."""

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It shows nothing and asks nobody."""
LOCAL_FILES = ("--allow-file-access-from-files", "--disable-web-security")
"""A page of the tests may look into frames of other files."""
