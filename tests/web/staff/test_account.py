"""One's own account: the password, the second factor, signed-in browsers and tokens."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pyotp
from starlette.testclient import TestClient

from digest.model.staff import Right, Role
from digest.staff.audit import trail
from digest.staff.people import change_role, remove_person
from digest.staff.second_factor import ATTEMPTS, RECOVERY_CODES, WINDOW, opened, sealed
from digest.staff.tokens import person_of_token
from tests.web.site import hidden
from tests.web.staff.newsroom import PASSWORD, Newsroom

GOOD = {"address": "jonas@example.org", "password": PASSWORD}
NEW = "violet harbour pigeon"


def test_a_new_password_ends_the_other_sessions(newsroom: Newsroom) -> None:
    here, there = newsroom.signed_in(), newsroom.signed_in()
    for sent, status in (
        ({"present": "wrong", "password": NEW, "again": NEW}, 422),
        ({"present": PASSWORD, "password": NEW, "again": "other"}, 422),
        ({"present": PASSWORD, "password": "Jonas Wieck 12", "again": "Jonas Wieck 12"}, 422),
        ({"present": PASSWORD, "password": NEW, "again": NEW}, 303),
    ):
        assert here.post("/account/password", data=sent).status_code == status
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert newsroom.visitor().post("/login", data=GOOD).status_code == 401
    assert newsroom.visitor().post("/login", data={**GOOD, "password": NEW}).status_code == 303


def test_somebody_at_an_open_computer_cannot_try_passwords_for_ever(desk: Newsroom) -> None:
    browser = desk.signed_in()
    for _ in range(10):
        browser.post("/account/password", data={"present": "wrong", "password": NEW, "again": NEW})
    answer = browser.post("/account/password", data={"present": PASSWORD, "password": NEW, "again": NEW})
    assert "Too many attempts" in answer.text


def turned_on(browser: TestClient, desk: Newsroom) -> tuple[pyotp.TOTP, list[str]]:
    """Turn the second factor on, and return the app and the recovery codes."""
    page = browser.get("/account/second-factor").text
    found = re.search(r'class="mono">([A-Z2-7 ]+)<', page)
    assert found
    app = pyotp.TOTP(found[1].replace(" ", ""))
    sent = {**hidden(page), "present": PASSWORD}
    assert browser.post("/account/second-factor", data={**sent, "code": "000000"}).status_code == 422
    shown = browser.post("/account/second-factor", data={**sent, "code": app.at(desk.clock())}).text
    return app, re.findall(r"<li>([a-z2-7-]{19})</li>", shown)


def test_with_a_second_factor_a_password_is_not_enough(newsroom: Newsroom) -> None:
    app, codes = turned_on(newsroom.signed_in(), newsroom)
    assert len(set(codes)) == RECOVERY_CODES
    used = app.at(newsroom.clock())
    browser = newsroom.visitor()
    page = browser.post("/login", data={**GOOD, "then": "/account"})
    assert (page.status_code, page.headers.get("set-cookie")) == (200, None)
    sent = hidden(page.text)
    assert browser.post("/login/code", data={**sent, "code": used}).status_code == 401, "a code is used up"
    newsroom.clock.forward(seconds=60)
    code = app.at(newsroom.clock() - timedelta(seconds=30))
    answer = browser.post("/login/code", data={**sent, "code": f"{code[:3]} {code[3:]}"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert newsroom.visitor().post("/login/code", data={**sent, "code": code}).status_code == 401
    for status in (303, 401):  # a recovery code works once
        answer = newsroom.visitor().post(
            "/login/code", data={**sent, "code": codes[3].upper().replace("-", " ")}
        )
        assert answer.status_code == status
    newsroom.clock.forward(minutes=20)
    late = newsroom.visitor().post("/login/code", data={**sent, "code": app.at(newsroom.clock())})
    assert late.headers["location"] == "/login", "the password was right too long ago"


def test_codes_cannot_be_tried_for_ever(desk: Newsroom) -> None:
    app, _ = turned_on(desk.signed_in(), desk)
    desk.clock.forward(minutes=1)
    sent = hidden(desk.visitor().post("/login", data=GOOD).text)
    for number in range(ATTEMPTS):
        assert desk.visitor().post("/login/code", data={**sent, "code": f"{number:06}"}).status_code == 401
    right = {**sent, "code": app.at(desk.clock())}
    assert desk.visitor().post("/login/code", data=right).status_code == 401
    desk.clock.forward(seconds=WINDOW.total_seconds())
    sent = hidden(desk.visitor().post("/login", data=GOOD).text)
    right = {**sent, "code": app.at(desk.clock())}
    assert desk.visitor().post("/login/code", data=right).status_code == 303


def test_a_secret_is_kept_sealed() -> None:
    one, other = b"k" * 32, b"l" * 32
    kept = sealed(one, "JBSWY3DPEHPK3PXP")
    assert opened(one, kept) == "JBSWY3DPEHPK3PXP"
    assert opened(other, kept) != "JBSWY3DPEHPK3PXP"
    assert kept != sealed(one, "JBSWY3DPEHPK3PXP")


def test_the_second_factor_is_turned_off_with_the_password(desk: Newsroom) -> None:
    browser = desk.signed_in()
    turned_on(browser, desk)
    assert browser.post("/account/second-factor/off", data={"present": "wrong"}).status_code == 422
    assert browser.post("/account/second-factor/off", data={"present": PASSWORD}).status_code == 303
    assert desk.visitor().post("/login", data=GOOD).status_code == 303


def test_browsers_are_listed_and_signed_out(newsroom: Newsroom) -> None:
    here, there = newsroom.signed_in(), newsroom.visitor()
    there.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    there.post("/login", data=GOOD)
    newsroom.signed_in(Role.EDITOR, "Eva Brandt")
    page = here.get("/account").text
    assert "Firefox on Linux" in page
    (name,) = re.findall(r"/account/sessions/([0-9a-f]{16})/end", page)
    other = newsroom.signed_in(Role.EDITOR, "Eva Brandt")
    other.post(f"/account/sessions/{name}/end")
    assert there.get("/account").status_code == 200, "only one's own sessions can be ended"
    here.post(f"/account/sessions/{name}/end")
    assert there.get("/account").status_code == 303
    third = newsroom.signed_in()
    assert here.post("/account/sessions/end").status_code == 303
    assert (here.get("/account").status_code, third.get("/account").status_code) == (200, 303)


def made_token(browser: TestClient, **fields: object) -> str:
    sent = {"name": "Archive script", "scope": ["look"], "days": "30", "present": PASSWORD, **fields}
    found = re.search(r"digest_[\w-]{43}", browser.post("/account/tokens", data=sent).text)
    return found[0] if found else ""


def test_a_token_has_the_rights_that_were_chosen_until_it_ends(newsroom: Newsroom) -> None:
    browser, person, database = (
        newsroom.signed_in(Role.APPROVER),
        newsroom.person(Role.APPROVER),
        newsroom.app.database,
    )
    token = made_token(browser, scope=["look", "approve"], days="90")
    assert person_of_token(database, token, newsroom.clock()) == (
        person,
        frozenset({Right.LOOK, Right.APPROVE}),
    )
    assert token not in browser.get("/account").text
    newsroom.person(Role.ADMINISTRATOR)
    change_role(database, person.id, Role.EDITOR, newsroom.clock())
    found = person_of_token(database, token, newsroom.clock())
    assert found is not None
    assert found[1] == {Right.LOOK}, "a token loses what its person loses"
    assert person_of_token(database, token, newsroom.clock() + timedelta(days=90)) is None
    assert person_of_token(database, f"{token}x", newsroom.clock()) is None
    (name,) = re.findall(r"/account/tokens/([0-9a-f]{16})/revoke", browser.get("/account").text)
    browser.post(f"/account/tokens/{name}/revoke")
    assert person_of_token(database, token, newsroom.clock()) is None


def test_a_token_that_may_too_much_is_refused(desk: Newsroom) -> None:
    browser = desk.signed_in(Role.EDITOR)
    refused: tuple[dict[str, object], ...] = (
        {"scope": ["approve"]},
        {"scope": ["administer"]},
        {"scope": []},
        {"days": "9999"},
        {"days": "x"},
        {"name": ""},
        {"present": "wrong"},
    )
    for fields in refused:
        assert made_token(browser, **fields) == ""
    token = made_token(browser)
    remove_person(desk.app.database, desk.person().id, desk.clock())
    assert person_of_token(desk.app.database, token, desk.clock()) is None


def test_what_was_written_when_a_session_ended_is_kept(desk: Newsroom) -> None:
    browser = desk.signed_in()
    desk.clock.forward(hours=3)
    written = {"name": 'Archive "script" <i>', "scope": ["look", "edit"], "days": "30"}
    page = browser.post("/account/tokens", data=written)
    assert page.status_code == 401
    wrong = browser.post("/login", data={**_carried(page.text), **GOOD, "password": "wrong"})
    again = browser.post("/login", data={**_carried(wrong.text), **GOOD})
    assert (again.status_code, _carried(again.text)) == (
        200,
        {"name": ['Archive "script" <i>'], "scope": ["look", "edit"], "days": ["30"]},
    )
    assert 'action="/account/tokens"' in again.text
    fragment = desk.visitor().post("/account/tokens", headers={"hx-request": "true"})
    assert (fragment.status_code, "<html" in fragment.text) == (401, False)


def test_passwords_are_never_written_into_a_page(desk: Newsroom) -> None:
    browser = desk.signed_in()
    desk.clock.forward(hours=3)
    page = browser.post("/account/password", data={"present": PASSWORD, "password": NEW, "again": NEW})
    assert (page.status_code, _carried(page.text)) == (401, {"then": ["/account"]})
    assert "passwords are not kept" in page.text
    mixed = browser.post("/account/tokens", data={"name": "Archive", "present": PASSWORD})
    assert _carried(mixed.text) == {
        "name": ["Archive"],
        "then": ["/account/tokens"],
        "kept:name": ["Archive"],
    }
    answer = browser.post("/login", data={**_carried(page.text), **GOOD})
    assert answer.headers["location"] == "/account"


def _carried(html: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html):
        found.setdefault(unescape(name), []).append(unescape(value))
    return found


def test_an_administrator_adds_changes_and_removes_people(newsroom: Newsroom) -> None:
    browser = newsroom.signed_in(Role.ADMINISTRATOR)
    new = {"name": "Eva Brandt", "address": "eva@example.org", "role": "editor"}
    assert "Choose a role" in browser.post("/staff", data={**new, "role": "owner"}).text
    link = re.search(r"https://desk\.example\.org/welcome/\S+?(?=<)", browser.post("/staff", data=new).text)
    assert link
    invited = newsroom.visitor()
    assert invited.post(link[0], data={"password": NEW, "again": NEW}).status_code == 303
    assert browser.post("/staff", data=new).status_code == 422
    (eva,) = set(re.findall(r"/staff/([0-9a-f]{16})/remove", browser.get("/staff").text))
    assert browser.post(f"/staff/{eva}/role", data={"role": "approver"}).status_code == 303
    fresh = re.search(r"/welcome/\S+?(?=<)", browser.post(f"/staff/{eva}/link").text)
    assert fresh
    assert invited.get(fresh[0]).status_code == 200
    assert "Remove Eva Brandt?" in browser.get(f"/staff/{eva}/remove").text
    assert browser.post(f"/staff/{eva}/remove").status_code == 303
    assert invited.get("/account").status_code == 303
    own = newsroom.person(Role.ADMINISTRATOR).id
    assert "only administrator" in browser.post(f"/staff/{own}/role", data={"role": "editor"}).text
    actions = [f"{each.name} {each.action}" for each in trail(newsroom.app.database)]
    assert "Ines Duarte removed a person" in actions
    assert "Eva Brandt set a password by link" in actions
    page = browser.get("/staff/audit", params={"person": eva}).text
    assert "set a password by link" in page
    assert "removed a person" not in page


def test_a_lost_phone_is_no_reason_to_lose_an_account(desk: Newsroom) -> None:
    turned_on(desk.signed_in(), desk)
    desk.signed_in(Role.ADMINISTRATOR).post(f"/staff/{desk.person().id}/second-factor/off")
    assert desk.visitor().post("/login", data=GOOD).status_code == 303
