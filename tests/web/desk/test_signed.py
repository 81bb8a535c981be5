"""The pages behind the links in emails to the staff: opening one changes nothing, its button acts once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from digest.compose.edits.operations import Subject
from digest.editions.edits.edits import Editor, edit
from digest.model.editions import EditionState
from digest.model.staff import Role
from digest.staff.audit import trail
from digest.staff.people import change_digests, people
from digest.storage.database import Database
from digest.web.app import create_web
from tests.scheduler.installation import Place, at
from tests.scheduler.newsroom import EDITION, Newsroom, links_in, newsrooms
from tests.web.staff.newsroom import DESK, open_newsroom

NOW = "23 06:40"


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    for each in newsrooms(Place(tmp_path), digest='review = "hold"\n'):
        each.hire("Maren")
        each.hire("Jonas", Role.EDITOR)
        each.place.subscribe("ada")
        each.place.publish("Ferry returns")
        each.run("23 06:30")
        yield each


def browser(newsroom: Newsroom, now: str = NOW) -> TestClient:
    """Return the browser of somebody who is not signed in."""

    def clock() -> datetime:
        return at(now)

    web = create_web(newsroom.app, clock=clock, proof_cost=1)
    client = TestClient(web, base_url=DESK, raise_server_exceptions=False, follow_redirects=False)
    client.headers["sec-fetch-site"] = "same-origin"
    return client


def links(newsroom: Newsroom, to: str = "maren") -> dict[str, str]:
    return links_in(dict(newsroom.mail())[to])


def test_opening_a_link_changes_nothing_and_its_button_approves_in_the_name_of_its_person(
    newsroom: Newsroom,
) -> None:
    link, client = links(newsroom)["approve"], browser(newsroom)
    before = newsroom.record()
    page = client.get(link)
    for _ in range(3):
        assert client.get(link).text == page.text
        client.head(link)
    assert newsroom.record() == before
    assert trail(newsroom.app.database) == ()
    assert page.status_code == 200
    for words in (
        "Approve this edition?",
        "Draft. Needs approval by 07:00, in 20 minutes",
        "You approve what you have seen: 1 story, with the hash",
        "You act as Maren, maren@staff.test.",
    ):
        assert words in page.text
    assert page.headers["cache-control"] == "no-store"

    done = client.post(link)
    assert (done.status_code, "You have approved this edition" in done.text) == (200, True)
    record = newsroom.record()
    assert (record.state, record.approved_by) == (EditionState.APPROVED, "Maren")
    [entry] = trail(newsroom.app.database)
    assert (entry.name, entry.action, entry.subject) == (
        "Maren",
        "approved an edition by the link in an email",
        EDITION,
    )
    again = client.post(link)
    assert (again.status_code, "Maren has approved it already." in again.text) == (409, True)
    assert len(trail(newsroom.app.database)) == 1


def test_the_page_tells_what_has_happened_since_the_email_and_offers_the_desk(newsroom: Newsroom) -> None:
    link = links(newsroom)["approve"]
    change = Subject(text="A <b>new</b> subject")
    edit(newsroom.app.database, EDITION, [change], Editor(name="Jonas", seen=0, now=at("23 06:35")))
    client = browser(newsroom)
    page = client.get(link)
    assert "<button" not in page.text
    assert "Jonas changed the subject: A &lt;b&gt;new&lt;/b&gt; subject." in page.text
    assert f'href="/desk/{EDITION}"' in page.text
    refused = client.post(link)
    assert (refused.status_code, newsroom.record().state) == (409, EditionState.DRAFT)


def test_the_link_of_a_person_who_does_not_work_on_the_digest_any_more_does_nothing(
    newsroom: Newsroom,
) -> None:
    link, client = links(newsroom)["approve"], browser(newsroom)
    [maren] = [each for each in people(newsroom.app.database) if each.person.name == "Maren"]
    change_digests(newsroom.app.database, maren.person.id, ["weekend"], at("23 06:35"))
    assert client.get(link).status_code == client.post(link).status_code == 404
    assert newsroom.record().state is EditionState.DRAFT


def test_hold_works_and_forms_of_other_sites_and_damaged_links_do_not(newsroom: Newsroom) -> None:
    link = links(newsroom, "jonas")["hold"]
    client = browser(newsroom)
    assert client.post(link, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    for damaged in (f"{link}x", link.replace("/hold/", "/stop/"), link.replace("/hold/", "/cancel/")):
        assert client.get(damaged).status_code == client.post(damaged).status_code == 404
    late = browser(newsroom, "23 07:00").post(link)
    assert (late.status_code, "This link has expired." in late.text) == (409, True)
    assert newsroom.record().paused_at is None
    assert "You hold this edition" in client.post(link).text
    assert (newsroom.record().reason, newsroom.record().paused_at) == ("by Jonas", at(NOW))


@pytest.mark.parametrize(
    ("form", "chosen"),
    [
        ({"which": "some", "digest": ["weekend", "gone"]}, {"some", "weekend"}),
        ({"which": "none"}, {"none"}),
        ({"which": "all"}, {"all", "daily", "weekend"}),
    ],
)
def test_a_person_chooses_which_digests_to_be_told_about(
    sqlite: Database, tmp_path: Path, form: dict[str, str | list[str]], chosen: set[str]
) -> None:
    client = open_newsroom(sqlite, tmp_path).signed_in(Role.EDITOR)
    assert client.post("/account/notices", data=form).status_code == 303
    page = client.get("/account/notices?saved=true").text
    assert set(re.findall(r'value="(\w+)" checked', page)) == chosen
    assert "Your choice is saved." in page
