"""The pictures of an edition are settled in the time of its run, and again if a publisher edits a post."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow

from digest.app import App
from digest.editions.archive import forget_unused_pictures, read_picture
from digest.editions.compose import picture_time, settle_posts
from digest.editions.editions import compose_now
from digest.editions.edits.correct import changes_since, correct
from digest.editions.feeds import collect_due
from digest.model.editions import EditionRecord
from digest.model.links import is_copy
from digest.model.run_context import RunContext
from digest.scheduler.composing import compose_due
from digest.storage.editions.records import load_edition
from digest.storage.posts import recent_posts
from tests.collect.servers import Answer, Site, serving
from tests.scheduler.installation import Place, at

BASE = "https://digest.example.org"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.change("[site]", '[collect]\nallow_hosts = ["127.0.0.1"]\n\n[site]')
    return place


def drawn(width: int) -> Answer:
    file = io.BytesIO()
    Pillow.linear_gradient("L").resize((width, 600)).save(file, "JPEG")
    return Answer(body=file.getvalue())


def show(place: Place, page: str, image: str, text: str = "It runs every hour.") -> None:
    """Write the feed with one post, which is always the same one."""
    item = {"id": "1", "url": page, "title": "Ferry", "content_text": text, "image": image}
    document = {"version": "https://jsonfeed.org/version/1.1", "title": "Gazette", "items": [item]}
    (place.folder / "gazette.json").write_text(json.dumps(document), encoding="utf-8")


def collected(app: App, now: str) -> None:
    collect_due(app.database, app.config, RunContext(clock=lambda: at(now)), force=True)


def now_of(app: App, record: EditionRecord) -> EditionRecord:
    with app.database.read() as connection:
        return load_edition(connection, record.edition.id)


def picture(record: EditionRecord) -> str:
    (story,) = record.edition.stories()
    return story.image.url if story.image else ""


def test_an_edit_keeps_the_copy_until_there_is_another_picture_which_is_inspected(
    place: Place, site: Site
) -> None:
    page = site.url("/ferry")
    first, second = (site.put(f"/{width}.jpg", drawn(width)) for width in (900, 800))
    site.answers |= {"/900.jpg?size=2": drawn(900)}
    show(place, page, first)
    with place.app() as app:
        collected(app, "22 12:00")
        record = compose_now(app, "daily", at("22 12:01")).record
        assert record is not None
        copy = picture(record)
        assert is_copy(copy, BASE)
        show(place, page, f"{first}?size=2", "It runs twice an hour.")
        collected(app, "22 13:00")
        (change,) = correct(app, record.edition.id, at("22 13:01"))
        assert change.text.endswith("has changed since the cutoff: text")
        assert picture(now_of(app, record)) == copy
        show(place, page, second, "It runs by night.")
        collected(app, "22 14:00")
        (change,) = changes_since(app.database, now_of(app, record))
        assert change.text.endswith("has changed since the cutoff: text, picture")
        correct(app, record.edition.id, at("22 14:01"))
        other = picture(now_of(app, record))
        assert is_copy(other, BASE)
        assert other != copy
        assert changes_since(app.database, now_of(app, record)) == ()


def test_a_new_picture_that_is_none_is_not_taken_into_an_edition(place: Place, site: Site) -> None:
    page, first = site.url("/pier"), site.put("/pier.jpg", drawn(700))
    show(place, page, first)
    with place.app() as app:
        collected(app, "22 12:00")
        record = compose_now(app, "daily", at("22 12:01")).record
        assert record is not None
        show(place, page, site.url("/missing.jpg"), "It is repaired.")
        collected(app, "22 13:00")
        correct(app, record.edition.id, at("22 13:01"))
        assert picture(now_of(app, record)) == ""


def test_pictures_are_not_waited_for_when_the_run_must_stop(place: Place, site: Site) -> None:
    place.run("22 12:00")
    show(place, site.url("/silent"), site.put("/silent.jpg", Answer(silent=True)))
    before = len(site.asked)
    with place.app() as app:
        collected(app, "22 12:30")
        context = RunContext(clock=lambda: at("23 06:50"), stop=lambda: len(site.asked) > before)
        assert compose_due(app, context, collect_first=False)
        with app.database.read() as connection:
            (row,) = recent_posts(connection, 9)
    assert [state for _, state, _ in row.states] == ["reserved"]
    # After the silence of the picture, its page would have been asked.
    assert [path for path, _ in site.asked[before:]] == ["/silent.jpg"]


def test_the_time_for_pictures_is_over_when_the_run_must_stop() -> None:
    assert not picture_time()()
    assert picture_time(lambda: True)()


def test_an_error_in_settling_pictures_costs_no_edition_and_is_logged_without_addresses(
    place: Place, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    address = site.url("/error.jpg?token=tide")
    show(place, site.url("/error"), address)

    def stop() -> bool:
        raise ValueError(address)

    with place.app() as app, caplog.at_level(logging.ERROR):
        collected(app, "22 12:00")
        with app.database.read() as connection:
            (row,) = recent_posts(connection, 9)
        settle_posts(app, [row.post.id], stop, at("22 12:01"))
        assert compose_now(app, "daily", at("22 12:02")).record
    assert "ValueError while settling pictures" in caplog.text
    assert "tide" not in caplog.text


def test_cleaning_up_deletes_what_no_edition_shows(place: Place, site: Site) -> None:
    show(place, site.url("/kept"), site.put("/kept.jpg", drawn(640)))
    with place.app() as app:
        collected(app, "22 12:00")
        record = compose_now(app, "daily", at("22 12:01")).record
        assert record is not None
        for day in ("2026-12-25 07:00", "2027-01-29 07:00"):
            forget_unused_pictures(app.database, at(day))
        assert is_copy(picture(now_of(app, record)), BASE)
        name = picture(record).rpartition("/")[2]
        assert read_picture(app.database, name)
