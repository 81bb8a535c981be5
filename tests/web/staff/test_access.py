"""Every route, asked by somebody of each role and by somebody who is signed out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest.model.staff import Right, Role, rights_of
from digest.staff.audit import trail
from digest.staff.tokens import SCOPES
from digest.storage.database import Database
from digest.storage.staff.people import change_account
from digest.web.staff.access import ACCESS, OPEN, Access, faults_of
from digest.web.staff_pages import routes
from tests.web.staff.newsroom import HASHED, Newsroom, open_newsroom

RIGHTS = {
    Role.READER: {"look"},
    Role.EDITOR: {"look", "edit"},
    Role.APPROVER: {"look", "edit", "approve"},
    Role.OPERATOR: {"look", "edit", "operate"},
    Role.ADMINISTRATOR: {"look", "edit", "approve", "operate", "administer"},
}
CLOSED = {key: access for key, access in ACCESS.items() if access.right is not None}


def test_the_roles_have_the_rights_that_the_guide_promises() -> None:
    assert {role: set(rights_of(role)) for role in Role} == RIGHTS


def test_each_route_is_in_the_table() -> None:
    assert faults_of(routes()) == []
    assert faults_of([*routes(), ("GET", "/new")]) == ["GET /new has no line in ACCESS"]
    assert len(faults_of([each for each in routes() if each != ("GET", "/login")])) == 1


def test_what_is_open_is_only_about_signing_in_or_needs_a_signed_link() -> None:
    begin = ("/login", "/logout", "/welcome/", "/static/", "/signed/")
    assert [
        path for (_, path), access in ACCESS.items() if access.right is None and not path.startswith(begin)
    ] == ["/"]
    assert Access(right=None) == OPEN


@pytest.mark.parametrize("role", Role)
def test_each_role_gets_what_it_may_and_nothing_else(desk: Newsroom, role: Role) -> None:
    browser, person = desk.signed_in(role), desk.person(role)
    for (method, path), access in CLOSED.items():
        answer = browser.request(method, _filled(path))
        where = f"{method} {path} as {role}: {answer.status_code}"
        assert answer.status_code < 500, where
        assert ("You may not " in answer.text) == (not person.may(_right(access))), where


def test_nobody_who_is_signed_out_gets_anything(desk: Newsroom) -> None:
    browser = desk.visitor()
    for method, path in CLOSED:
        answer = browser.request(method, _filled(path))
        if method == "GET":
            assert (answer.status_code, answer.headers["location"][:12]) == (303, "/login?then=")
        else:
            assert answer.status_code == 401
            assert "Sign in" in answer.text


def _right(access: Access) -> Right:
    assert access.right is not None
    return access.right


def _filled(path: str) -> str:
    """Return a path with something in the place of its parameters; there is no such edition or person."""
    return re.sub(r"\{[^}]*\}", "0", path)


def test_pages_of_administrators_need_a_second_factor(desk: Newsroom) -> None:
    browser, boss, database = (
        desk.signed_in(Role.ADMINISTRATOR),
        desk.person(Role.ADMINISTRATOR),
        desk.app.database,
    )
    pages = [key for key, access in CLOSED.items() if access.right is Right.ADMINISTER]
    assert len(pages) > 8
    for account, is_let_in in (
        ({"totp": None}, False),
        ({"subject": "https://login.example.org 7"}, False),  # the password alone is still enough to sign in
        ({"password": None}, True),  # only the provider signs the person in
        ({"password": HASHED, "totp": "00"}, True),
    ):
        with database.write() as connection:
            change_account(connection, boss.id, **account)
        before = trail(database)
        for method, path in pages:
            answer = browser.request(method, _filled(path))
            led = answer.headers.get("location") == "/account/second-factor?first=yes"
            assert led != is_let_in, f"{method} {path} with {account}"
        assert trail(database) == before
        assert browser.get("/account").status_code == 200, "other pages are open to everybody"
    assert "Please turn one on first" in browser.get("/account/second-factor?first=yes").text
    assert Right.ADMINISTER not in SCOPES, "no token can decide about people"


def test_a_trial_on_this_machine_needs_no_second_factor(sqlite: Database, tmp_path: Path) -> None:
    here = open_newsroom(sqlite, tmp_path, url="http://127.0.0.1:8000/team")
    here.base, here.cookie = "http://127.0.0.1:8000", "desk"
    assert here.signed_in(Role.ADMINISTRATOR).get("/team/staff").status_code == 200
