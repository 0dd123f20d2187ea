"""The in-app feed as a shop embeds it, in a real browser: against the gateway's routes and a read model in SQLite.

Chromium runs once: a page of the same origin loads the feed into frames, does what a person does, and sends what it saw
to the gateway beside it. Nothing waits for a time, only for what is to be seen.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from browser.chromium import CHROMIUM, NEEDS_CHROMIUM, QUIET
from feed_gateway import FeedGateway, feed_gateway
from postcart.content.languages import Languages

WIDTHS = (320, 390, 1280)
AN_HOUR_S = 3_600
LOCALES = ("de-AT", "ar-EG", "fr", "no language")
ENDS_WITHIN_S = 240

pytestmark = NEEDS_CHROMIUM

_FLAGS = (
    *QUIET,
    "--enable-logging=stderr",
    "--remote-debugging-port=0",  # else it ends once the page is loaded
    "--window-size=1400,1000",
)

ROOT = Path(__file__).parents[2]
_PAGE = Path(__file__).with_name("feed_page.html")


class Seen:
    """What the browser has told, and the routes by which it does."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.out: dict[str, Any] = {}
        self.console: list[str] = []

    def routes(self, gateway: FeedGateway) -> list[Route]:
        """The page that measures, where it tells, and what lets an item come."""

        async def page(_request: Request) -> Response:
            given = {
                "token": gateway.token("ann"),
                "expired": gateway.token("ann", seconds=-AN_HOUR_S),
                "locales": {locale: gateway.token("cem", locale=locale) for locale in LOCALES},
                "widths": WIDTHS,
            }
            return HTMLResponse(_PAGE.read_text("utf-8").replace("GIVEN", json.dumps(given)))

        async def comes(_request: Request) -> Response:
            gateway.add("ann", "late")
            return Response()

        async def told(request: Request) -> Response:
            self.out = await request.json()
            self.told.set()
            return Response()

        return [
            Route("/measure", page),
            Route("/something-comes", comes, methods=["POST"]),
            Route("/seen-by-the-browser", told, methods=["POST"]),
        ]


