"""Each edition, daily or weekly: readers can choose where the publisher offers it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from digest.model.editions import EditionState, StepCause
from digest.readers.data import export_data
from digest.storage.database import Database
from digest.storage.editions.drafts import insert_edition
from digest.storage.editions.steps import advance
from subscribers.model import Frequency
from tests.accessibility import faults_of
from tests.web.site import CONFIG, Site, link_in, open_site, text_of
from tests.web.test_api import asked
from tests.web.test_archive import publish
from tests.web.test_in_a_browser import SMALL_TEXT, Visit
from tests.web.test_in_a_browser import visit as visit
from tests.web.test_preferences import SAVED

GATHERED = CONFIG.replace(
    'slug = "daily"\n',
    'slug = "daily"\ngather = { daily = "every day at 18:00", weekly = "mondays at 08:00" }\n',
)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Site:
    return open_site(database, tmp_path, GATHERED)


@pytest.fixture
def quick(sqlite: Database, tmp_path: Path) -> Site:
    return open_site(sqlite, tmp_path, GATHERED)


def chosen(place: Site, address: str = "ada@example.org", digest: str = "daily") -> Frequency:
    subscription = place.reader(address).subscription(digest)
    assert subscription is not None
    return subscription.preferences.frequency


def test_a_reader_chooses_a_frequency_and_sees_the_next_edition(place: Site) -> None:
    place.add()
    page = place.client.get(place.preferences_link()).text
    assert '<select id="frequency-daily"' in page
    assert "Once a week · Mondays at 08:00" in page
    assert '<select id="frequency-weekend"' not in page
    assert "Next edition: Tuesday 07:00, Berlin" in page
    link = place.preferences_link()
    page = place.client.post(link, data={**SAVED, "frequency.daily": "weekly"}).text
    assert '<option value="weekly" selected>' in page
    assert "Next edition: Mon, Nov 30 08:00, Berlin" in page
    assert chosen(place) is Frequency.WEEKLY
    page = place.client.post(link, data={**SAVED, "frequency.daily": "weekly", "hour.daily": "20:30"}).text
    assert "Next edition: Mon, Nov 30 20:30, Berlin" in page  # today's was addressed before
    page = place.client.post(link, data={**SAVED, "frequency.daily": "each"}).text
    assert "Next edition: Tuesday 07:00, Berlin" in page
    assert chosen(place) is Frequency.EACH


def test_a_frequency_that_is_not_offered_is_refused(quick: Site) -> None:
    quick.add()
    for wrong in ({"frequency.weekend": "weekly"}, {"frequency.daily": "hourly"}):
        answer = quick.client.post(quick.preferences_link(), data={**SAVED, **wrong})
        assert answer.status_code == 422
        assert "this choice is not offered" in answer.text
        assert quick.fill_in({"digest": ["daily", "weekend"], **wrong}).status_code == 422
    assert chosen(quick) is chosen(quick, digest="weekend") is Frequency.EACH


def test_pages_do_not_mention_frequencies_that_are_not_offered(sqlite: Database, tmp_path: Path) -> None:
    plain = open_site(sqlite, tmp_path)
    plain.add()
    for path in ("/", "/signup/daily", plain.preferences_link()):
        assert "frequency" not in plain.client.get(path).text


def test_a_frequency_that_is_no_longer_offered_is_kept_and_means_each_edition(
    sqlite: Database, tmp_path: Path
) -> None:
    before = open_site(sqlite, tmp_path, GATHERED)
    before.add()
    before.client.post(before.preferences_link(), data={**SAVED, "frequency.daily": "weekly"})
    after = open_site(sqlite, tmp_path)
    assert (
        "Next edition: Tuesday 07:00, Berlin" in after.client.post(after.preferences_link(), data=SAVED).text
    )
    assert chosen(after) is Frequency.WEEKLY


def test_the_form_offers_frequencies_and_the_email_says_when(place: Site) -> None:
    page = place.client.get("/signup/daily").text
    assert "Once a day · Every day at 18:00" in page
    place.fill_in({"frequency.daily": "weekly"})
    place.settle()
    message = place.emails()[0]
    assert "Mondays at 08:00" in text_of(message)
    place.client.post(link_in(message, "c"))
    assert chosen(place, "eve@example.org") is Frequency.WEEKLY


def test_a_form_with_a_mistake_comes_back_with_the_frequency(quick: Site) -> None:
    page = quick.fill_in({"frequency.daily": "weekly", "address": "eve"}).text
    assert '<option value="weekly" selected>' in page


def test_the_second_page_keeps_the_frequency(quick: Site) -> None:
    body = f"address={quote('eve@example.org')}&digest=daily&frequency.daily=weekly"
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "https://port.example.org"}
    page = quick.client.post("/signup", content=body, headers=headers).text
    assert '<input type="hidden" name="frequency.daily" value="weekly">' in page


def test_the_api_offers_accepts_and_shows_frequencies(place: Site) -> None:
    found = {each["slug"]: each["frequencies"] for each in place.client.get("/api/v1/digests").json()}
    assert found == {"daily": ["each", "daily", "weekly"], "weekend": ["each"]}
    wanted = [{"digest": "daily", "frequency": "weekly"}]
    assert place.client.post("/api/v1/signups", json=asked(place, digests=wanted)).status_code == 202
    place.settle()
    place.client.post(link_in(place.emails()[0], "c"))
    assert chosen(place, "eve@example.org") is Frequency.WEEKLY
    wrong = [{"digest": "weekend", "frequency": "weekly"}]
    assert place.client.post("/api/v1/signups", json=asked(place, digests=wrong)).status_code == 422


def test_the_frequency_is_in_a_readers_data(quick: Site) -> None:
    quick.add(digests=("daily",))
    quick.client.post(
        quick.preferences_link(), data={**SAVED, "digest": ["daily"], "frequency.daily": "weekly"}
    )
    digests = export_data(quick.app.database, quick.reader())["digests"]
    assert [each["frequency"] for each in digests] == ["weekly"]  # type: ignore[attr-defined]  # made for JSON


def test_a_gathered_edition_is_in_the_archive_and_the_digest_keeps_its_title(quick: Site) -> None:
    own = publish(quick)
    week = replace(
        own, id="daily-weekly-2026-11-30", title="The week in Daily", send_at=own.send_at + timedelta(days=7)
    )
    with quick.app.database.write() as connection:
        insert_edition(connection, week, Frequency.WEEKLY)
        for state in (EditionState.APPROVED, EditionState.SENDING):
            advance(connection, week.id, state, StepCause(at=quick.clock()))
    archive = quick.client.get("/d/daily").text
    assert archive.index(f"/d/daily/{week.id}") < archive.index(f"/d/daily/{own.id}")
    assert "<h1" in archive
    assert "The week in" not in archive.partition("</h1>")[0]
    page = quick.client.get(f"/d/daily/{week.id}").text
    assert "The week in Daily" in page
    assert "https://digest.example.org/signup/daily" in page
    assert "https://digest.example.org/d/daily/feed.atom" in page
    assert f"<title>{own.title} – " in quick.client.get("/d/daily/feed.atom").text
    assert f'href="/d/daily/{own.id}"' in quick.client.get("/signup/daily").text  # the latest edition


@pytest.mark.parametrize("width", [360, 1000])
def test_pages_with_frequencies_are_accessible(visit: Visit, width: int) -> None:
    visit.place.add()
    faults = {}
    paths = {
        "all": "/",
        "one": "/signup/daily",
        "preferences": visit.place.preferences_link(),
        "arabic": f"{visit.place.preferences_link()}?lang=ar",
    }
    with visit.open("/", width=width) as page:
        for name, path in paths.items():
            page.goto(visit.base + path)
            for details in page.locator("details").all():
                details.evaluate("element => { element.open = true }")
            wide = page.evaluate("document.documentElement.scrollWidth") > width
            faults[name] = (faults_of(page), wide, page.evaluate(SMALL_TEXT))
    assert faults == dict.fromkeys(faults, ([], False, []))
