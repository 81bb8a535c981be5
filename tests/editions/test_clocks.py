"""A clock that was wrong once does not silence a digest, repeats nothing, and is reported."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from digest.check.check import check_all
from digest.editions.clocks import release_ahead
from digest.editions.editions import compose_now, find_edition
from digest.editions.schedules import next_times
from digest.editions.send import send_by_hand
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.run_context import RunContext
from digest.scheduler.run import run_due
from digest.storage.ledger.slices import cut
from digest.storage.posts import waiting_posts
from digest.storage.tables.deliveries import deliveries
from digest.storage.tables.editions import editions
from digest.storage.tables.posts import feeds, posts
from digest.storage.tables.schedules import occurrences, schedules
from subscribers.store.tables import subscribers
from tests.scheduler.installation import Place, at

AHEAD = "2027-05-23 "  # half a year later


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Place:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.publish("Ferry")
    place.subscribe("ada")
    return place


def test_after_a_run_with_a_clock_half_a_year_ahead_the_digest_goes_on_at_once(place: Place) -> None:
    place.run("22 12:00")
    assert place.run(f"{AHEAD}06:30")[-1].startswith("daily-2027-05-23: composed: 1 story")
    place.publish("Tram")
    said = place.run("23 06:30")
    assert said[0] == (
        "clock: the database has rows of 2027-05-23 06:30 UTC, but the clock says 2026-11-23 06:30 UTC; they"
        " are not believed: feeds due again: 2; dates to be composed again: 2; skipped, because the clock was"
        " ahead when they were made: daily-2027-05-23"
    )
    assert said[-1] == "daily-2026-11-23: composed: 2 stories, to be sent Mon 23 Nov 2026 07:00 (UTC)"
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 1 accepted"]
    assert set(place.emails()) == {"ada"}
    # When that day really comes, it has an edition.
    place.run("2027-05-22 08:00")
    place.publish("Library")
    assert place.run(f"{AHEAD}07:00")[-1] == "daily-2027-05-23-2: sent: 1 accepted"


def test_a_first_run_with_a_clock_ahead_does_not_silence_the_digest(place: Place) -> None:
    place.run(f"{AHEAD}06:00")
    place.run("23 06:30")
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 1 accepted"]
    assert place.run("23 07:05") == []


def test_an_edition_that_was_being_sent_with_a_clock_ahead_goes_on_now(place: Place) -> None:
    place.run("22 12:00")
    place.run(f"{AHEAD}06:30")
    later = at(f"{AHEAD}07:00")
    with place.app() as app, app.database.write() as connection:
        connection.execute(update(editions).values(state=EditionState.SENDING, started_at=later))
        row = {"edition_id": "daily-2027-05-23", "subscriber_id": connection.scalar(select(subscribers.c.id))}
        row |= {"variant": "", "state": DeliveryState.DEFERRED, "due_at": later, "changed_at": later}
        connection.execute(deliveries.insert().values(row))
        cut(connection, "daily-2027-05-23", size=1, now=later)
    said = place.run("23 06:00")
    assert "daily-2027-05-23: sent: 1 accepted" in said
    assert set(place.emails()) == {"ada"}


def test_an_edition_sent_with_a_clock_two_hours_ahead_is_not_followed_by_another(place: Place) -> None:
    place.run("22 12:00")
    place.run("23 06:30")
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 1 accepted"]  # it was 5 o'clock
    place.publish("Tram")
    assert "clock: " in place.run("23 05:00")[0]
    assert place.run("23 06:40") == []
    assert place.run("23 07:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"


def test_a_clock_that_is_behind_is_reported_and_nothing_is_released(place: Place) -> None:
    def dated(number: int) -> dict[str, object]:
        return {
            "id": str(number),
            "title": f"Story {number}",
            "url": f"https://gazette.example.org/{number}",
            "date_published": f"2026-11-2{number}T05:00:00Z",
        }

    items = [dated(number) for number in (1, 2, 3)]
    (place.folder / "gazette.json").write_text(
        json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Gazette", "items": items})
    )
    place.run("22 12:00")
    place.run("23 06:30")
    before = _rows(place)
    said = place.run("2020-01-01 06:00")
    assert said[0].startswith("clock: the database has rows of 2026-11-23 06:30 UTC")
    assert said[0].endswith("were published after that time, so set the clock of this machine right")
    assert _rows(place) == before
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: sent: 1 accepted"


def test_a_first_run_in_1970_is_followed_by_one_sentence(place: Place) -> None:
    place.run("1970-01-01 00:02")
    said = [each for each in place.run("23 12:00") if "missed" in each]
    assert len(said) == 1
    assert said[0].startswith("daily: 20,781 editions due between Thu 01 Jan 1970 07:00 (UTC) and")
    assert place.run("23 12:01") == []


def test_check_names_the_date_that_the_scheduler_uses_and_reports_rows_ahead(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.publish("Ferry")
    place.run("22 12:00")
    with place.app() as app:
        compose_now(app, "daily", at("22 12:00"))
        early = find_edition(app.database, app.config, "daily")
        send_by_hand(app, early, RunContext(clock=lambda: at("22 12:01")))
        assert next_times(app.database, app.config, at("22 13:00"))["daily"] == at("24 07:00")
    found = _found(place, "22 13:00")
    assert "next on Tue 24 Nov 2026 at 07:00" in found["digest daily"]
    assert "clock" not in found
    place.run(f"{AHEAD}06:30")
    found = _found(place, "23 07:30")
    assert "the database has rows of 2027-05-23 06:30 UTC" in found["clock"]
    assert "next on Tue 24 Nov 2026 at 07:00" in found["digest daily"]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.sampled_from(["feeds", "occurrences", "schedules", "posts", "editions"]),
    ahead=st.timedeltas(timedelta(hours=2), timedelta(days=900)),
)
def test_no_row_ahead_of_the_clock_silences_the_digest(
    table: str, ahead: timedelta, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path_factory.mktemp("place"))
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("22 12:00")
    wrong = at("22 12:00") + ahead
    with place.app() as app, app.database.write() as connection:
        if table == "feeds":
            connection.execute(update(feeds).values(last_fetch_at=wrong, next_fetch_at=wrong))
        if table == "schedules":
            connection.execute(update(schedules).values(seen_at=wrong))
        if table == "posts":
            connection.execute(update(posts).values(first_seen_at=wrong))
        if table == "occurrences":
            day = at("23 07:00")
            row = {"schedule": "compose:daily", "local_date": day.date(), "due_at": day}
            connection.execute(occurrences.insert().values(row | {"done_at": wrong, "outcome": "missed"}))
    if table == "editions":
        with place.app() as app:
            run_due(app, RunContext(clock=lambda: wrong))
            place.emails()
    place.publish("Tram")
    place.run("22 12:30")
    place.run("23 06:30")
    assert place.run("23 07:00")[-1].startswith("daily-2026-11-23")
    assert set(place.emails()) == {"ada"}
    with place.app() as app:
        assert release_ahead(app.database, at("23 07:00")) == ()


def _rows(place: Place) -> list[object]:
    with place.app() as app, app.database.read() as connection:
        found = [connection.execute(select(table)).all() for table in (occurrences, posts, editions)]
        return [*found, waiting_posts(connection, "daily")]


def _found(place: Place, now: str) -> dict[str, str]:
    return {each.subject: each.detail for each in check_all(place.config_path, place.environ, at(now))}
