"""The overview, the posts and the beginning in Chromium: no message on the console, and axe finds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from digest.config.values import WebSettings
from digest.model.staff import Role
from digest.staff.signin import Visitor, begin_session
from digest.storage.database import Database
from digest.web.serving import serving
from tests.accessibility import faults_of
from tests.collect.servers import Answer
from tests.collect.servers import serving as serving_site
from tests.web.desk.newsroom import CONFIG, open_desk

PORT = 18_431
BASE = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def signed_in(sqlite: Database, tmp_path: Path, chromium: Browser) -> Iterator[Page]:
    """Give the browser of an operator, at a desk with a draft, a changed story and held posts."""
    config = CONFIG.replace("[site]", '[collect]\nallow_hosts = ["127.0.0.1"]\n\n[site]')
    room = open_desk(sqlite, tmp_path, f'{config}\n[staff]\nurl = "{BASE}"\n')
    room.publish("Ferry returns", "Tram opens")
    room.publish("Apples", feed="orchard")
    room.run("22 20:00")
    room.run("23 06:30")
    room.feeds.items["gazette"][0]["title"] = "Tram opens late"
    room.publish(*(f"Harbour story {number}" for number in range(8)), published="20 10:00")
    room.run("23 06:45")
    newsroom = room.newsroom
    person = newsroom.person(Role.OPERATOR)
    cookie = begin_session(sqlite, person.id, Visitor(key="test"), newsroom.clock())
    app = replace(
        newsroom.app, config=replace(newsroom.app.config, web=WebSettings(host="127.0.0.1", port=PORT))
    )
    with serving(app, clock=newsroom.clock):
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "desk", "value": cookie, "url": BASE}])
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        context.close()
        assert said == []


Look = tuple[int, Literal["light", "dark"]]
LOOKS: tuple[Look, ...] = ((1280, "light"), (360, "dark"))


def require_fine(page: Page, *looks: Look) -> None:
    """Fail if the page scrolls sideways, or if axe finds a fault, in these widths and colours or in two."""
    for width, scheme in looks or LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert faults_of(page) == [], (page.url, width, scheme)


def test_the_pages_are_sound_and_lead_to_a_digest_of_a_site(signed_in: Page) -> None:
    page = signed_in
    page.goto(f"{BASE}/desk")
    expect(page.get_by_role("img", name="Cutoff was at 06:30")).to_be_visible()
    require_fine(page, (1280, "light"))
    page.goto(f"{BASE}/desk/posts?state=held")
    page.get_by_label("Select “Harbour story 3”").check()
    expect(page.get_by_role("status")).to_have_text("1 selected")
    require_fine(page, (360, "dark"))
    page.get_by_role("button", name="Let in", exact=True).click()
    expect(page.get_by_text("1 post waiting for the next edition.")).to_be_visible()
    with serving_site() as site:
        items = [
            {"id": str(number), "url": site.url(f"/{number}"), "title": f"Note {number}", "tags": ["Quay"]}
            for number in range(4)
        ]
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Quay Notes", "items": items}
        site.put("/", Answer(body=json.dumps(feed).encode(), headers={"content-type": "application/json"}))
        page.goto(f"{BASE}/desk/start")
        page.get_by_label("Your site, or one of its feeds").fill(site.url("/"))
        page.get_by_role("button", name="Find feeds").click()
        expect(page.get_by_role("button", name="Show my digest")).to_be_visible(timeout=20_000)
        require_fine(page, (360, "light"))
        expect(page.get_by_text("Quay Notes.", exact=True)).to_be_visible()
