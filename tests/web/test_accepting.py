"""Which language a page is in: asked for, the reader's own, the browser's, the site's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.web.accepting import best_language
from tests.web.parlour import Parlour, hidden, link_in
from tests.web.test_archive import publish

EVE = "eve@example.org"
OFFERED = ("en", "de", "es", "ar")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.5, es;q=0.9, de;q=0.7", "es"),
        ("fr-FR, fr;q=0.9, ar;q=0.3", "ar"),
        ("DE-de", "de"),
        ("zh-Hant-HK, es-419;q=0.4", "es"),
        ("de;q=0.5,es;q=0.5", "de"),
        ("de ; q=0.4 , es ; q=0.6", "es"),
        ("de;q=0, en;q=0.1", "en"),
        ("de;q=0", None),
        ("fr, ja", None),
        ("*", None),
        ("fr, *;q=0.5", None),
        ("de;q=0.1, *", None),
        ("*;q=0.1, es;q=0.8", "es"),
        ("", None),
        (",,;;==,", None),
        ("de;q=nan", None),
        ("de;q=2", None),
        ("de;q=-1, es", "es"),
        ("de;q=1.000;level=1", None),
        ("../../etc/passwd, de", "de"),
        ("a" * 5_000_000, None),
        ("fr," * 100_000 + "de", None),
        ("de" + ",en;q=0.1" * 100_000, "de"),
    ],
)
def test_a_browser_is_understood_whatever_it_says(header: str, language: str | None) -> None:
    assert best_language(header, OFFERED) == language


@given(st.text(max_size=300) | st.from_regex(r"([a-z*-]{1,9}(;q=[0-9.]{1,5})?,? ?){0,9}", fullmatch=True))
def test_no_header_does_worse_than_to_be_passed_over(header: str) -> None:
    assert best_language(header, OFFERED) in (None, *OFFERED)


def spoken(place: Parlour, path: str, accept: str | None = None) -> str:
    headers = {"accept-language": accept} if accept is not None else {}
    answer = place.client.get(path, headers=headers)
    found = re.search(r'<html lang="(\w+)"', answer.text)
    assert found
    assert answer.headers["content-language"] == found[1]
    assert "accept-language" in answer.headers["vary"].lower()
    return found[1]


@pytest.mark.parametrize("path", ["/", "/signup/daily", "/d/daily", "/nowhere", "/c/no-such-link"])
def test_a_public_page_speaks_as_the_browser_asks(quick: Parlour, path: str) -> None:
    assert spoken(quick, path) == "en"
    assert spoken(quick, path, "fr, de-CH;q=0.7") == "de"
    assert spoken(quick, path, "fr") == "en"
    assert spoken(quick, f"{path}?language=ar", "de") == "ar"
    assert spoken(quick, f"{path}?language=tlh", "de") == "de"


def test_a_signed_link_speaks_its_readers_language(quick: Parlour) -> None:
    quick.add()
    quick.client.post(
        quick.preferences_link(), data={"digest": ["daily"], "language": "es", "format": "html"}
    )
    for path in (quick.preferences_link(), quick.leave_link()):
        assert spoken(quick, path, "de") == "es"
        assert spoken(quick, f"{path}?language=ar", "de") == "ar"
    left = quick.client.post(quick.leave_link(), data={"leave": "yes"}, headers={"accept-language": "de"})
    assert '<html lang="es"' in left.text


def test_a_link_to_the_next_page_keeps_the_language_that_was_asked_for(quick: Parlour) -> None:
    assert 'href="/signup/daily?language=de"' in quick.client.get("/d/daily?language=de").text
    assert 'href="/signup/daily"' in quick.client.get("/d/daily", headers={"accept-language": "de"}).text


OWN = re.compile(r'(?:href|action)="(?:https://digest\.example\.org)?(/[^"]*)"')
ASIDE = ("/static/", "/d/daily/feed.atom", "/d/weekend/feed.atom")


def left_out(html: str) -> list[str]:
    """Return the links and forms of a page that do not keep its language."""
    body = html.partition("<body>")[2]
    return [link for link in OWN.findall(body) if "?language=" not in link and not link.startswith(ASIDE)]


def test_every_link_and_form_keeps_the_language_that_was_asked_for(quick: Parlour) -> None:
    edition = publish(quick)
    quick.client.headers["accept-language"] = "es"
    open_pages = (
        "/",
        "/signup/daily",
        "/d/daily",
        "/d/weekend",
        f"/d/daily/{edition.id}",
        "/nowhere",
        "/c/x",
    )
    for path in open_pages:
        html = quick.client.get(f"{path}?language=de").text
        assert left_out(html) == [], path
        assert '<html lang="de"' in html


def test_forms_keep_the_language_to_the_last_page(quick: Parlour) -> None:
    quick.client.headers["accept-language"] = "es"
    quick.add()
    for fields in ({"address": "nobody"}, {}):
        again = quick.client.post("/signup?language=de", data={"address": EVE, "digest": "daily", **fields})
        assert '<html lang="de"' in again.text
        assert left_out(again.text) == []
    quick.clock.forward(seconds=5)
    said = quick.client.post("/signup?language=de", data=hidden(again.text))
    assert "Sehen Sie in Ihr Postfach" in said.text
    assert left_out(said.text) == []
    quick.settle()
    confirm = link_in(quick.mails()[-1], "c")
    assert left_out(quick.client.get(f"{confirm}?language=ar").text) == []
    assert left_out(quick.client.post(f"{confirm}?language=ar").text) == []
    leave = quick.client.get(f"{quick.leave_link()}?language=ar").text
    assert left_out(leave) == []
    assert left_out(quick.client.post(f"{quick.leave_link()}?language=ar", data={"leave": "yes"}).text) == []
    assert left_out(quick.client.post(f"{quick.preferences_link()}/leave?language=ar").text) == []
    preferences = quick.preferences_link(EVE)
    assert left_out(quick.client.get(f"{preferences}?language=ar").text) == [preferences]  # saves another


def test_too_much_is_said_in_the_readers_language(quick: Parlour) -> None:
    quick.client.headers["accept-language"] = "de"
    answer = quick.client.post("/signup", data={"address": "a" * 100_000})
    assert (answer.status_code, "Das war zu viel" in answer.text) == (413, True)


def test_what_is_kept_by_caches_is_kept_by_language(quick: Parlour) -> None:
    archive = quick.client.get("/d/daily")
    assert archive.headers["cache-control"] == "public, max-age=300"
    assert archive.headers["vary"] == "Accept-Language"
    assert quick.client.get("/").headers["cache-control"] == "no-store"  # its ticket is good once


def test_the_api_speaks_as_it_is_asked(quick: Parlour) -> None:
    def rhythm(query: str, accept: str) -> str:
        answer = quick.client.get(f"/api/v1/digests{query}", headers={"accept-language": accept})
        assert "accept-language" in answer.headers["vary"].lower()
        return str(answer.json()[0]["rhythm"])

    assert rhythm("", "fr") == "Weekdays at 07:00"
    assert rhythm("", "de") == "Montags bis freitags um 07:00"
    assert rhythm("?language=es", "de") == "De lunes a viernes a las 07:00"
