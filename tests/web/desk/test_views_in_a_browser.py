"""The pages that show an edition, in Chromium: the line in inboxes is live, and axe finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from digest.compose.edits.operations import Drop, Part, Rewrite
from digest.config.values import WebSettings
from digest.model.staff import Role
from digest.staff.signin import Visitor, begin_session
from digest.storage.database import Database
from digest.web.serving import serving
from tests.accessibility import faults_of
from tests.web.desk.conftest import TOPICS
from tests.web.desk.sample_draft import DRAFT, change, put_draft, put_reader
from tests.web.staff.newsroom import open_newsroom
from tests.web.test_archive import publish

PORT = 18_447
BASE = f"http://127.0.0.1:{PORT}"
PATH = f"{BASE}/desk/{DRAFT}"
PAGES = (
    ("?show=inbox", 360, "dark"),
    ("?show=readers", 1280, "light"),
    ("/preview", 360, "light"),
    ("/history", 1280, "dark"),
)


@pytest.fixture
def editor(sqlite: Database, tmp_path: Path, chromium: Browser) -> Iterator[Page]:
    """Give the browser of an editor, with a draft that has been edited, and an edition before it."""
    desk = open_newsroom(sqlite, tmp_path, TOPICS, BASE)
    put_draft(desk)
    publish(desk.site, number=1)
    put_reader(desk, "ada@example.org")
    put_reader(desk, "ben@example.org", topics="coast")
    change(desk, Drop(story="minutes"), Rewrite(story="bakery", part=Part.TITLE, text="A bakery turns one"))
    cookie = begin_session(sqlite, desk.person(Role.EDITOR).id, Visitor(key="test"), desk.clock())
    config = replace(desk.app.config, web=WebSettings(host="127.0.0.1", port=PORT))
    with serving(replace(desk.app, config=config), clock=desk.clock):
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "desk", "value": cookie, "url": BASE}])
        page = context.new_page()
        page.route("https://**/*", lambda route: route.abort())
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        context.close()
        assert [text for text in said if "Failed to load resource" not in text] == []


def test_the_pages_that_show_an_edition_are_accessible_and_never_scroll_sideways(editor: Page) -> None:
    faults = {}
    for path, width, scheme in PAGES:
        editor.set_viewport_size({"width": width, "height": 900})
        editor.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        editor.goto(f"{PATH}{path}")
        # The emails in the frames have tests of their own, and each takes axe a second.
        found = faults_of(editor, iframes=False)
        wide = editor.evaluate("document.documentElement.scrollWidth") > width
        if found or wide:
            faults[path] = (found, wide)
    assert faults == {}


def test_the_line_in_inboxes_follows_the_typing_and_the_email_follows_the_edit(editor: Page) -> None:
    editor.goto(f"{PATH}?show=inbox")
    editor.get_by_label("Subject").fill("Ferries all night")
    expect(editor.locator(".inbox.phone")).to_contain_text("Ferries all night")
    editor.get_by_role("button", name="Save", exact=True).click()
    expect(editor.get_by_label("Subject")).to_have_value("Ferries all night")
    expect(editor.get_by_text("It is the same for all readers.")).to_be_visible()
    editor.goto(f"{PATH}?show=mail")
    email = editor.frame_locator("iframe.frame")
    expect(email.get_by_text("A bakery turns one").last).to_be_visible()
    before = editor.locator("iframe.frame").get_attribute("src")
    editor.goto(f"{PATH}/history")
    editor.get_by_role("button", name=re.compile("Undo ?: rewrote a headline")).click()
    expect(editor.get_by_text("undid edit 2").first).to_be_visible()
    editor.goto(f"{PATH}?show=mail")
    expect(email.get_by_text("A bakery run by its customers turns one").last).to_be_visible()
    assert editor.locator("iframe.frame").get_attribute("src") != before
