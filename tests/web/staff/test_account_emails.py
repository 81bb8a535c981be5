"""A person is told by email what has happened to the own account: once, in plain words, without secrets."""

from __future__ import annotations

from starlette.testclient import TestClient

from digest.editions.notices.queue import choose_notices
from digest.model.staff import Person, Role
from digest.staff.people import add_person, remove_person
from tests.web.site import text_of
from tests.web.staff.newsroom import PASSWORD, Newsroom
from tests.web.staff.test_account import NEW, turned_on

GOOD = {"address": "jonas@example.org", "password": PASSWORD}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def told(newsroom: Newsroom, name: str = "jonas") -> list[str]:
    """Send what is queued; return the subjects of all emails to somebody, without the name of the site."""
    newsroom.site.settle()
    mine = [each for each in newsroom.site.emails() if each["to"] == f"{name}@example.org"]
    return [str(each["subject"]).removeprefix("Harbour Digest: ") for each in mine]


def firefox(newsroom: Newsroom) -> TestClient:
    browser = newsroom.visitor()
    browser.headers["user-agent"] = FIREFOX
    return browser


def test_a_sign_in_from_a_new_browser_is_told_once(newsroom: Newsroom) -> None:
    person, colleague = newsroom.person(), newsroom.person(Role.APPROVER)
    choose_notices(newsroom.app.database, person.id, [])  # emails about the own account cannot be turned off
    here = firefox(newsroom)
    for address in (person.address, colleague.address, person.address):  # they share a computer
        newsroom.clock.forward(hours=2)
        assert here.post("/login", data={**GOOD, "address": address}).status_code == 303
    assert (told(newsroom), told(newsroom, "maren")) == (["a sign-in from a new browser"],) * 2
    (email, _) = newsroom.site.emails()
    text = " ".join(text_of(email).split())
    assert (
        "not used here before, in Firefox on Linux, on Monday 23 November at 12:00 (Europe/Berlin)." in text
    )
    assert "If it was not you, sign all other browsers out" in text
    assert "https://desk.example.org/account" in text
    assert "Choose your emails" not in text
    known = here.cookies["__Host-desk-known"]
    for forged in (f"{known}x", person.id, ""):
        newsroom.clock.forward(minutes=20)
        browser = newsroom.visitor()
        browser.cookies.set("__Host-desk-known", forged)
        assert browser.post("/login", data=GOOD).status_code == 303
    assert told(newsroom) == ["a sign-in from a new browser"] * 4
    for wrong in ("x", ""):
        newsroom.visitor().post("/login", data={**GOOD, "password": wrong})
    assert len(told(newsroom)) == 4, "a wrong password is no sign-in"


def test_changes_of_password_and_second_factor_are_told_without_secrets(newsroom: Newsroom) -> None:
    browser = newsroom.signed_in()
    new = {"password": NEW, "again": NEW}
    browser.post("/account/password", data={**new, "present": "wrong"})
    assert told(newsroom) == []
    browser.post("/account/password", data={**new, "present": PASSWORD})
    newsroom.clock.forward(minutes=1)
    browser.post("/account/password", data={"present": NEW, "password": PASSWORD, "again": PASSWORD})
    newsroom.clock.forward(minutes=1)
    app, codes = turned_on(browser, newsroom)
    browser.post("/account/second-factor/off", data={"present": PASSWORD})
    newsroom.clock.forward(minutes=1)
    turned_on(browser, newsroom)
    newsroom.clock.forward(minutes=1)
    boss = newsroom.signed_in(Role.ADMINISTRATOR)
    boss.post(f"/staff/{newsroom.person().id}/second-factor/off")
    on, off = "a second factor is turned on", "the second factor is turned off"
    assert told(newsroom) == ["your password is new"] * 2 + [on, off, on, off]
    texts = [" ".join(text_of(each).split()) for each in newsroom.site.emails()]
    assert "by Ines Duarte, on Monday 23 November" in texts[-1]
    for secret in (NEW, PASSWORD, app.secret, *codes):
        assert not any(secret in text for text in texts)


def test_a_password_by_link_is_told_once_and_nothing_to_who_is_removed(desk: Newsroom) -> None:
    database = desk.app.database
    new = Person(id="", name="Eva Brandt", address="eva@example.org", role=Role.EDITOR)
    person, token = add_person(database, new, desk.clock())
    answer = firefox(desk).post(f"/welcome/{token}", data={"password": NEW, "again": NEW})
    assert answer.status_code == 303
    assert told(desk, "eva") == ["your password is new"]
    desk.visitor().post("/login", data={"address": "eva@example.org", "password": NEW})
    remove_person(database, person.id, desk.clock())
    assert told(desk, "eva") == ["your password is new"]
