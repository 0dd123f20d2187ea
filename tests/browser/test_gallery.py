"""The page of mails and the mails themselves in a real browser: nothing overflows, tabs and list work.

Chromium runs once: a page loads all cases into frames of the widths in question, asks each for its measures and
writes them down.
"""

import html
import json
import re
import subprocess
from decimal import Decimal
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from browser.chromium import CHROMIUM, LOCAL_FILES, NEEDS_CHROMIUM, QUIET
from postcart.content import sample
from postcart.content.gallery import write_gallery
from postcart.content.languages import Languages
from postcart.content.preview import preview_message, preview_renderer
from postcart.content.templates import TemplateSet
from postcart.events.shop import Product
from postcart.events.signals import LineState

ROOT = Path(__file__).parents[2]

pytestmark = NEEDS_CHROMIUM

_FLAGS = (
    *QUIET,
    *LOCAL_FILES,
    "--virtual-time-budget=20000",
    "--dump-dom",
)

_PAGE = """<!doctype html><meta charset="utf-8"><body><pre id="out"></pre><script>
const cases = %s, out = {};
const measure = (frame) => {
  const root = frame.contentDocument.documentElement;
  return {scroll: root.scrollWidth, width: root.clientWidth, dir: root.dir, buttons: smallest(frame)};
};
const smallest = (frame) => Math.min(...[...frame.contentDocument.querySelectorAll(".action a, [role=tab]")]
  .filter((e) => e.offsetParent).map((e) => e.getBoundingClientRect().height));
const actions = {
  list(frame) {
    const page = frame.contentDocument, links = [...page.querySelectorAll("nav a")];
    links[1].click();
    const search = page.getElementById("search");
    search.value = "warenkorb"; search.dispatchEvent(new Event("input"));
    return {current: links.findIndex((a) => a.ariaCurrent), target: links[1].target,
            shown: links.filter((a) => a.offsetParent).length, count: page.getElementById("count").textContent};
  },
  tabs(frame) {
    const page = frame.contentDocument;
    const visible = () => [...page.querySelectorAll("section")].filter((s) => !s.hidden).map((s) => s.id).join();
    const before = visible();
    page.getElementById("tab-text").click();
    const text = visible();
    page.getElementById("tab-text").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
    return {before, text, after: visible(), sandbox: page.querySelector("iframe").getAttribute("sandbox")};
  },
};
Promise.all(cases.map(({name, file, width, action}) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:800px;border:0`;
  frame.onload = () => {
    frame.onload = null;
    out[name] = {...measure(frame), ...(action ? actions[action](frame) : {})};
    done();
  };
  frame.src = file;
  document.body.append(frame);
}))).then(() => { document.getElementById("out").textContent = JSON.stringify(out); });
</script>"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the browser measured, per case."""
    assert CHROMIUM, "no chromium: apt-get install chromium"
    folder = tmp_path_factory.mktemp("gallery")
    templates, languages = TemplateSet(ROOT / "templates"), Languages(ROOT / "locales")
    mails = {
        f"{name} {tag}": preview_message(name, tag, templates=templates, languages=languages).data
        for tag in ("en", "de", "ar")
        for name in templates.names
    }
    long = Product(title="Unbreakable" * 20, options="o" * 200, page_url="https://x.example/")
    line = LineState(variant_id="1", quantity=999_999, changed_ms=1, unit_price=Decimal("99999.99"), product=long)
    job = sample.sample_job("cart-reminder", lines=(line, line), value=None)
    renderer = preview_renderer(templates, languages)
    mails["cart-reminder long"] = renderer.render(job, sample.RECIPIENT, date_ms=sample.DATE_MS).data
    write_gallery([({"case": case}, data) for case, data in mails.items()], folder)
    cases = [
        {"name": "list wide", "file": "index.html", "width": 1280, "action": "list"},
        {"name": "list narrow", "file": "index.html", "width": 390, "action": None},
        {"name": "mail wide", "file": "mails/000001.html", "width": 900, "action": "tabs"},
        {"name": "mail narrow", "file": "mails/000009.html", "width": 390, "action": None},
    ]
    for number, (case, data) in enumerate(mails.items()):
        part = message_from_bytes(data, policy=SMTP).get_body(("html",))
        assert part is not None
        (folder / f"{number}.html").write_text(re.sub(r'src="https:[^"]*"', 'src=""', part.get_content()), "utf-8")
        cases += [
            {"name": f"{case} {width}", "file": f"{number}.html", "width": width, "action": None}
            for width in (390, 1280)
        ]
    page = folder / "measure.html"
    page.write_text(_PAGE % json.dumps(cases), "utf-8")
    profile = tmp_path_factory.mktemp("profile")
    done = subprocess.run(  # noqa: S603 -- the browser that was found
        [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", page.as_uri()], capture_output=True, timeout=240, check=True
    )
    found = re.search(r'<pre id="out">(.+?)</pre>', done.stdout.decode())
    assert found, "the page did not finish"
    measured: dict[str, dict[str, Any]] = json.loads(html.unescape(found[1]))
    assert len(measured) == len(cases)
    return measured


def of_the_page(case: str) -> bool:
    """Whether the case shows the page around the mails, not a mail."""
    return case.startswith(("list ", "mail "))


def test_nothing_scrolls_sideways(seen: dict[str, dict[str, Any]]) -> None:
    """Neither page nor mail, at phone and desktop width, in any language."""
    assert {case: one for case, one in seen.items() if one["scroll"] > one["width"]} == {}


def test_direction_reaches_the_browser(seen: dict[str, dict[str, Any]]) -> None:
    """Arabic mails are laid out from right to left, the others are not."""
    for case, one in seen.items():
        if not of_the_page(case):
            assert one["dir"] == ("rtl" if " ar " in case else "ltr"), case


def test_buttons_are_large_enough_for_fingers(seen: dict[str, dict[str, Any]]) -> None:
    """At least 44 pixels in mails (WCAG 2.5.5), 40 in the page's tabs."""
    for case, one in seen.items():
        if one["buttons"] is not None:
            assert one["buttons"] >= (40 if of_the_page(case) else 44), case


def test_the_list_chooses_and_searches(seen: dict[str, dict[str, Any]]) -> None:
    """A click marks the mail and opens it beside the list; the search counts what it leaves."""
    wide, mails = seen["list wide"], sum(case.endswith(" 390") for case in seen)
    assert mails > 40
    assert (wide["current"], wide["target"]) == (1, "mail")
    assert (wide["shown"], wide["count"]) == (3, f"3 of {mails} mails")


def test_the_parts_of_a_mail(seen: dict[str, dict[str, Any]]) -> None:
    """One part at a time, also by the keyboard; the mail itself is in a sandbox without any permission."""
    wide = seen["mail wide"]
    assert (wide["before"], wide["text"], wide["after"]) == ("html", "text", "headers")
    assert wide["sandbox"] == ""
