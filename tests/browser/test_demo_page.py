"""The demo's result page in a real browser: nothing overflows, nothing is loaded, nothing complains.

Chromium runs once: a page loads the result at several widths into frames and writes down what it measures.
"""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from browser.chromium import CHROMIUM, LOCAL_FILES, NEEDS_CHROMIUM, QUIET
from demo_result import demo_result
from postcart.wiring.demo.page import write_page
from postcart.wiring.demo.parcels import WAYS
from postcart.wiring.demo.shop import Places
from postcart.wiring.demo.timelines import _TITLES

WIDTHS = (320, 390, 800, 1280)

pytestmark = NEEDS_CHROMIUM

_FLAGS = (
    *QUIET,
    *LOCAL_FILES,
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--dump-dom",
)

_PAGE = """<!doctype html><meta charset="utf-8"><body><pre id="out"></pre><script>
const out = {};
Promise.all(%s.map((width) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:800px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument, root = page.documentElement, boxes = [...page.querySelectorAll(".scroll")];
    out[width] = {
      scroll: root.scrollWidth, width: root.clientWidth,
      table: Math.max(...boxes.map((box) => box.scrollWidth - box.clientWidth)),
      headings: [...page.querySelectorAll("h1, h2")].map((one) => one.textContent),
      stories: page.querySelectorAll(".persons article").length,
      items: page.querySelectorAll(".feed article").length,
      unnamed: [...page.querySelectorAll("a")].filter((one) => !one.textContent.trim()).length,
      loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
    };
    done();
  };
  frame.src = "index.html";
  document.body.append(frame);
}))).then(() => { document.getElementById("out").textContent = JSON.stringify(out); });
</script>"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], str]:
    """What the browser measured by width, and what it logged."""
    assert CHROMIUM, "no chromium: apt-get install chromium"
    places = Places(tmp_path_factory.mktemp("demo") / "out")
    places.prepare()
    write_page(demo_result(places.inbox), places)
    page = places.folder / "measure.html"
    page.write_text(_PAGE % json.dumps(WIDTHS), "utf-8")
    profile: Path = tmp_path_factory.mktemp("profile")
    done = subprocess.run(  # noqa: S603 -- the browser that was found
        [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", page.as_uri()], capture_output=True, timeout=240, check=True
    )
    found = re.search(r'<pre id="out">(.+?)</pre>', done.stdout.decode())
    assert found, "the page did not finish"
    return json.loads(html.unescape(found[1])), done.stderr.decode("utf-8", "replace")


def test_nothing_scrolls_sideways(seen: tuple[dict[str, dict[str, Any]], str]) -> None:
    """Neither the page nor, from an ordinary phone on, its tables."""
    measured, _ = seen
    assert set(measured) == set(map(str, WIDTHS))
    assert {width: one for width, one in measured.items() if one["scroll"] > one["width"]} == {}
    assert {width: one for width, one in measured.items() if int(width) >= 390 and one["table"] > 0} == {}


def test_what_it_holds(seen: tuple[dict[str, dict[str, Any]], str]) -> None:
    """Headings in order, persons' and parcels' stories, every link with a name; and it loads nothing."""
    for one in seen[0].values():
        assert one["headings"] == [
            "What happened, and why",
            "Reminders",
            "Orders and parcels",
            "An in-app feed",
            "Some persons, step by step",
            "Some parcels, from the order to the door",
        ]
        assert one["items"] == 2
        assert one["stories"] == len(_TITLES) + len(WAYS)
        assert one["unnamed"] == 0
        assert one["loaded"] == 0


def test_the_browser_does_not_complain(seen: tuple[dict[str, dict[str, Any]], str]) -> None:
    """Nothing on its console: no error, no refused request."""
    assert [line for line in seen[1].splitlines() if "CONSOLE" in line] == []
