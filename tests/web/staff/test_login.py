"""Signing in and out, and what stays of a form whose session has ended."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from digest.model.staff import Person, Role
from digest.readers.signup import count_request
from digest.staff.people import StaffError, add_person, change_role, remove_person
from digest.staff.signin import IDLE, LIFE, OF_ACCOUNT, OF_CLIENT, WINDOW
from digest.storage.database import Database
from digest.web.running import quiet_config
from digest.web.security.security import client_of
from tests.web.conftest import quick as quick
from tests.web.site import BASE, CONFIG, Site
from tests.web.staff.newsroom import DESK, PASSWORD, Newsroom, open_newsroom

GOOD = {"address": "jonas@example.org", "password": PASSWORD}


def test_a_person_signs_in_and_out(newsroom: Newsroom) -> None:
    newsroom.person()
    browser = newsroom.visitor()
    assert browser.get("/login").status_code == 200
    answer = browser.post("/login", data=GOOD)
    assert answer.status_code == 303
    cookie, known = answer.headers.get_list("set-cookie")
    assert re.fullmatch(
        r"__Host-desk-known=[\w.-]+; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure", known
    )
    assert re.fullmatch(
        r"__Host-desk=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax; Secure", cookie
    )
    assert browser.get("/login").headers["location"] == "/desk"
    kept = {"cookie": f"__Host-desk={browser.cookies['__Host-desk']}"}
    assert browser.post("/logout").headers["location"] == "/login"
    assert browser.get("/login", headers=kept).status_code == 200, "the session itself has ended"


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "marmalade lantern ferry"},
        {"address": "nobody@example.org"},
        {"address": "x"},
        {"password": ""},
    ],
)
def test_a_wrong_sign_in_says_nothing_about_accounts(desk: Newsroom, wrong: dict[str, str]) -> None:
    desk.person()
    answers = [
        desk.visitor().post("/login", data={**GOOD, **each}) for each in (wrong, {"password": "x" * 300})
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert "The address or the password is wrong." in answers[0].text
    assert _without_address(answers[0].text) == _without_address(answers[1].text)
    assert not answers[0].headers.get_list("set-cookie")


def _without_address(html: str) -> str:
    return re.sub(r'name="address" value="[^"]*"', "", html)


def test_attempts_are_limited_by_account_and_by_client(desk: Newsroom) -> None:
    desk.person()
    wrong = {**GOOD, "password": "not the password"}
    for number in range(OF_ACCOUNT):
        assert desk.visitor(f"192.0.2.{number}").post("/login", data=wrong).status_code == 401
    assert desk.visitor("192.0.2.200").post("/login", data=GOOD).status_code == 429
    key = client_of("198.51.100.1", desk.app.secret).key
    for _ in range(OF_CLIENT):  # as that many attempts do
        count_request(desk.app.database, f"staff:{key}", WINDOW, desk.clock())
    desk.clock.forward(seconds=(WINDOW - timedelta(seconds=30)).total_seconds())
    assert desk.visitor("198.51.100.1").post("/login", data=GOOD).status_code == 429
    desk.clock.forward(minutes=1)
    assert desk.visitor("198.51.100.1").post("/login", data=GOOD).status_code == 303


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("198.51.100.1", "203.0.113.{}"),  # no proxy: nobody believes the header
        ("198.51.100.1", "127.0.0.1, 203.0.113.{}"),
        ("127.0.0.1", "203.0.113.{}, 198.51.100.1"),  # a proxy adds the address that it sees at the end
        ("127.0.0.1", "203.0.113.{}, 198.51.100.1, 127.0.0.1"),
    ],
)
def test_forged_headers_do_not_evade_the_limit_of_a_client(desk: Newsroom, peer: str, forwarded: str) -> None:
    config = quiet_config(desk.web, grace=1)
    config.load()
    browser = TestClient(config.loaded_app, base_url=DESK, client=(peer, 5), follow_redirects=False)
    key = client_of("198.51.100.1", desk.app.secret).key
    for _ in range(OF_CLIENT):  # as that many attempts do
        count_request(desk.app.database, f"staff:{key}", WINDOW, desk.clock())
    for number in range(2):
        headers = {"sec-fetch-site": "same-origin", "x-forwarded-for": forwarded.format(number)}
        assert browser.post("/login", data=GOOD, headers=headers).status_code == 429


@pytest.mark.parametrize(
    ("step", "times"), [(IDLE, 1), (timedelta(minutes=20), LIFE // timedelta(minutes=20))]
)
def test_a_session_ends_when_it_is_unused_and_after_half_a_day(
    desk: Newsroom, step: timedelta, times: int
) -> None:
    browser = desk.signed_in()
    for _ in range(times):
        assert browser.get("/login").status_code == 303
        desk.clock.forward(seconds=step.total_seconds())
    assert browser.get("/login").status_code == 200


def test_a_page_that_is_open_without_anybody_does_not_prolong_a_session(desk: Newsroom) -> None:
    browser = desk.signed_in()
    for _ in range(IDLE // timedelta(minutes=10)):
        assert browser.get("/account", headers={"hx-request": "true"}).status_code == 200
        assert browser.post("/desk/daily/here", data={"place": "x"}).status_code in (204, 404)
        assert browser.get("/desk/daily/live").status_code == 404
        desk.clock.forward(minutes=10)
    assert browser.get("/account").status_code == 303


def test_a_page_can_ask_how_long_the_session_lasts_and_only_the_button_prolongs_it(desk: Newsroom) -> None:
    browser, nobody = desk.signed_in(), desk.visitor()
    desk.clock.forward(minutes=26)
    for _ in range(3):
        assert browser.get("/login/left").json() == {"seconds": 240, "isFinal": False}
    assert 'data-seconds="240"' in browser.get("/account", headers={"hx-request": "true"}).text
    assert browser.post("/login/stay", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.post("/login/stay").json() == {"seconds": 1800, "isFinal": False}
    assert browser.get("/login/left").json() == {"seconds": 1800, "isFinal": False}
    desk.clock.forward(seconds=IDLE.total_seconds())
    for answer in (browser.get("/login/left"), browser.post("/login/stay"), nobody.post("/login/stay")):
        assert (answer.status_code, answer.json()) == (200, {"seconds": 0, "isFinal": False})
    assert 'id="session"' not in nobody.get("/login").text


def test_nothing_prolongs_a_session_beyond_half_a_day(desk: Newsroom) -> None:
    browser = desk.signed_in()
    for _ in range(35):
        desk.clock.forward(minutes=20)
        browser.post("/login/stay")
    assert browser.post("/login/stay").json() == {"seconds": 1200, "isFinal": True}
    desk.clock.forward(minutes=19)
    assert browser.post("/login/stay").json() == {"seconds": 60, "isFinal": True}


def test_signing_in_gives_a_new_cookie_and_ends_the_old_session(desk: Newsroom) -> None:
    browser = desk.signed_in()
    before = browser.cookies["__Host-desk"]
    browser.post("/login", data=GOOD)
    assert browser.cookies["__Host-desk"] != before
    browser.cookies.clear()
    assert browser.get("/login", headers={"cookie": f"__Host-desk={before}"}).status_code == 200


def test_a_one_time_link_sets_a_password_once(newsroom: Newsroom) -> None:
    new = Person(id="", name="Eva Brandt", address="Eva@example.org", role=Role.EDITOR)
    _, token = add_person(newsroom.app.database, new, newsroom.clock())
    browser, page = newsroom.visitor(), f"/welcome/{token}"
    assert "Welcome, Eva" in browser.get(page).text
    for password, again in (("short", "short"), (PASSWORD, "other"), ("Eva Brandt 2026", "Eva Brandt 2026")):
        assert browser.post(page, data={"password": password, "again": again}).status_code == 422
    chosen = "violet harbour pigeon"
    assert browser.post(page, data={"password": chosen, "again": chosen}).status_code == 303
    assert browser.get("/login").status_code == 303
    for answer in (browser.get(page), browser.post(page, data={"password": chosen, "again": chosen})):
        assert answer.status_code == 410
    sent = {"address": "eva@EXAMPLE.org", "password": chosen}
    assert newsroom.visitor().post("/login", data=sent).status_code == 303


def test_a_removed_person_is_out_at_once(newsroom: Newsroom) -> None:
    browser, person = newsroom.signed_in(), newsroom.person()
    remove_person(newsroom.app.database, person.id, newsroom.clock())
    assert browser.get("/login").status_code == 200
    assert newsroom.visitor().post("/login", data=GOOD).status_code == 401


def test_the_last_administrator_stays(newsroom: Newsroom) -> None:
    only, database = newsroom.person(Role.ADMINISTRATOR), newsroom.app.database
    with pytest.raises(StaffError, match="only administrator"):
        remove_person(database, only.id, newsroom.clock())
    with pytest.raises(StaffError, match="only administrator"):
        change_role(database, only.id, Role.EDITOR, newsroom.clock())
    newsroom.person(Role.ADMINISTRATOR, "Ada Lind")
    assert change_role(database, only.id, Role.EDITOR, newsroom.clock()).role is Role.EDITOR


def test_forms_of_other_sites_are_refused(desk: Newsroom) -> None:
    desk.person()
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example.org"},
        {"origin": "null"},
        {"origin": "https://["},
        {},
    ):
        browser = desk.visitor()
        del browser.headers["sec-fetch-site"]
        assert browser.post("/login", data=GOOD, headers=headers).status_code == 403
    browser = desk.visitor()
    del browser.headers["sec-fetch-site"]
    assert browser.post("/login", data=GOOD, headers={"origin": DESK}).status_code == 303


@pytest.mark.parametrize(
    "then", ["//evil.example.org", "https://evil.example.org", "/\\evil.example.org", "//[", "x"]
)
def test_signing_in_leads_nowhere_else(desk: Newsroom, then: str) -> None:
    desk.person()
    assert desk.visitor().post("/login", data={**GOOD, "then": then}).headers["location"] == "/"


def test_the_staff_answer_at_their_own_host_only(desk: Newsroom) -> None:
    browser = desk.visitor()
    assert browser.get(f"{BASE}/login").status_code == 404
    assert browser.get(f"{DESK}/signup").status_code == 404
    page = browser.get("/login")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("base", "url", "asked"),
    [
        (BASE, f"{BASE}/team", "/team"),
        (f"{BASE}/news", f"{BASE}/news/team", "/team"),  # the proxy takes /news away
        (f"{BASE}/news", f"{BASE}/team", "/team"),
        (f"{BASE}/news", f"{DESK}/team", "/team"),
    ],
)
def test_the_pages_answer_under_a_path_with_a_cookie_of_that_path(
    sqlite: Database, tmp_path: Path, base: str, url: str, asked: str
) -> None:
    office = open_newsroom(sqlite, tmp_path, CONFIG.replace(BASE, base), url=url)
    office.base = url[: url.index("/", 8)]
    path = url.removeprefix(office.base)
    office.person()
    browser = office.visitor()
    assert f'action="{path}/login"' in browser.get(f"{asked}/login").text
    answer = browser.post(f"{asked}/login", data={**GOOD, "then": "/account"})
    assert answer.headers["location"] == f"{path}/account"
    cookie, _ = answer.headers.get_list("set-cookie")
    assert (cookie.partition("=")[0], f"Path={path};" in cookie) == ("__Secure-desk", True)
    kept = {"cookie": cookie.partition(";")[0]}
    assert "Jonas Wieck" in browser.get(f"{asked}/account", headers=kept).text
    assert browser.get(asked, headers=kept).headers["location"] == f"{path}/desk"
    stranger = office.visitor()
    assert stranger.get(f"{asked}/account").headers["location"] == f"{path}/login?then=/account"
    slash = browser.get(f"{asked}/login/", headers={"host": "evil.example.org"})
    assert "evil" not in slash.headers.get("location", ""), "the Host header leads nowhere"
    assert browser.get("/teams").status_code == browser.get("/account").status_code == 404


def test_without_staff_there_are_no_such_pages(quick: Site) -> None:
    for path in ("/login", "/desk", "/staff", "/ops", "/account", "/team/login"):
        assert quick.client.get(path).status_code == 404


def test_a_script_is_told_that_the_session_has_ended(desk: Newsroom) -> None:
    for headers in ({"hx-request": "true"}, {"accept": "text/event-stream"}):
        assert desk.visitor().get("/account", headers=headers).status_code == 401


def test_refusals_are_logged_without_anything_secret(
    desk: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    browser = desk.signed_in()
    assert browser.get("/staff").status_code == 403
    assert browser.post("/logout", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
        f"{desk.person().id} lacks the right to administer at /staff",
        "a form from another site was refused at /logout",
    ]


def test_nothing_that_is_secret_is_logged(desk: Newsroom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    new = Person(id="", name="Eva Brandt", address="eva@example.org", role=Role.EDITOR)
    _, token = add_person(desk.app.database, new, desk.clock())
    browser = desk.visitor()
    browser.post(f"/welcome/{token}", data={"password": PASSWORD, "again": PASSWORD})
    sent = {"address": "eva@example.org", "password": PASSWORD}
    browser.post("/login", data={**sent, "password": "another password"})
    browser.post("/login", data=sent)
    ours = "\n".join(each.getMessage() for each in caplog.records if each.name.startswith("digest"))
    assert "could not sign in" in ours
    for secret in ("eva", PASSWORD, "another password", token, browser.cookies["__Host-desk"]):
        assert secret not in ours
