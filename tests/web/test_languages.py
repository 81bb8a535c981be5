"""The language of a page: the requested one, the reader's own, the browser's, the site's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.web.pages.context import best_language
from tests.web.site import Site, hidden, link_in
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
def test_the_preferred_language_is_read_from_any_header(header: str, language: str | None) -> None:
    assert best_language(header, OFFERED) == language


@given(st.text(max_size=300) | st.from_regex(r"([a-z*-]{1,9}(;q=[0-9.]{1,5})?,? ?){0,9}", fullmatch=True))
def test_a_bad_header_is_ignored(header: str) -> None:
    assert best_language(header, OFFERED) in (None, *OFFERED)


def spoken(place: Site, path: str, accept: str | None = None) -> str:
    headers = {"accept-language": accept} if accept is not None else {}
    answer = place.client.get(path, headers=headers)
    found = re.search(r'<html lang="(\w+)"', answer.text)
    assert found
    assert answer.headers["content-language"] == found[1]
    assert "accept-language" in answer.headers["vary"].lower()
    return found[1]


@pytest.mark.parametrize("path", ["/", "/signup/daily", "/d/daily", "/nowhere", "/c/no-such-link"])
def test_a_public_page_is_in_the_language_the_browser_prefers(quick: Site, path: str) -> None:
    assert spoken(quick, path) == "en"
    assert spoken(quick, path, "fr, de-CH;q=0.7") == "de"
    assert spoken(quick, path, "fr") == "en"
    assert spoken(quick, f"{path}?language=ar", "de") == "ar"
    assert spoken(quick, f"{path}?language=tlh", "de") == "de"


def test_a_signed_link_is_in_its_readers_language(quick: Site) -> None:
    quick.add()
    quick.client.post(
        quick.preferences_link(), data={"digest": ["daily"], "language": "es", "format": "html"}
    )
    for path in (quick.preferences_link(), quick.leave_link()):
        assert spoken(quick, path, "de") == "es"
        assert spoken(quick, f"{path}?language=ar", "de") == "ar"
    left = quick.client.post(quick.leave_link(), data={"leave": "yes"}, headers={"accept-language": "de"})
    assert '<html lang="es"' in left.text


def test_a_link_to_the_next_page_keeps_the_requested_language(quick: Site) -> None:
    assert 'href="/signup/daily?language=de"' in quick.client.get("/d/daily?language=de").text
    assert 'href="/signup/daily"' in quick.client.get("/d/daily", headers={"accept-language": "de"}).text


OWN = re.compile(r'(?:href|action)="(?:https://digest\.example\.org)?(/[^"]*)"')
ASIDE = ("/static/", "/d/daily/feed.atom", "/d/weekend/feed.atom")


def language_lost(html: str) -> list[str]:
    """Return the links and forms of a page that do not keep its language."""
    body = html.partition("<body>")[2]
    return [link for link in OWN.findall(body) if "?language=" not in link and not link.startswith(ASIDE)]


def test_every_link_and_form_keeps_the_requested_language(quick: Site) -> None:
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
        assert language_lost(html) == [], path
        assert '<html lang="de"' in html


def test_forms_keep_the_language_to_the_last_page(quick: Site) -> None:
    quick.client.headers["accept-language"] = "es"
    quick.add()
    for fields in ({"address": "nobody"}, {}):
        again = quick.client.post("/signup?language=de", data={"address": EVE, "digest": "daily", **fields})
        assert '<html lang="de"' in again.text
        assert language_lost(again.text) == []
    quick.clock.forward(seconds=5)
    said = quick.client.post("/signup?language=de", data=hidden(again.text))
    assert "Sehen Sie in Ihrem Postfach nach" in said.text
    assert language_lost(said.text) == []
    quick.settle()
    confirm = link_in(quick.emails()[-1], "c")
    assert language_lost(quick.client.get(f"{confirm}?language=ar").text) == []
    assert language_lost(quick.client.post(f"{confirm}?language=ar").text) == []
    leave = quick.client.get(f"{quick.leave_link()}?language=ar").text
    assert language_lost(leave) == []
    assert (
        language_lost(quick.client.post(f"{quick.leave_link()}?language=ar", data={"leave": "yes"}).text)
        == []
    )
    assert language_lost(quick.client.post(f"{quick.preferences_link()}/leave?language=ar").text) == []
    preferences = quick.preferences_link(EVE)
    assert language_lost(quick.client.get(f"{preferences}?language=ar").text) == [
        preferences
    ]  # this form saves another language


def test_an_oversized_request_is_answered_in_the_readers_language(quick: Site) -> None:
    quick.client.headers["accept-language"] = "de"
    answer = quick.client.post("/signup", data={"address": "a" * 100_000})
    assert (answer.status_code, "Ihre Anfrage ist zu groß" in answer.text) == (413, True)


def test_caches_keep_pages_apart_by_language(quick: Site) -> None:
    archive = quick.client.get("/d/daily")
    assert archive.headers["cache-control"] == "public, max-age=300"
    assert archive.headers["vary"] == "Accept-Language, Accept-Encoding"
    assert quick.client.get("/").headers["cache-control"] == "no-store"  # its ticket can be used once


def test_the_api_answers_in_the_requested_language(quick: Site) -> None:
    def cadence(query: str, accept: str) -> str:
        answer = quick.client.get(f"/api/v1/digests{query}", headers={"accept-language": accept})
        assert "accept-language" in answer.headers["vary"].lower()
        return str(answer.json()[0]["rhythm"])

    assert cadence("", "fr") == "Weekdays at 07:00"
    assert cadence("", "de") == "Montags bis freitags um 07:00"
    assert cadence("?language=es", "de") == "De lunes a viernes a las 07:00"
