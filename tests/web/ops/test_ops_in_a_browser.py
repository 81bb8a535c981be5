"""An edition that is being sent, watched in Chromium: live on a phone, and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from digest.config.values import WebSettings
from digest.model.staff import Role
from digest.staff.signin import Visitor, begin_session
from digest.storage.database import Database
from digest.storage.ledger.slices import Slice
from digest.web.serving import serving
from tests.accessibility import faults_of
from tests.render.conftest import chromium as chromium
from tests.send.world import EDITION, NOW
from tests.storage.ledger import Hand, accepted, begin, step, taken
from tests.web.staff.newsroom import Newsroom, open_newsroom


@pytest.fixture
def served(sqlite: Database, tmp_path: Path) -> Iterator[tuple[Newsroom, str]]:
    """Serve the staff's pages under a path of the readers' host, with an edition to twelve readers."""
    room = open_newsroom(sqlite, tmp_path, url="https://digest.example.org/team")
    room.clock.now = NOW
    web = WebSettings(host="127.0.0.1", port=0)
    assert room.app.config.staff
    staff = replace(room.app.config.staff, url="http://digest.example.org/team")  # as on loopback
    room.site.app = replace(room.app, config=replace(room.app.config, web=web, staff=staff))
    begin(sqlite, readers=12)
    ana = taken(sqlite)
    step(sqlite, ana, accepted(1), accepted(2), accepted(3), wire=range(4, 10))
    with serving(room.app, clock=room.clock) as port:
        yield room, f"http://127.0.0.1:{port}"


def _accept(room: Newsroom, *keys: int) -> None:
    """Let the sender, whose slice has not been taken by another, get some answers."""
    wire = [key for key in range(4, 10) if key not in keys]
    held = Slice(EDITION, 0, 1, 12, 1, "ana")
    step(room.app.database, Hand(held=held, due=[], doubted=0), *map(accepted, keys), wire=wire)


def _opened(browser: Browser, room: Newsroom, base: str, *, width: int, script: bool) -> BrowserContext:
    person = room.person(Role.OPERATOR)
    cookie = begin_session(room.app.database, person.id, Visitor(key="test"), NOW)
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark", java_script_enabled=script
    )
    context.add_cookies([{"name": "desk", "value": cookie, "url": base}])
    return context


def test_an_edition_is_followed_and_paused_on_a_phone(
    chromium: Browser, served: tuple[Newsroom, str]
) -> None:
    room, base = served
    with _opened(chromium, room, base, width=360, script=True) as context:
        page, said = context.new_page(), list[str]()
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{base}/team/ops/editions/{EDITION}")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text("3 of 12 delivered")
        expect(page.get_by_role("table", name="By domain")).to_be_visible()
        page.get_by_text("Show as table").click()
        assert faults_of(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Pause").focus()
        _accept(room, 4, 5)
        expect(heading).to_contain_text("5 of 12 delivered", timeout=30_000)
        expect(page.get_by_role("table").last).to_be_visible()  # the reader's table stays open
        page.keyboard.press("Enter")  # and the focus stays on the button
        expect(heading).to_contain_text("Paused by Tomas", timeout=30_000)
        assert said == []


def test_an_edition_is_followed_without_javascript(chromium: Browser, served: tuple[Newsroom, str]) -> None:
    room, base = served
    with _opened(chromium, room, base, width=1280, script=False) as context:
        page = context.new_page()
        page.goto(f"{base}/team/ops")
        _accept(room, 4, 5)
        heading = page.get_by_role("heading", level=1)
        for _ in range(200):  # on a busy machine, a count took long, and is shown for a while
            page.get_by_role("link", name="Reload").click()
            if "5 of 12 delivered" in heading.inner_text():
                break
        expect(heading).to_contain_text("5 of 12 delivered")
        page.get_by_role("link", name="Count by domain").click()
        expect(page.get_by_role("row", name="example.org")).to_contain_text("5 of 12")
