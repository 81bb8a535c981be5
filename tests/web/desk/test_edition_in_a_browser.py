"""The desk's page of an edition in Chromium: by keyboard, beside a second editor, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from digest.config.values import WebSettings
from digest.model.staff import Role
from digest.staff.signin import Visitor, begin_session, sign_out
from digest.storage.database import Database
from digest.web.serving import serving
from tests.web.desk.drafts import EDITION, draft, edited, order, titles
from tests.web.desk.test_in_a_browser import require_fine
from tests.web.staff.newsroom import PASSWORD, Newsroom, open_newsroom

PORT = 18_437
BASE = f"http://127.0.0.1:{PORT}"
PAGE = f"{BASE}/desk/{EDITION}"


@dataclass(slots=True)
class Browsers:
    """The browsers of several people, at one draft."""

    desk: Newsroom
    chromium: Browser
    cookies: dict[Role, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def open(self, role: Role, *, script: bool = True) -> Page:
        person = self.desk.person(role)
        self.cookies[role] = begin_session(
            self.desk.app.database, person.id, Visitor(key="test"), self.desk.clock()
        )
        context = self.chromium.new_context(
            viewport={"width": 1280, "height": 900}, java_script_enabled=script
        )
        context.add_cookies([{"name": "desk", "value": self.cookies[role], "url": BASE}])
        page = context.new_page()
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(PAGE)
        return page


@pytest.fixture
def browsers(sqlite: Database, tmp_path: Path, chromium: Browser) -> Iterator[Browsers]:
    desk = open_newsroom(sqlite, tmp_path, url=BASE)
    draft(desk)
    app = replace(desk.app, config=replace(desk.app.config, web=WebSettings(host="127.0.0.1", port=PORT)))
    found = Browsers(desk=desk, chromium=chromium)
    with serving(app, clock=desk.clock):
        yield found
        for context in chromium.contexts:
            context.close()


def test_an_editor_works_by_keyboard_while_another_follows(browsers: Browsers) -> None:
    maren, jonas = browsers.open(Role.APPROVER), browsers.open(Role.EDITOR)
    said = maren.locator("#said")

    def press(*keys: str, says: str) -> None:
        for key in keys:
            maren.keyboard.press(key)
        expect(said).to_have_text(f"Maren Kolb {says}")

    expect(maren.get_by_text("Live", exact=True)).to_be_visible()
    maren.keyboard.press("x")
    expect(said).to_have_text("No story is chosen. Press j to choose one.")
    press("j", "j", "Alt+ArrowDown", says="moved “Tram opens on Quay Street” to Around town, 2 of 2.")
    assert order(browsers.desk, "city") == ["library", "tram"]
    maren.keyboard.press("m")
    expect(maren.locator(".moves:popover-open button").first).to_be_focused()
    press("2", says="moved “Tram opens on Quay Street” to Sea and garden, 3 of 3.")
    # Keys that are pressed faster than the answers come wait for them, and act on the next story.
    press("x", "x", says="dropped “Owls at dusk”.")
    expect(maren.get_by_role("listitem", name="Choir seeks six tenors")).to_be_focused()
    press("z", "z", says="undid: dropped “Tram opens on Quay Street”.")
    press("Shift+Z", says="redid: dropped “Tram opens on Quay Street”.")
    for key, done in (("h", "held"), ("h", "resumed")):
        press(key, says=f"{done} this edition.")
        expect(jonas.locator("#said")).to_have_text(f"Maren Kolb {done} this edition.")
    maren.keyboard.press("p")
    expect(said).to_have_text("The page shows: Phone.")
    expect(maren.locator("iframe.narrow-frame")).to_be_visible()
    expect(jonas.locator("#present")).to_contain_text("Maren Kolb is in")
    # A text that is left with Esc is still there; it is not the text of the edition.
    for key in ("j", "Enter", "j"):
        maren.keyboard.press(key)
    headline = maren.get_by_label("Headline")
    expect(headline).to_have_value(re.compile("^j|j$"))
    expect(headline).to_be_focused()
    maren.keyboard.type("x ")
    maren.keyboard.press("Escape")
    expect(headline).to_have_count(0)
    expect(said).to_have_text("The form is closed. Your text is kept, and is not saved yet.")
    maren.keyboard.press("Enter")
    expect(maren.get_by_text("This is your text from before.")).to_be_visible()
    # The session ends meanwhile: nothing is swapped, and the text can be saved after signing in again.
    sign_out(browsers.desk.app.database, browsers.cookies[Role.APPROVER])
    headline.fill("Owls, and a lighthouse")
    maren.keyboard.press("Enter")
    expect(maren.get_by_text("You have been signed out.")).to_be_visible()
    expect(headline).to_have_value("Owls, and a lighthouse")
    browsers.open(Role.APPROVER)
    maren.context.add_cookies([{"name": "desk", "value": browsers.cookies[Role.APPROVER], "url": BASE}])
    headline.press("Enter")
    expect(headline).to_have_count(0)
    assert "Owls, and a lighthouse" in titles(browsers.desk)
    maren.keyboard.press("a")
    expect(maren.get_by_role("dialog")).to_be_visible()
    require_fine(maren)
    maren.get_by_role("button", name="Approve").press("Enter")
    expect(maren.locator("#outlook")).to_contain_text("Approved by Maren")
    expect(jonas.locator("#outlook")).to_contain_text("Approved by Maren")
    require_fine(jonas)
    assert [line for line in browsers.said if "401" not in line] == []


def test_an_editor_works_without_scripts(browsers: Browsers) -> None:
    page = browsers.open(Role.EDITOR, script=False)
    page.get_by_role("button", name="Actions for “Tram opens on Quay Street”").click()
    page.get_by_role("button", name="Drop, with duplicates").locator("visible=true").click()
    expect(page.locator("#said")).to_have_text("Jonas Wieck dropped “Tram opens on Quay Street”.")
    page.get_by_role("button", name="Undo").click()
    assert "Tram opens on Quay Street" in titles(browsers.desk)
    page.get_by_role("button", name="Actions for “Owls at dusk”").click()
    page.get_by_role("link", name="Edit headline and blurb").locator("visible=true").click()
    page.get_by_label("Headline").fill("Owls at dawn")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#said")).to_contain_text("changed the headline")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator("#outlook")).to_contain_text("Held by Jonas")
    assert edited(browsers.desk).record.paused_at


def test_a_story_is_dragged_and_a_line_that_two_people_write_has_both_texts(browsers: Browsers) -> None:
    maren, jonas = browsers.open(Role.APPROVER), browsers.open(Role.EDITOR)
    apples = jonas.locator("[data-story=apples]")
    jonas.locator("[data-story=library]").drag_to(apples, target_position={"x": 60, "y": 4})
    said = "Jonas Wieck moved “Library lends ladders and a tent” to Sea and garden, 1 of 3."
    expect(jonas.locator("#said")).to_have_text(said)
    assert order(browsers.desk, "green") == ["library", "apples", "seagrass"]
    jonas.locator("[data-story=library]").drag_to(jonas.locator("#t-city h2"))
    expect(jonas.locator("#said")).to_contain_text("to Around town")
    assert "library" in order(browsers.desk, "city")
    # The page follows others while a line is written, and the writer is not said to have seen theirs.
    for page, text in ((maren, "Boats at dawn"), (jonas, "Boats all night")):
        page.goto(f"{PAGE}?show=inbox")
        page.get_by_label("Subject").fill(text)
    jonas.get_by_role("button", name="Save", exact=True).click()
    expect(maren.locator("#said")).to_have_text("Jonas Wieck changed the subject: Boats all night.")
    expect(maren.get_by_label("Subject")).to_have_value("Boats at dawn")
    maren.get_by_role("button", name="Save", exact=True).click()
    expect(maren.get_by_role("dialog")).to_contain_text("Boats at dawn")
    maren.get_by_role("link", name="Keep Jonas’s").click()
    expect(maren.get_by_role("dialog")).to_have_count(0)
    expect(maren.get_by_label("Subject")).to_have_value("Boats all night")
    # What the checks find stands beside the name of their tab, also after a colleague's change.
    expect(jonas.get_by_role("link", name="Checks", exact=True)).to_be_visible()
    maren.get_by_label("Subject").fill("BOATS ALL NIGHT")
    maren.get_by_role("button", name="Save", exact=True).click()
    expect(jonas.get_by_role("link", name="Checks 1 finding", exact=True)).to_be_visible()
    jonas.get_by_role("button", name="Undo").click()
    expect(jonas.get_by_role("link", name="Checks", exact=True)).to_be_visible()
    assert [line for line in browsers.said if "409" not in line] == []


@pytest.mark.parametrize("width", [1280, 900])
def test_the_tabs_stay_in_sight_below_the_bar(browsers: Browsers, width: int) -> None:
    page = browsers.open(Role.APPROVER)
    page.set_viewport_size({"width": width, "height": 600})
    expect(page.locator("[data-scripted]")).to_be_visible()
    page.mouse.wheel(0, 400)
    page.wait_for_function("scrollY > 100")
    bar, tabs = (page.locator(each).bounding_box() for each in ("#bar", "nav.tabs"))
    assert bar
    assert tabs
    assert abs(bar["y"] + bar["height"] - tabs["y"]) < 2


def test_the_pages_warn_before_the_session_ends_and_a_text_outlives_it(browsers: Browsers) -> None:
    clock, page = browsers.desk.clock, browsers.open(Role.EDITOR)
    other = page.context.new_page()

    def later(minutes: int) -> None:
        clock.forward(minutes=minutes)
        for tab in (page, other):
            tab.clock.fast_forward(minutes * 60_000)

    for tab in (page, other):
        tab.goto(f"{PAGE}/comments")  # the frame of an email would refuse the script that sets the clock
        tab.clock.install()
        tab.reload()
    notice, comment = page.get_by_role("region", name="Your session"), page.get_by_label("Your comment")
    comment.fill("The ferry is late ag")
    expect(notice).to_be_hidden()
    later(26)
    expect(notice.get_by_role("alert")).to_contain_text("Your session ends in 4 minutes")
    expect(other.get_by_text("Your session ends in 4 minutes")).to_be_visible()
    require_fine(page)
    page.keyboard.type("ain")
    expect(comment).to_have_value("The ferry is late again")
    # Tab leads to the button and back, so that nobody has to look for it.
    for key, focused in (("Tab", notice.get_by_role("button")), ("Tab", comment)):
        page.keyboard.press(key)
        expect(focused).to_be_focused()
    notice.get_by_role("button", name="Stay signed in").press("Enter")
    expect(notice).to_contain_text("You stay signed in.")
    expect(comment).to_be_focused()
    other.clock.fast_forward(20_000)
    expect(other.get_by_role("region", name="Your session")).to_be_hidden()
    # Nobody presses it the next time.
    later(26)
    expect(notice.get_by_role("button", name="Stay signed in")).to_be_visible()
    later(5)
    expect(notice.get_by_role("alert")).to_contain_text("Your session has ended.")
    require_fine(page)
    comment.press("Tab")
    expect(notice.get_by_role("link", name="Sign in in a new tab")).to_be_focused()
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_label("Email address").fill("jonas@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("main")).to_contain_text("The ferry is late again")
    assert [line for line in browsers.said if "401" not in line] == []
