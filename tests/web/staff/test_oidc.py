"""Signing in by OpenID Connect, with a provider on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from digest.model.staff import Person, Role
from digest.staff.people import add_person, remove_person
from digest.storage.database import Database
from tests.web.site import CONFIG
from tests.web.staff.newsroom import DESK, Newsroom, open_newsroom
from tests.web.staff.provider import CLIENT, SECRET, Provider, provider

STAFF = """
[staff]
url = "{url}"
oidc_issuer = "{issuer}"
oidc_client = "{client}"
oidc_secret_file = "oidc-secret"
"""


@pytest.fixture
def known() -> Iterator[Provider]:
    with provider() as known:
        yield known


@pytest.fixture
def office(sqlite: Database, tmp_path: Path, known: Provider) -> Newsroom:
    """A newsroom whose staff may sign in by the provider."""
    (tmp_path / "oidc-secret").write_text(f"{SECRET}\n")
    staff = STAFF.format(url=DESK, issuer=known.issuer, client=CLIENT)
    office = open_newsroom(sqlite, tmp_path, CONFIG + staff)
    known.now = int(office.clock().timestamp())
    new = Person(id="", name="Jonas Wieck", address="jonas@example.org", role=Role.EDITOR)
    office.people["Jonas Wieck"], _ = add_person(sqlite, new, office.clock())
    return office


def signed_in(office: Newsroom, known: Provider, browser: TestClient | None = None) -> Response:
    """Sign in by the provider, and return the last answer."""
    browser = browser or office.visitor()
    begun = browser.get("/login/oidc", params={"then": "/account"})
    return browser.get(f"/login/oidc/back?{known.sign_in(begun.headers['location'])}")


def test_a_person_signs_in_by_the_verified_address_and_then_by_the_subject(
    office: Newsroom, known: Provider
) -> None:
    browser = office.visitor()
    assert "/login/oidc" in browser.get("/login").text
    answer = signed_in(office, known, browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Jonas Wieck" in browser.get("/account").text
    assert known.asked["code_challenge_method"] == "S256"
    assert known.asked["redirect_uri"] == f"{DESK}/login/oidc/back"
    known.claims = {"email": "another@example.org", "email_verified": False}
    known.methods = ("client_secret_post",)
    assert signed_in(office, known).status_code == 303, "the subject counts, not the address"
    known.claims = {"sub": "another", "email": "jonas@example.org"}
    assert signed_in(office, known).status_code == 401, "an account has one subject"


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email": "nobody@example.org"},
        {"email": None},
    ],
)
def test_whom_nobody_knows_is_not_signed_in(
    office: Newsroom, known: Provider, claims: dict[str, object]
) -> None:
    known.claims = claims
    answer = signed_in(office, known)
    assert (answer.status_code, "__Host-desk=" in str(answer.headers)) == (401, False)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"iss": "https://another.example.org"},
        {"exp": 1},
        {"sub": None},
        {"sub": ""},
    ],
)
def test_a_token_that_proves_nothing_is_refused(
    office: Newsroom, known: Provider, claims: dict[str, object]
) -> None:
    known.claims = claims
    assert signed_in(office, known).status_code == 502


def test_only_keys_of_the_provider_count(office: Newsroom, known: Provider) -> None:
    known.key = RSAKey.generate_key(2048, {"kid": "1"})
    assert signed_in(office, known).status_code == 502


def test_an_answer_counts_only_in_the_browser_that_began_and_once(office: Newsroom, known: Provider) -> None:
    begun = office.visitor().get("/login/oidc")
    back = f"/login/oidc/back?{known.sign_in(begun.headers['location'])}"
    assert office.visitor().get(back).status_code == 401
    browser = office.visitor()
    browser.get("/login/oidc")
    assert browser.get(back).status_code == 401, "the state is another one"
    begun = browser.get("/login/oidc")
    back = f"/login/oidc/back?{known.sign_in(begun.headers['location'])}"
    office.clock.forward(minutes=11)
    assert browser.get(back).status_code == 401


def test_an_answer_cannot_be_sent_again_with_a_kept_cookie(office: Newsroom, known: Provider) -> None:
    browser = office.visitor()
    begun = browser.get("/login/oidc")
    kept = {"cookie": f"__Host-desk-oidc={browser.cookies['__Host-desk-oidc']}"}
    back = f"/login/oidc/back?{known.sign_in(begun.headers['location'])}"
    assert browser.get(back).status_code == 303
    again = office.visitor().get(back, headers=kept)
    assert (again.status_code, "used already" in again.text) == (401, True)


def test_a_text_is_kept_while_its_writer_signs_in_by_the_provider_in_another_tab(
    office: Newsroom, known: Provider
) -> None:
    browser = office.visitor()
    page = browser.post("/account/tokens", data={"name": "Archive"}).text
    assert 'href="/login/oidc" target="_blank"' in page
    assert 'action="/account/tokens"' in page
    assert '<input type="hidden" name="name" value="Archive">' in page
    signed_in(office, known, browser)
    assert browser.post("/account/tokens", data={"name": "Archive"}).status_code != 401


def test_a_removed_person_is_not_signed_in(office: Newsroom, known: Provider) -> None:
    signed_in(office, known)
    remove_person(office.app.database, office.person().id, office.clock())
    assert signed_in(office, known).status_code == 401


def test_without_a_provider_there_is_no_such_page(desk: Newsroom) -> None:
    browser = desk.visitor()
    assert browser.get("/login/oidc").status_code == 404
    assert "/login/oidc" not in browser.get("/login").text
