"""People who work on some digests: every route, asked about another digest, by somebody of each role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from digest.editions.notices.queue import is_told
from digest.model.staff import Person, Right, Role
from digest.render.sample import sample_edition
from digest.schedule.staff_notices import StaffNoticeKind
from digest.staff.audit import trail
from digest.staff.people import StaffError, add_person, change_digests, change_role, people, people_with
from digest.staff.tokens import make_token
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.records import load_edition
from digest.web.staff.access import ACCESS
from tests.web.site import CONFIG
from tests.web.staff.newsroom import Newsroom, open_newsroom

OWN, OTHER = "daily-draft", "weekend-draft"
FEEDS = """
[[feed]]
name = "Quay"
url = "https://quay.example.org/feed"

[[feed]]
name = "Allotment"
url = "https://allotment.example.org/feed"
"""
CLOSED = [(method, path, access) for (method, path), access in ACCESS.items() if access.right]
# What stands in the query or the form of a request that is about a digest without an edition in its path.
ABOUT = {
    ("POST", "/desk/skip"): {"digest": "weekend", "date": "2026-11-28", "reason": "x"},
    ("POST", "/desk/unskip"): {"digest": "weekend", "date": "2026-11-28"},
    ("GET", "/desk/posts"): {"digest": "weekend"},
    ("POST", "/desk/posts"): {"digest": " weekend ", "what": "drop", "post": "1"},
    ("GET", "/ops/deliveries"): {"edition": OTHER},
    ("POST", "/ops/retry"): {"edition": f" {OTHER} ", "state": "rejected"},
    ("POST", "/account/notices"): {"digest": "weekend", "which": "some"},
}
SAME_PAGE = ("/test", "/approve", "/send", "/cancel")  # the page of an edition with a question
LIMITED = [role for role in Role if role is not Role.ADMINISTRATOR]


@pytest.fixture
def two(sqlite: Database, tmp_path: Path) -> Newsroom:
    """Give a newsroom with a draft of each of two digests, which take different feeds."""
    config = CONFIG.replace('slug = "daily"', 'slug = "daily"\nfeeds = ["Quay"]')
    config = config.replace('slug = "weekend"', 'slug = "weekend"\nfeeds = ["Allotment"]')
    room = open_newsroom(sqlite, tmp_path, FEEDS + config)
    at, site = room.clock() + timedelta(hours=1), room.app.config.site
    with room.app.database.write() as connection:
        for edition_id, slug, title in ((OWN, "daily", "Daily"), (OTHER, "weekend", "Weekend")):
            draft = replace(sample_edition(), id=edition_id, digest=slug, title=title)
            insert_edition(connection, replace(draft, cutoff_at=room.clock(), send_at=at, site=site))
    return room


def limit(room: Newsroom, role: Role) -> Person:
    return change_digests(room.app.database, room.person(role).id, ["daily"], room.clock())


@pytest.mark.parametrize("role", LIMITED)
def test_requests_about_another_digest_are_refused_and_change_nothing(two: Newsroom, role: Role) -> None:
    browser, person = two.signed_in(role), limit(two, role)
    two.person(Role.ADMINISTRATOR)
    two.person(role, "Wim Aalders")  # works on all digests
    before = load(two, OTHER), trail(two.app.database)
    for method, path, access in CLOSED:
        if "{edition_id}" not in path and (method, path) not in ABOUT:
            continue
        asked = ABOUT.get((method, path), {})
        answer = ask(browser, method, filled(path, OTHER), asked)
        where = f"{method} {path} as {role}: {answer.status_code}"
        assert answer.status_code == 403, where
        assert access.right is not None
        if person.may(access.right):
            assert "This concerns Weekend, and you work on Daily only. These people may: " in answer.text
            named = people_in(answer.text)
            assert ("Wim Aalders" in named, person.name in named) == (True, False), where
        else:
            assert f"Your role is “{role}”." in answer.text, where
    assert (load(two, OTHER), trail(two.app.database)) == before


def test_no_page_shows_another_digest(two: Newsroom) -> None:
    role = Role.OPERATOR
    browser, whole = two.signed_in(role), two.signed_in(role, "Wim Aalders")
    limit(two, role)
    shown = 0
    for method, path, access in CLOSED:
        assert access.right is not None
        if method != "GET" or not two.person(role).may(access.right) or access.everywhere:
            continue
        if path.endswith((*SAME_PAGE, "{name}", "{name:path}", "/live", "{job}")):
            continue
        params = {"edition": OWN} if path == "/ops/deliveries" else {}
        answer = browser.get(filled(path, OWN), params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        found = [word for word in ("Weekend", OTHER, "Allotment") if word in answer.text]
        assert not found, f"{path} shows {found} to a {role} of Daily"
        if "{" not in path:
            shown += "Weekend" in whole.get(path, params=params).text
    assert shown >= 5, "the overview, posts, operations, editions, schedules and notices"
    assert browser.get("/ops/feeds/Quay").status_code == 200
    assert browser.get("/ops/feeds/Allotment").status_code == 404
    assert browser.get("/desk/start").status_code == 403, "it changes what all digests have"


def test_a_token_of_the_person_is_limited_too(two: Newsroom) -> None:
    person = limit(two, Role.OPERATOR)
    rights = {Right.LOOK, Right.EDIT, Right.OPERATE}
    token = make_token(two.app.database, person, "a script", rights, timedelta(days=30), two.clock())
    api = two.site.visitor()
    api.headers["authorization"] = f"Bearer {token}"
    listed = api.get("/api/v1/desk/editions").json()
    assert [each["id"] for each in listed] == [OWN]
    for method, path, body in (
        ("GET", f"/desk/editions/{OTHER}", None),
        ("GET", "/desk/editions?digest=weekend", None),
        ("POST", f"/desk/editions/{OTHER}/hold", {"reason": "x"}),
        ("POST", "/desk/digests/weekend/skip", {"day": "2026-11-28", "reason": "x"}),
        ("GET", "/subscribers?digest=daily", None),
    ):
        answer = api.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code == 403, path
        assert re.search("for (weekend|all digests)$", answer.json()["detail"])


def test_nobody_is_told_about_another_digest_or_named_for_it(two: Newsroom) -> None:
    limit(two, Role.EDITOR)
    two.person(Role.APPROVER)
    [account] = [each for each in people(two.app.database) if each.person.role is Role.EDITOR]
    for kind in StaffNoticeKind:
        assert is_told(account, kind, "daily")
        assert not is_told(account, kind, "weekend")
    assert len(people_with(two.app.database, Right.EDIT, "daily")) == 2
    assert [each.name for each in people_with(two.app.database, Right.EDIT, "weekend")] == ["Maren Kolb"]


def test_administrators_limit_people_and_are_never_limited(two: Newsroom) -> None:
    boss, browser = two.person(Role.ADMINISTRATOR), two.signed_in(Role.ADMINISTRATOR)
    new = {"name": "Eva Brandt", "address": "eva@example.org", "role": "editor", "digest": "weekend"}
    assert browser.post("/staff", data=new).status_code == 200
    eva = next(each.person for each in people(two.app.database) if each.person.name == "Eva Brandt")
    assert eva.digests == frozenset({"weekend"})
    page = f"/staff/{eva.id}/digests"
    assert re.search(r'value="weekend" checked', browser.get(page).text)
    assert "choose at least one digest" in browser.post(page, data={"which": "some"}).text.lower()
    assert browser.post(page, data={"which": "some", "digest": "moon"}).status_code == 404
    assert browser.post(page, data={"which": "all", "digest": "daily"}).status_code == 303
    assert trail(two.app.database)[0].action == "let a person work on all digests"
    for refused in (
        lambda: change_digests(two.app.database, boss.id, ["daily"], two.clock()),
        lambda: add_person(two.app.database, replace(boss, digests=frozenset({"daily"})), two.clock()),
        lambda: change_role(two.app.database, limit(two, Role.EDITOR).id, Role.ADMINISTRATOR, two.clock()),
    ):
        with pytest.raises(StaffError, match="an administrator works on all digests"):
            refused()


def test_a_person_whose_digests_are_gone_has_an_account_and_nothing_else(two: Newsroom) -> None:
    browser = two.signed_in()
    change_digests(two.app.database, two.person().id, ["monthly"], two.clock())
    assert browser.get("/account").status_code == 200
    for path in ("/desk", "/desk/posts", "/ops", f"/desk/{OWN}"):
        assert browser.get(path).status_code == 403


def ask(browser: TestClient, method: str, path: str, fields: Mapping[str, str]) -> Response:
    return browser.get(path, params=fields) if method == "GET" else browser.post(path, data=fields)


def load(room: Newsroom, edition_id: str) -> object:
    with room.app.database.read() as connection:
        return load_edition(connection, edition_id)


def filled(path: str, edition_id: str) -> str:
    return re.sub(r"\{[^}]*\}", "0", path.replace("{edition_id}", edition_id))


def people_in(html: str) -> str:
    return html.partition("These people may: ")[2].partition("<")[0]