@contextmanager
def browser(url: str, profile: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Chromium on that page, while the block lasts."""
    assert CHROMIUM, "no chromium: apt-get install chromium"
    with log.open("wb") as out:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", url]
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603 -- the browser that was found
    with process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One person's feed of 23 items, and what the browser saw of it."""
    found, folder = Seen(), tmp_path_factory.mktemp("feed")
    with feed_gateway(folder, found.routes, streams=50) as gateway:
        for number in range(18):
            gateway.add("ann", str(number))
        gateway.add("ann", "markup", title="<b>bold</b><script>alert(1)</script>", body="1 < 2 & 3")
        gateway.add("ann", "arabic", title="مرحبا", body="طردك في الطريق إليك", language="ar")
        gateway.add("ann", "long", title="Unbreakable" * 10, body="w" * 400)
        gateway.add("ann", "evil", label="Go", url="javascript:alert(1)")
        gateway.add("ann", "22", label="Track your parcel", url="https://shop.example/track")
        gateway.add("bob", "not hers")
        gateway.add("cem", "english")
        log = folder / "browser.log"
        with browser(f"{gateway.server.url}/measure", folder / "profile", log) as process:
            ended = threading.Thread(target=lambda: (process.wait(), found.told.set()), daemon=True)
            ended.start()  # a browser that dies has told all that it will
            assert found.told.wait(ENDS_WITHIN_S), log.read_text("utf-8", "replace")[-4_000:]
        found.out["reported"] = len({one.job_id for one in gateway.records.reports})
        found.console = [line for line in log.read_text("utf-8", "replace").splitlines() if "CONSOLE" in line]
    assert found.out.get("errors") == [], found.out
    return found


NEWEST_FIRST = ["Title 22", "Title evil", "Unbreakable" * 10, "مرحبا", "<b>bold</b><script>alert(1)</script>"] + [
    f"Title {number}" for number in range(17, -1, -1)
]


def test_newest_first_as_text_with_names_for_who_can_not_see(seen: Seen) -> None:
    """Twenty at first; nothing becomes markup; a link leads to web pages only."""
    assert seen.out["first"] == {
        "titles": NEWEST_FIRST[:20],
        "number": 23,
        "label": "Notifications, 23 unread",
        "older": True,
        "busy": "false",
        "place": ["1", "-1"],
        "named": "New: Title 22",
        "markup": 0,
        "link": ["Track your parcel", "https://shop.example/track", "noopener"],
        "directions": ["ltr", "ltr", "ltr", "rtl"],
        "other": 1,
    }


def test_older_ones(seen: Seen) -> None:
    """Follow, none twice and none left out; the first of them has the focus."""
    assert seen.out["older"] == {"titles": NEWEST_FIRST, "older": False, "size": "23", "focus": 20}


def test_what_comes_later_appears_by_itself(seen: Seen) -> None:
    """On top, counted, and told to who can not see."""
    live = seen.out["live"]
    assert live == {"before": 23, "number": 24, "count": 24, "said": "New: Title late", "fresh": True}


def test_what_was_read_stays_read(seen: Seen) -> None:
    """At once, with the focus where it was, and after the page was loaded again."""
    assert seen.out["mark"] == {"text": "Mark unread", "focused": True, "fresh": False}
    again = seen.out["again"]
    assert again == {"number": 23, "before": 24, "fresh": 0, "title": "Title late"}


def test_all_by_the_keyboard(seen: Seen) -> None:
    """As WAI-ARIA describes feeds and tabs; Escape closes and goes back to the bell."""
    assert seen.out["keys"] == {
        "seen": [1, 2, 1, "older", "All", "Unread"],
        "hidden": True,
        "focus": "bell",
        "expanded": "false",
        "opened": [True, "true"],
    }


def test_archived_and_put_back(seen: Seen) -> None:
    """It leaves the list, and the focus goes on to the next one."""
    assert seen.out["archive"] == {"focus": True, "title": "Title 22", "empty": True}


def test_all_read_at_once(seen: Seen) -> None:
    """No number is left; and whatever was in the open list has been reported as shown."""
    assert seen.out["all"] == {"label": "Notifications"}
    assert seen.out["reported"] == 24


@pytest.mark.parametrize("locale", ["", "de", "ar"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_it_fits_phones_and_desktops(seen: Seen, direction: str, locale: str) -> None:
    """Nothing scrolls sideways or leaves the window, whatever the texts; the bell is at the line's end."""
    for width in WIDTHS:
        one = seen.out["sizes"][f"{direction} {width} {locale}"]
        assert one["scroll"] <= one["width"], (width, one)
        assert one["inner"] <= 0, (width, one)
        assert 0 <= one["left"] < one["right"] <= one["width"], (width, one)
        assert (one["bell"] > one["width"] / 2) is (direction == "ltr"), (width, one)
        assert one["direction"] == ["rtl", "ltr"]
        assert one["buttons"] >= 40, (width, one)


def test_it_has_words_for_every_language_of_messages(seen: Seen) -> None:
    """The same ones in each, and a form for each of its plural categories; directions as messages have them."""
    languages = Languages(ROOT / "locales")
    said = seen.out["languages"]
    assert sorted(said) == languages.tags
    for tag, one in said.items():
        assert one["names"] == said["en"]["names"], tag
        assert one["forms"] == one["categories"], tag
        assert one["dir"] == languages.resolve(tag).direction, tag
        assert "" not in one["texts"], tag


def test_it_speaks_the_language_of_the_person(seen: Seen) -> None:
    """As the token says, else as the browser does, else English; the page may know better. Its items have their own."""
    spoken = seen.out["spoken"]
    german = {
        "lang": "de-AT",
        "tabs": ["Alle", "Ungelesen", "Archiv"],
        "label": "Mitteilungen, 1 ungelesen",
        "mark": "Als gelesen markieren",
        "direction": "ltr",
        "item": ["en", "ltr"],
        "named": "Neu: Title english",
    }
    assert "Minute" in spoken["de-AT"].pop("when")
    assert spoken["de-AT"] == german
    arabic = spoken["ar-EG"]
    assert "دقيقة" in arabic["when"]
    assert (arabic["lang"], arabic["direction"], arabic["item"]) == ("ar-EG", "rtl", ["en", "ltr"])
    assert arabic["label"] == "الإشعارات, إشعار واحد غير مقروء"
    assert arabic["tabs"] == ["الكل", "غير المقروءة", "المؤرشفة"]
    assert {spoken[one]["lang"] for one in ("fr", "no language")} == {"en-US"}
    assert seen.out["browser"] == ["de-CH", "ar", "en"]


def test_why_it_is_refused(seen: Seen) -> None:
    """A token that has ended says so; the browser has nothing else to complain of."""
    assert seen.out["refused"] == "the token has expired"
    assert [line for line in seen.console if "401" not in line] == []
