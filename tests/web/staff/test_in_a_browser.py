"""The staff's accounts in Chromium: by keyboard, on a phone, in the dark, and checked by axe-core."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from digest.model.staff import Role
from digest.storage.database import Database
from digest.web.serving import serving
from tests.accessibility import faults_of
from tests.render.conftest import chromium as chromium
from tests.web.site import BASE, CONFIG
from tests.web.staff.newsroom import PASSWORD, Newsroom, open_newsroom


@pytest.fixture
def office(sqlite: Database, tmp_path: Path) -> Iterator[Newsroom]:
    """A newsroom on loopback, whose staff's pages have a path of their own beside the readers'."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    config = f"{CONFIG.replace(BASE, base)}\n[web]\nport = {base.rpartition(':')[2]}\n"
    office = open_newsroom(sqlite, tmp_path, config, url=f"{base}/team")
    office.base, office.cookie = f"{base}/team", "desk"
    with serving(office.app, clock=office.clock):
        yield office


def test_an_administrator_signs_in_by_keyboard_and_every_page_can_be_used(
    chromium: Browser, office: Newsroom
) -> None:
    office.person(Role.ADMINISTRATOR)
    office.person(Role.EDITOR)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.goto(f"{office.base}/staff")
    for word in ("ines@example.org", PASSWORD):
        page.keyboard.type(word)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("Staff"))
    (cookie,) = (each for each in context.cookies() if each["name"] == "desk")
    assert (cookie["name"], cookie["path"], cookie["httpOnly"]) == ("desk", "/team", True)
    for path in ("/staff", "/staff/audit", "/account", "/account/second-factor", "/login/none"):
        page.goto(f"{office.base}{path}")
        assert faults_of(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    page.goto(f"{office.base}/account")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    assert faults_of(page) == []
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_title(re.compile("Sign in"))
    assert faults_of(page) == []
    assert [text for text in said if text.startswith(("error", "warning")) and " 404 " not in text] == []
    context.close()
