"""The archive on the web: everybody can read the editions that were sent, and no others."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from sqlalchemy import text

from digest.editions.archive import add_correction, corrections_of
from digest.model.editions import Edition, EditionRecord, EditionState, StepCause
from digest.model.errors import EditRefusedError, StateError
from digest.render.languages.languages import words_for
from digest.render.sample import sample_edition
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance
from subscribers.tokens import reader_token
from tests.web.site import SECRET, Site


def publish(
    place: Site, number: int = 0, state: EditionState = EditionState.SENT, digest: str = "daily"
) -> Edition:
    """Store an edition in `state`; each `number` is one day earlier."""
    sample = sample_edition()
    day = sample.local_date - timedelta(days=number)
    edition = replace(
        sample,
        id=f"{digest}-{day}",
        digest=digest,
        local_date=day,
        send_at=sample.send_at - timedelta(days=number),
        site=place.app.config.site,
    )
    steps = (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT)
    with place.app.database.write() as connection:
        insert_edition(connection, edition)
        for step in steps[: steps.index(state) + 1] if state in steps else ():
            advance(connection, edition.id, step, StepCause(at=place.clock(), by="Ana"))
        if state is EditionState.CANCELLED:
            advance(connection, edition.id, state, StepCause(at=place.clock()))
    return edition


def test_an_edition_that_was_sent_can_be_read_by_anybody(place: Site) -> None:
    edition = publish(place)
    answer = place.client.get(f"/d/daily/{edition.id}")
    assert answer.status_code == 200
    assert edition.lead is not None
    assert edition.lead.title in answer.text
    assert f'"og:url" content="https://digest.example.org/d/daily/{edition.id}"' in answer.text
    assert '<meta property="og:image"' in answer.text
    assert "img-src 'self' https: http:" in answer.headers["content-security-policy"]
    assert not re.search(r"/[up]/\S", answer.text)


def test_an_edition_links_to_the_form_and_the_feed(place: Site) -> None:
    path = f"/d/daily/{publish(place).id}"
    assert '<a href="https://digest.example.org/signup/daily">Subscribe</a>' in place.client.get(path).text
    german = place.client.get(f"{path}?language=de").text
    assert '<a href="https://digest.example.org/signup/daily?language=de">Abonnieren</a>' in german
    feed = re.search(r'<link rel="alternate" type="application/atom\+xml" href="([^"]+)">', german)
    assert feed
    assert place.client.get(feed[1].removeprefix("https://digest.example.org")).status_code == 200


def test_an_edition_of_a_digest_that_is_no_longer_offered_links_to_no_form(place: Site) -> None:
    path = f"/d/nightly/{publish(place, digest='nightly').id}"
    page = place.client.get(path).text
    assert "https://digest.example.org/d/nightly/feed.atom" in page
    assert "/signup" not in page


def test_a_page_that_has_not_changed_is_not_sent_again(quick: Site) -> None:
    edition = publish(quick)
    for path in (f"/d/daily/{edition.id}", "/d/daily/feed.atom", "/static/site.css"):
        etag = quick.client.get(path).headers["etag"]
        again = quick.client.get(path, headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.APPROVED, EditionState.CANCELLED])
def test_an_edition_that_was_not_sent_cannot_be_read(place: Site, state: EditionState) -> None:
    edition = publish(place, state=state)
    assert place.client.get(f"/d/daily/{edition.id}").status_code == 404
    assert edition.id not in place.client.get("/d/daily").text
    assert edition.id not in place.client.get("/sitemap.xml").text
    assert edition.id not in place.client.get("/d/daily/feed.atom").text


def test_a_correction_stands_with_its_date_on_the_web_copy_and_the_hash_stays(place: Site) -> None:
    edition, database = publish(place), place.app.database
    before = load(place, edition.id)
    path, at = f"/d/daily/{edition.id}", datetime(2026, 11, 23, 9, tzinfo=UTC)
    first = place.client.get(path)
    add_correction(database, edition.id, "The ferry runs on *Monday*. <script>x</script>", by="Ana", now=at)
    add_correction(database, edition.id, "It has 300 seats.", by="Ana", now=at + timedelta(days=1))
    page = place.client.get(f"{path}?language=de")
    assert '<time datetime="2026-11-23">Berichtigung, Montag, 23. November 2026:</time>' in page.text
    assert "The ferry runs on <em>Monday</em>." in page.text
    assert "<script>x" not in page.text
    assert page.text.index("300 seats") < page.text.index("The ferry runs on <em>")
    assert place.client.get(path).headers["etag"] != first.headers["etag"]
    assert load(place, edition.id) == before


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.APPROVED, EditionState.CANCELLED])
def test_an_edition_that_was_not_sent_has_no_corrections(place: Site, state: EditionState) -> None:
    edition = publish(place, state=state)
    with pytest.raises(StateError, match="cannot be corrected on the web"):
        add_correction(place.app.database, edition.id, "No.", by="Ana", now=place.clock())
    with pytest.raises(EditRefusedError, match="between 1 and 5,000 characters"):
        add_correction(place.app.database, edition.id, " ", by="Ana", now=place.clock())
    assert corrections_of(place.app.database, edition.id) == ()


def load(place: Site, edition_id: str) -> EditionRecord:
    with place.app.database.read() as connection:
        return load_edition(connection, edition_id)


def test_an_edition_that_is_being_sent_can_be_read(place: Site) -> None:
    edition = publish(place, state=EditionState.SENDING)
    assert place.client.get(f"/d/daily/{edition.id}").status_code == 200
    assert f"/d/daily/{edition.id}" in place.client.get("/signup/daily").text


@pytest.mark.parametrize("path", ["/", "/signup/daily"])
def test_a_form_links_to_the_latest_edition_if_there_is_one(quick: Site, path: str) -> None:
    assert "Read the latest edition" not in quick.client.get(path).text
    publish(quick, 1)
    newest = publish(quick)
    publish(quick, -1, state=EditionState.APPROVED)
    page = quick.client.get(f"{path}?language=en").text
    look = r'<a href="([^"]+)">Read the latest edition<span class="unseen"> \((\w+)\)</span></a>'
    assert re.findall(look, page) == [(f"/d/daily/{newest.id}?language=en", "Daily")]
    assert 'href="/d/daily?language=en">All editions' in page
    assert "/d/weekend?" not in page


@pytest.mark.parametrize("state", [EditionState.SENT, EditionState.SKIPPED, EditionState.CANCELLED])
def test_an_edition_that_was_sent_early_or_cancelled_is_not_announced(
    place: Site, state: EditionState
) -> None:
    place.add()
    paths = ("/", "/signup/daily", place.preferences_link())
    for path in paths:
        assert re.search("[Nn]ext edition: Tuesday 07:00, Berlin", place.client.get(path).text)
    tuesday = datetime(2026, 11, 24, 6, tzinfo=UTC)
    edition = replace(sample_edition(), id="daily-2026-11-24", digest="daily", send_at=tuesday)
    steps = [EditionState.APPROVED, EditionState.SENDING, EditionState.SENT]
    with place.app.database.write() as connection:
        insert_edition(connection, edition)
        for step in steps if state is EditionState.SENT else [state]:
            advance(connection, edition.id, step, StepCause(at=place.clock(), by="Ana"))
    for path in paths:
        page = place.client.get(path).text
        assert re.search("[Nn]ext edition: Wednesday 07:00, Berlin", page)
        assert "Tuesday" not in page
    daily, _ = place.client.get("/api/v1/digests").json()
    assert daily["next_at"] == "2026-11-25T06:00:00Z"


def test_an_edition_is_found_only_under_its_own_digest(quick: Site) -> None:
    edition = publish(quick)
    assert quick.client.get(f"/d/weekend/{edition.id}").status_code == 404
    assert quick.client.get("/d/nightly").status_code == 404
    assert quick.client.get("/d/weekend").status_code == 200
    assert quick.client.get("/d/daily?before=nothing").status_code == 404


def test_the_archive_lists_all_editions_page_by_page(place: Site) -> None:
    editions = [publish(place, number) for number in range(35)]
    found: list[str] = []
    path = "/d/daily"
    while path:
        html = place.client.get(path).text
        found += re.findall(r'href="/d/daily/(daily-[^"]+)"', html)
        more = re.search(r'href="(\?before=[^"]+)"', html)
        path = f"/d/daily{more[1]}" if more else ""
    assert found == [edition.id for edition in editions]


def test_the_feed_is_a_valid_atom_feed(place: Site) -> None:
    editions = [publish(place, number) for number in range(3)]
    answer = place.client.get("/d/daily/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = feedparser.parse(io.BytesIO(answer.content))
    assert feed.version == "atom10"
    assert not feed.bozo
    assert [entry.link.rpartition("/")[2] for entry in feed.entries] == [each.id for each in editions]
    assert feed.feed.author == "Harbour Digest"


def test_an_archive_without_editions_says_so_and_has_a_valid_feed(quick: Site) -> None:
    assert "There are no editions yet" in quick.client.get("/d/daily").text
    assert not feedparser.parse(io.BytesIO(quick.client.get("/d/daily/feed.atom").content)).bozo


def test_the_sitemap_lists_all_public_pages(quick: Site) -> None:
    edition = publish(quick)
    text = quick.client.get("/sitemap.xml").text
    for path in ("/", "/signup/daily", "/d/weekend", f"/d/daily/{edition.id}"):
        assert f"<loc>https://digest.example.org{path}</loc>" in text
    robots = quick.client.get("/robots.txt").text
    for path in ("/u/", "/p/", "/c/", "/m/"):
        assert f"Disallow: {path}\n" in robots
    assert "Sitemap: https://digest.example.org/sitemap.xml" in robots


def test_opening_the_links_of_an_email_changes_nothing(place: Site) -> None:
    number = place.add()
    edition = publish(place)
    links = [
        f"/u/daily/{reader_token(SECRET, number, 'u:daily')}",
        f"/p/{reader_token(SECRET, number, 'p')}",
        f"/d/daily/{edition.id}",
        "/d/daily",
    ]
    before = place.reader(), place.history()
    for method in ("HEAD", "GET", "OPTIONS"):
        for link in links * 2:
            assert place.client.request(method, link).status_code in (200, 405)
    assert (place.reader(), place.history()) == before


def test_an_edition_has_labels_in_the_requested_language_and_unchanged_stories(
    place: Site,
) -> None:
    edition = publish(place)
    answer = place.client.get(f"/d/daily/{edition.id}?language=ar")
    assert answer.headers["content-language"] == "ar"
    assert '<html lang="ar" dir="rtl">' in answer.text
    assert '<main lang="en-GB" dir="ltr">' in answer.text
    assert words_for("ar")("Top story") in answer.text
    assert edition.lead is not None
    assert edition.lead.title in answer.text
    assert 'href="https://digest.example.org/d/daily?language=ar"' in answer.text
    assert '<a href="?language=de" lang="de" hreflang="de">Deutsch</a>' in answer.text


def test_an_edition_has_labels_in_the_browsers_language_and_caches_keep_them_apart(
    place: Site,
) -> None:
    path = f"/d/daily/{publish(place).id}"
    german = place.client.get(path, headers={"accept-language": "de-AT,en;q=0.5"})
    finnish = place.client.get(path, headers={"accept-language": "fi"})
    assert ("Top-Thema" in german.text, "Top story" in finnish.text) == (True, True)
    assert german.headers["vary"] == finnish.headers["vary"] == "Accept-Language, Accept-Encoding"
    assert german.headers["etag"] != finnish.headers["etag"]


def test_the_archive_marks_the_language_of_its_subjects(place: Site) -> None:
    edition = publish(place)
    html = place.client.get("/d/daily?language=de").text
    assert f'href="/d/daily/{edition.id}?language=de" dir="ltr" lang="en-GB"' in html
    assert "Sonntag, 22. November 2026" in html


def test_a_damaged_edition_hides_no_other_in_the_archive(place: Site) -> None:
    editions = [publish(place, number) for number in range(33)]
    with place.app.database.write() as connection:
        connection.execute(text("UPDATE editions SET snapshot = '{' WHERE id = :id"), {"id": editions[2].id})
    page = place.client.get("/d/daily").text
    shown = re.findall(r'href="/d/daily/([^"/]+)"', page) or re.findall(r"/d/daily/(daily-[0-9-]+)", page)
    assert editions[2].id not in shown
    assert set(shown) >= {editions[0].id, editions[1].id, editions[3].id, editions[30].id}
    assert f"before={editions[30].id}" in page
    assert place.client.get("/d/daily/feed.atom").status_code == 200
