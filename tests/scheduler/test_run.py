from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from digest.editions.editions import approve, find_edition
from digest.editions.edits.desk import be_present
from digest.model.deliveries import DeliveryState
from digest.model.editions import EditionState
from digest.model.posts import FeedReport
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.model.staff import Person, Role
from digest.scheduler.run import run_due
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.occurrences import STARTED
from digest.storage.tables.editions import editions
from digest.storage.tables.schedules import occurrences
from tests.scheduler.installation import Place, at, place_of

MISSED = "was missed; its posts are carried over to the next edition"
LATE = "it was too late to send it; its posts are carried over to the next edition"


@pytest.fixture(params=["here", "nodes"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request.param, tmp_path, request)


def _still(now: datetime) -> datetime:
    return now


def titles(text: str) -> set[str]:
    known = {"Ferry", "Tram", "Library", "Apples", "Hedge", "Museum"}
    return {title for title in known if title in text}


def test_a_week_is_replayed_day_by_day(tmp_path: Path, database_url: str) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.publish("Ferry", "Tram")
    place.publish("Apples", feed="orchard")
    place.subscribe("ada")
    place.subscribe("bob", topics="green")

    assert place.run("23 06:00") == []
    assert place.run("23 06:30") == [
        "daily-2026-11-23: composed: 3 stories, to be sent Mon 23 Nov 2026 07:00 (UTC)"
    ]
    place.publish("Library")  # after the cutoff: it is for the next day
    assert place.emails() == {}
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 2 accepted"]
    emails = place.emails()
    assert {reader: titles(text) for reader, text in emails.items()} == {
        "ada": {"Ferry", "Tram", "Apples"},
        "bob": {"Apples"},
    }
    assert place.run("23 07:00") == []
    assert place.emails() == {}

    assert place.run("24 07:00") == [
        "daily-2026-11-24: composed: 1 story, to be sent Tue 24 Nov 2026 07:00 (UTC)",
        "daily-2026-11-24: sent: 1 accepted, 1 skipped",
    ]
    assert {reader: titles(text) for reader, text in place.emails().items()} == {"ada": {"Library"}}

    assert place.run("25 07:00") == ["daily: no edition: there are no new posts"]
    assert place.run("25 08:00") == []
    assert place.emails() == {}


def test_a_date_whose_edition_has_gone_out_gets_no_other_if_nobody_has_recorded_that(place: Place) -> None:
    """A process can die, or lose the database, between saving the edition and recording its date."""
    place.change("topics =", "maximum = 1\ntopics =")
    place.publish("Ferry", "Tram")
    place.subscribe("ada")
    place.run("23 06:00")
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: sent: 1 accepted"
    assert set(place.emails()) == {"ada"}
    with place.app() as app, app.database.write() as connection:
        connection.execute(update(occurrences).values(outcome=STARTED))
    assert place.run("23 07:06") == ["daily: no edition: there is already daily-2026-11-23 (sent)"]
    assert place.emails() == {}
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"


def test_dates_before_a_digest_starts_are_not_made_up_for(place: Place) -> None:
    place.publish("Ferry")
    begun = "daily: starts now; its first edition is due Tue 24 Nov 2026 07:00 (UTC)"
    assert place.run("23 07:05") == [begun]
    place.subscribe("ada", now="23 08:00")
    assert place.run("23 09:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"


def test_a_digest_that_starts_exactly_at_its_send_time_is_on_time(place: Place) -> None:
    place.publish("Ferry")
    assert [line.split(": ")[1] for line in place.run("23 07:00")] == [
        "starts now; its first edition is due Mon 23 Nov 2026 07:00 (UTC)",
        "composed",
        "sent",
    ]


def test_an_edition_that_is_a_little_late_is_sent_late(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 10:59") == [
        "daily-2026-11-23: composed: 1 story, to be sent Mon 23 Nov 2026 07:00 (UTC)",
        "daily-2026-11-23: sent: 1 accepted",
    ]
    assert titles(place.emails()["ada"]) == {"Ferry"}


def test_after_a_long_outage_the_posts_are_carried_over(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", now="20 12:00")
    assert place.run("21 07:00")[-1] == "daily-2026-11-21: sent: 1 accepted"
    place.emails()
    place.publish("Tram", "Library")
    assert place.run("23 15:00") == [
        f"daily: the edition due Sun 22 Nov 2026 07:00 (UTC) {MISSED}",
        f"daily: the edition due Mon 23 Nov 2026 07:00 (UTC) {MISSED}",
    ]
    assert place.run("23 16:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert titles(place.emails()["ada"]) == {"Tram", "Library"}


def test_an_edition_composed_before_an_outage_gives_its_posts_to_the_next(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    assert place.run("23 20:00") == [f"daily-2026-11-23: skipped: {LATE}"]
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert titles(place.emails()["ada"]) == {"Ferry"}


def test_on_hold_an_edition_waits_for_approval_however_late_it_is(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: waiting: waits for approval"
    assert place.run("23 19:00") == ["daily-2026-11-23: waiting: waits for approval"]
    assert place.emails() == {}
    with place.app() as app:
        approve(app, "daily-2026-11-23", by="Ines", now=at("23 19:30"))
    assert place.run("23 19:31") == ["daily-2026-11-23: sent: 1 accepted"]
    assert set(place.emails()) == {"ada"}


def test_a_draft_waits_at_its_send_time_for_somebody_with_unsaved_text(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:30")
    jonas = Person(id="jonas", name="Jonas Wieck", address="jonas@staff.test", role=Role.EDITOR)
    for minute in ("06:59", "07:02"):
        with place.app() as app:
            be_present(app.database, "daily-2026-11-23", jonas, at(f"23 {minute}"), place="", unsaved=True)
        if minute == "06:59":
            waits = "waits a few minutes for the unsaved edits of Jonas"
            assert place.run("23 07:00") == [f"daily-2026-11-23: waiting: {waits}"]
    assert place.run("23 07:03") == ["daily-2026-11-23: sent: 1 accepted"]


def test_posts_of_an_edition_skipped_without_approval_are_carried_over(place: Place) -> None:
    place.change("schedule =", 'review = "skip"\nschedule =')
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: skipped: nobody approved it before its send time"
    place.publish("Tram")
    place.run("24 06:30")
    with place.app() as app:
        approve(app, "daily-2026-11-24", by="Ines", now=at("24 06:40"))
    assert place.run("24 07:00") == ["daily-2026-11-24: sent: 1 accepted"]
    assert titles(place.emails()["ada"]) == {"Ferry", "Tram"}


@pytest.mark.parametrize(
    ("zone", "schedule", "start"),
    [
        ("Europe/Berlin", "every day at 02:30", "2026-03-28T12:30"),  # left out on the 29th
        ("Europe/Berlin", "every day at 02:30", "2026-10-24T12:30"),  # comes twice on the 25th
        ("Africa/Cairo", "every day at midnight", "2026-04-23T12:30"),
        ("America/Santiago", "every day at midnight", "2026-09-05T12:30"),
    ],
)
def test_a_change_of_clocks_gives_one_edition_a_day(
    place: Place, zone: str, schedule: str, start: str
) -> None:
    place.change('schedule = "every day at 07:00"', f'schedule = "{schedule}"\nzone = "{zone}"')
    now, said = at(start), list[RunEvent]()
    with place.app() as app:
        for hour in range(3 * 24):
            if hour % 6 == 0:
                place.publish(f"Number {hour}")
            run_due(app, RunContext(clock=partial(_still, now), report=said.append))
            now += timedelta(hours=1)
    dates = [each.subject for each in said if each.kind is EventKind.SENT]
    assert len(dates) == len(set(dates)) == 3


def test_runs_at_the_same_time_make_one_edition_and_one_email_each(tmp_path: Path, database_url: str) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.publish("Ferry")
    names = [f"reader{number}" for number in range(40)]
    place.subscribe(*names)
    barrier = Barrier(3)

    def start_run() -> None:
        with place.app() as app:
            barrier.wait()
            run_due(app, RunContext(clock=lambda: at("23 07:00")))

    threads = [Thread(target=start_run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place.run("23 07:01")  # the last run may have left closing the edition to the next one
    assert set(place.emails()) == set(names)
    with place.app() as app, app.database.read() as connection:
        found = list_deliveries(connection, "daily-2026-11-23")
        assert {(each.state, each.tries) for each in found} == {(DeliveryState.ACCEPTED, 1)}
        assert find_edition(app.database, app.config, "daily").edition.id == "daily-2026-11-23"
        assert find_edition(app.database, app.config, "daily").state is EditionState.SENT


def test_an_edition_that_failed_is_sent_after_the_cause_is_fixed(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    (place.folder / "data").mkdir(exist_ok=True)
    (place.folder / "data/mail").write_text("not a folder")
    said = place.run("23 07:00")
    assert said[-1].startswith("daily-2026-11-23: failed: ")
    (place.folder / "data/mail").unlink()
    assert place.run("23 07:01") == ["daily-2026-11-23: sent: 1 accepted"]


def test_a_run_that_must_stop_leaves_the_rest(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    events: list[object] = []
    with place.app() as app:
        run_due(app, RunContext(clock=lambda: at("23 07:00"), stop=lambda: True, report=events.append))
    assert [str(each) for each in events if "starts now" not in str(each)] == []
    assert place.emails() == {}
    assert place.run("23 07:01")[-1] == "daily-2026-11-23: sent: 1 accepted"


def test_an_edition_of_a_removed_digest_waits(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    place.change('slug = "daily"', 'slug = "morning"')
    said = place.run("23 07:00")
    assert "daily-2026-11-23: waiting: digest 'daily' is not in config.toml any more" in said
    assert place.emails() == {}


def test_a_feed_that_fails_is_reported_and_does_not_stop_the_others(place: Place) -> None:
    place.publish("Apples", feed="orchard")
    (place.folder / "gazette.json").unlink()
    place.subscribe("ada")
    reports: list[FeedReport] = []
    with place.app() as app:
        run_due(app, RunContext(clock=lambda: at("23 07:00"), feed=reports.append))
    assert {report.feed: report.status for report in reports} == {
        "Harbour Gazette": "failed",
        "Orchard Notes": "ok",
    }
    assert set(place.emails()) == {"ada"}


def test_an_edition_with_a_damaged_snapshot_does_not_stop_the_others(place: Place) -> None:
    evening = place.config_path.read_text("utf-8").partition("[[digest]]")[2]
    evening = evening.replace('"daily"', '"second"').replace("07:00", "07:01")
    place.configure(f"{place.config_path.read_text('utf-8')}\n[[digest]]{evening}")
    place.publish("Ferry")
    place.subscribe("ada")
    place.subscribe("bob", digest="second")
    place.run("23 06:45")
    with place.app() as app, app.database.write() as connection:
        connection.execute(
            update(editions).where(editions.c.digest == "daily").values(snapshot=editions.c.snapshot + " ")
        )
    events = place.run("23 07:01")
    assert events[0].startswith("daily-2026-11-23: failed: ")
    assert events[1] == "second-2026-11-23: sent: 1 accepted"
    assert set(place.emails()) == {"bob"}


def test_a_day_before_the_digest_was_first_seen_can_be_replayed(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", now="25 12:00")  # the list is imported today, and earlier days are replayed
    place.run("24 12:00")
    assert place.run("25 07:00")[-1] == "daily-2026-11-25: sent: 1 accepted"
    assert set(place.emails()) == {"ada"}


def test_a_frozen_edition_is_sent_before_feeds_are_fetched(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    order: list[str] = []
    with place.app() as app:
        context = RunContext(
            clock=partial(_still, at("23 07:00")),
            report=lambda event: order.append(event.kind),
            feed=lambda report: order.append(report.feed),
        )
        run_due(app, context)
    assert order[0] == EventKind.SENT
    assert sorted(order[1:]) == [
        "Harbour Gazette",
        "Orchard Notes",
    ]  # fetched at the same time


def test_a_date_to_skip_has_no_edition_and_its_posts_wait(place: Place) -> None:
    place.change("schedule =", "skip = [2026-11-23]\nschedule =")
    place.publish("Ferry")
    place.subscribe("ada")
    said = "the edition due Mon 23 Nov 2026 07:00 (UTC): skip in config.toml"
    events = place.run("23 07:00")
    assert events[-1] == f"daily: skipped: {said}; its posts wait for the next edition"
    assert place.run("23 08:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert titles(place.emails()["ada"]) == {"Ferry"}
