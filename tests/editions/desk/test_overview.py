"""The overview of the desk: how each digest stands, two weeks of dates, and skips that can be undone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest.editions.desk.calendar import Calendar, calendar_of
from digest.editions.desk.overview import DigestOverview, overview
from digest.editions.editions import approve, pause_edition
from digest.editions.outlook.phases import Phase, held_reason
from digest.editions.schedules import skip_date, unskip_date
from digest.model.errors import SkipError
from digest.readers.subscribers import remove_reader
from tests.scheduler.installation import Place, at

MONDAY = "daily-2026-11-23"
TUESDAY = date(2026, 11, 24)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.subscribe("ada", "ben")
    place.publish("Ferry returns", "Tram opens")
    place.publish("Apples", feed="orchard")
    return place


def daily(place: Place, now: str) -> DigestOverview:
    with place.app() as app:
        found = overview(app, at(now))
    assert found.attention == sum(each.needs_attention for each in found.digests)
    return found.digests[0]


def calendar(place: Place, now: str) -> Calendar:
    with place.app() as app:
        return calendar_of(app.database, app.config, "UTC", at(now))


def test_before_the_cutoff_a_digest_says_what_comes_and_what_waits(place: Place) -> None:
    place.run("22 20:00")
    found = daily(place, "22 20:00")
    assert found.editions == ()
    assert found.sentence == "Collects posts until tomorrow 06:30, then sends at 07:00 to 2 readers."
    assert found.posts.waiting == 3
    assert not found.needs_attention


def test_a_draft_says_when_it_goes_out_and_what_has_happened_to_its_posts(place: Place) -> None:
    place.run("23 06:30")
    (draft,) = daily(place, "23 06:36").editions
    assert draft.sentence == "Draft. Sends automatically at 07:00, in 24 minutes, to 2 readers."
    assert draft.contents.startswith("3 stories in 1 topic, led by “")
    assert draft.timeline is not None
    assert not daily(place, "23 06:36").needs_attention
    place.change('schedule = "every day at 07:00"', 'schedule = "every day at 07:00"\nreview = "skip"')
    found = daily(place, "23 06:36")
    assert found.editions[0].sentence.startswith("Draft. Needs approval by 07:00")
    assert found.needs_attention


def test_each_state_is_told_and_the_last_edition_stays_in_sight(place: Place) -> None:
    place.run("23 06:30")
    with place.app() as app:
        approve(app, MONDAY, by="Maren Kolb", now=at("23 06:41"))
    assert daily(place, "23 06:41").editions[0].sentence.startswith("Approved by Maren at 06:41.")
    with place.app() as app:
        pause_edition(app.database, MONDAY, reason=held_reason("Jonas Behr", "Wait"), now=at("23 06:44"))
    held = daily(place, "23 06:45")
    assert held.needs_attention
    assert held.editions[0].phase is Phase.HELD
    assert held.editions[0].sentence.startswith("Held by Jonas at 06:44: “Wait.”")


def test_after_the_sending_the_outcome_is_told(place: Place) -> None:
    place.run("23 06:30")
    place.run("23 07:00")
    found = daily(place, "23 07:10")
    assert found.editions == ()
    assert found.last is not None
    assert found.last.id == MONDAY
    assert (found.last.outcome, found.last.since) == ("2 of 2 delivered by 07:00", "")
    assert found.sentence.startswith("Collects posts until tomorrow 06:30")
    assert found.today == ""
    place.subscribe("cora", now="23 08:00")
    place.subscribe("dan", digest="daily", now="23 08:00")
    with place.app() as app:
        remove_reader(app, "ada@example.org", None, forget=False, now=at("23 08:10"))
    last = daily(place, "23 08:20").last
    assert last is not None
    assert last.since == "2 joined, 1 left"


def test_a_day_without_an_edition_says_why(place: Place) -> None:
    place.change('topics = ["green"]', 'topics = ["green"]\nminimum = 5')
    place.run("23 06:30")
    found = daily(place, "23 06:40")
    assert found.today.startswith("No edition today: ")
    assert found.today.endswith(".")


def test_a_skip_can_be_undone_until_its_time_and_the_edition_is_composed_then(place: Place) -> None:
    place.run("22 20:00")
    with place.app() as app:
        digest = app.config.digest("daily")
        skip_date(app.database, digest, date(2026, 11, 23), "Maren: Harbour Day", at("22 20:00"))
        skip_date(app.database, digest, TUESDAY, "Maren: Harbour Day", at("22 20:00"))
    found = calendar(place, "22 20:00")
    assert [(skip.day.day, skip.by, skip.reason) for skip in found.skips] == [
        (23, "Maren", "Harbour Day"),
        (24, "Maren", "Harbour Day"),
    ]
    days = [day for week in found.weeks for day in week]
    assert len(days) == 14
    assert days[0].is_today
    assert [day.day.day for day in days if any(entry.off for entry in day.entries)] == [23, 24]
    assert daily(place, "22 20:00").sentence.startswith("Collects posts until Wednesday 06:30")
    with place.app() as app:
        unskip_date(app.database, digest, date(2026, 11, 23), at("22 21:00"))
        with pytest.raises(SkipError, match="nobody has skipped that date"):
            unskip_date(app.database, digest, date(2026, 11, 23), at("22 21:00"))
        with pytest.raises(SkipError, match="or its time is over"):
            unskip_date(app.database, digest, TUESDAY, at("24 08:00"))
    place.run("23 06:30")
    assert daily(place, "23 06:36").editions[0].id == MONDAY
    assert [skip.day for skip in calendar(place, "23 06:36").skips] == [TUESDAY]


def test_a_draft_that_was_skipped_with_its_date_is_composed_anew_after_the_undo(place: Place) -> None:
    place.run("23 06:30")
    with place.app() as app:
        digest = app.config.digest("daily")
        assert skip_date(app.database, digest, date(2026, 11, 23), "Ida: storm", at("23 06:31")) == MONDAY
    assert daily(place, "23 06:32").today == "Today is skipped by Ida: storm."
    with place.app() as app:
        unskip_date(app.database, digest, date(2026, 11, 23), at("23 06:33"))
    place.run("23 06:34")
    (draft,) = daily(place, "23 06:36").editions
    assert draft.id != MONDAY
    assert draft.contents.startswith("3 stories")


def test_dates_that_the_file_skips_are_shown_without_a_way_to_undo_them_here(place: Place) -> None:
    place.change('topics = ["green"]', 'topics = ["green"]\nskip = [2026-11-25]')
    (skip,) = calendar(place, "22 20:00").skips
    assert skip.in_config
    assert skip.day == date(2026, 11, 25)


def today(place: Place, now: str) -> list[tuple[str, bool, str]]:
    entries = calendar(place, now).weeks[0][0].entries
    return [(entry.title, entry.off, entry.note) for entry in entries]


def test_today_shows_what_has_happened_and_no_time_before_the_digest_began(place: Place) -> None:
    place.run("22 08:00")
    assert today(place, "22 08:01") == []
    assert today(place, "23 06:00") == [("Daily", False, "")]
    place.run("23 06:30")
    assert today(place, "23 06:36") == [("Daily", False, "draft")]
    place.run("23 07:00")
    assert today(place, "23 07:01") == [("Daily", False, "sent")]
    place.run("24 06:30")
    assert today(place, "24 06:31") == [("Daily", True, "no edition")]
