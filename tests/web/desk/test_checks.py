"""The tab with the checks says what is wrong, where, and how to fix it, with a button where possible."""

from __future__ import annotations

import re

import pytest

from digest.compose.edits.operations import Introduce, Part, Rewrite, Subject
from digest.editions.edits.edits import Editor, edit
from digest.model.links import LinkAnswer
from digest.model.staff import Role
from digest.storage.intake.links import save_links
from tests.web.desk.drafts import EDITION, PATH, draft, edited, send, titles
from tests.web.staff.newsroom import Newsroom

CHECKS = f"{PATH}?show=checks"


@pytest.fixture
def draft_desk(desk: Newsroom) -> Newsroom:
    draft(desk)
    return desk


def change(desk: Newsroom, *operations: Introduce | Rewrite | Subject) -> None:
    editor = Editor(name="Ana", seen=99, now=desk.clock())
    edit(desk.app.database, EDITION, operations, editor)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition('id="proof"')[2]).split())


def test_a_good_edition_is_ready_and_says_what_was_checked(draft_desk: Newsroom) -> None:
    page = draft_desk.signed_in(Role.READER).get(CHECKS)
    assert page.status_code == 200
    said = words(page.text)
    assert "Ready to send" in said
    assert "Email size by topic choice Topics KB of 102 KB All topics" in said
    assert "All but" in said
    assert "of 7 links asked" in said or "No link has been asked yet" in said


def test_each_finding_has_its_place_its_fix_and_its_buttons(draft_desk: Newsroom) -> None:
    change(draft_desk, Introduce(text="Hello {{ name }}!"), Subject(text="THE FERRY IS BACK TODAY"))
    change(draft_desk, Rewrite(story="owls", part=Part.BLURB, text="Lorem ipsum <script>alert(1)</script>"))
    browser = draft_desk.signed_in(Role.EDITOR)
    page = browser.get(CHECKS).text
    said = words(page)
    assert "Cannot be sent as it is: one error and" in said
    assert "“{{” in “Hello {{ name }}!” is an expression without a value. Place: the introduction." in said
    assert f'href="{PATH}?show=checks&amp;words=introduction"' in page
    assert f'href="{PATH}?show=checks&amp;words=subject"' in page
    assert f'href="{PATH}?show=checks&amp;edit=owls#s-owls"' in page
    assert "<script>alert(1)" not in page
    assert send(browser, "drop", seen=3, story="owls", show="checks").headers["location"] == CHECKS
    assert "Owls at dusk" not in titles(draft_desk)
    assert "Lorem ipsum" not in words(browser.get(CHECKS).text)


def test_the_page_reads_what_is_known_of_links_and_asks_nobody(draft_desk: Newsroom) -> None:
    story = next(edited(draft_desk).record.edition.stories())
    assert story.url is not None
    said = "there is nothing at its address (404)"
    answer = LinkAnswer(url=story.url, checked_at=draft_desk.clock(), problem=said)
    with draft_desk.app.database.write() as connection:
        save_links(connection, [answer])
    draft_desk.clock.forward(minutes=3)
    page = words(draft_desk.signed_in(Role.READER).get(CHECKS).text)
    assert f"Broken links : warning Link {story.url}: {said}." in page
    assert "links asked, the last one 3 minutes ago" in page
    assert "Drop story" not in page  # somebody who may only look has no button


def test_the_tab_has_the_number_of_findings(draft_desk: Newsroom) -> None:
    browser = draft_desk.signed_in(Role.READER)

    def number() -> tuple[str, int]:
        page = browser.get(CHECKS).text
        found = len(re.findall(r'<li><span class="flag (?:fault|warn)">', page.partition('id="proof"')[2]))
        return browser.get(f"{PATH}/findings").text.strip(), found

    assert number() == ("", 0)
    change(draft_desk, Introduce(text="Hello {{ name }}!"), Subject(text="THE FERRY IS BACK TODAY"))
    said, found = number()
    assert said == f'<b class="fault">{found}</b><span class="unseen"> findings</span>'
    assert browser.get("/desk/daily-2026-01-01/findings").status_code == 404
