from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from digest.app import Happening, Kind, Watch
from digest.app.editions import approve, find_edition
from digest.app.run import run_due
from digest.model import DeliveryState, EditionState, FeedReport
from digest.storage.outcomes import list_deliveries
from digest.storage.tables import editions
from tests.app.place import Place, at


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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
    assert place.mails() == {}
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 2 accepted"]
    mails = place.mails()
    assert {reader: titles(text) for reader, text in mails.items()} == {
        "ada": {"Ferry", "Tram", "Apples"},
        "bob": {"Apples"},
    }
    assert place.run("23 07:00") == []
    assert place.mails() == {}

    assert place.run("24 07:00") == [
        "daily-2026-11-24: composed: 1 story, to be sent Tue 24 Nov 2026 07:00 (UTC)",
        "daily-2026-11-24: sent: 1 accepted, 1 skipped",
    ]
    assert {reader: titles(text) for reader, text in place.mails().items()} == {"ada": {"Library"}}

    assert place.run("25 07:00") == ["daily: no edition: nothing new"]
    assert place.run("25 08:00") == []
    assert place.mails() == {}


def test_what_was_due_before_a_digest_began_is_not_made_up_for(place: Place) -> None:
    place.publish("Ferry")
    begun = "daily: begins now; its first edition is due Tue 24 Nov 2026 07:00 (UTC)"
    assert place.run("23 07:05") == [begun]
    place.subscribe("ada", now="23 08:00")
    assert place.run("23 09:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"


def test_a_digest_that_begins_at_its_very_time_is_on_time(place: Place) -> None:
    place.publish("Ferry")
    assert [line.split(": ")[1] for line in place.run("23 07:00")] == [
        "begins now; its first edition is due Mon 23 Nov 2026 07:00 (UTC)",
        "composed",
        "sent",
    ]


def test_an_edition_a_little_late_is_sent_late(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 10:59") == [
        "daily-2026-11-23: composed: 1 story, to be sent Mon 23 Nov 2026 07:00 (UTC)",
        "daily-2026-11-23: sent: 1 accepted",
    ]
    assert titles(place.mails()["ada"]) == {"Ferry"}


def test_after_a_long_outage_the_posts_are_carried(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", now="20 12:00")
    assert place.run("21 07:00")[-1] == "daily-2026-11-21: sent: 1 accepted"
    place.mails()
    place.publish("Tram", "Library")
    assert place.run("23 15:00") == [
        "daily: the edition due Sun 22 Nov 2026 07:00 (UTC) was missed; its posts are carried to the next",
        "daily: the edition due Mon 23 Nov 2026 07:00 (UTC) was missed; its posts are carried to the next",
    ]
    assert place.run("23 16:00") == []
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert titles(place.mails()["ada"]) == {"Tram", "Library"}


def test_an_edition_composed_before_an_outage_gives_its_posts_to_the_next(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    assert place.run("23 20:00") == [
        "daily-2026-11-23: skipped: it was too late to send it; its posts are carried to the next edition"
    ]
    assert place.run("24 07:00")[-1] == "daily-2026-11-24: sent: 1 accepted"
    assert titles(place.mails()["ada"]) == {"Ferry"}


def test_on_hold_an_edition_waits_for_approval_however_late(place: Place) -> None:
    place.change("schedule =", 'review = "hold"\nschedule =')
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: waiting: waits for approval"
    assert place.run("23 19:00") == ["daily-2026-11-23: waiting: waits for approval"]
    assert place.mails() == {}
    with place.app() as app:
        approve(app, "daily-2026-11-23", by="Ines", now=at("23 19:30"))
    assert place.run("23 19:31") == ["daily-2026-11-23: sent: 1 accepted"]
    assert set(place.mails()) == {"ada"}


def test_skipped_without_approval_the_posts_are_carried(place: Place) -> None:
    place.change("schedule =", 'review = "skip"\nschedule =')
    place.publish("Ferry")
    place.subscribe("ada")
    assert place.run("23 07:00")[-1] == "daily-2026-11-23: skipped: nobody approved it before its send time"
    place.publish("Tram")
    place.run("24 06:30")
    with place.app() as app:
        approve(app, "daily-2026-11-24", by="Ines", now=at("24 06:40"))
    assert place.run("24 07:00") == ["daily-2026-11-24: sent: 1 accepted"]
    assert titles(place.mails()["ada"]) == {"Ferry", "Tram"}


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
    now, said = at(start), list[Happening]()
    with place.app() as app:
        for hour in range(3 * 24):
            if hour % 6 == 0:
                place.publish(f"Number {hour}")
            run_due(app, Watch(clock=partial(_still, now), report=said.append))
            now += timedelta(hours=1)
    dates = [each.subject for each in said if each.kind is Kind.SENT]
    assert len(dates) == len(set(dates)) == 3


def test_two_that_ring_at_once_make_one_edition_and_one_mail_each(tmp_path: Path, database_url: str) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.publish("Ferry")
    names = [f"reader{number}" for number in range(40)]
    place.subscribe(*names)
    barrier = Barrier(3)

    def ring() -> None:
        with place.app() as app:
            barrier.wait()
            run_due(app, Watch(clock=lambda: at("23 07:00")))

    threads = [Thread(target=ring) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place.run("23 07:01")  # whoever was last may have left the closing to the next ring
    assert set(place.mails()) == set(names)
    with place.app() as app, app.database.read() as connection:
        found = list_deliveries(connection, "daily-2026-11-23")
        assert {(each.state, each.tries) for each in found} == {(DeliveryState.ACCEPTED, 1)}
        assert find_edition(app, "daily").edition.id == "daily-2026-11-23"
        assert find_edition(app, "daily").state is EditionState.SENT


def test_a_digest_that_cannot_be_sent_does_not_stop_the_others_and_goes_on_when_mended(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    (place.folder / "data").mkdir(exist_ok=True)
    (place.folder / "data/mail").write_text("not a folder")
    said = place.run("23 07:00")
    assert said[-1].startswith("daily-2026-11-23: failed: ")
    (place.folder / "data/mail").unlink()
    assert place.run("23 07:01") == ["daily-2026-11-23: sent: 1 accepted"]


def test_one_that_is_told_to_stop_leaves_the_rest(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    happenings: list[object] = []
    with place.app() as app:
        run_due(app, Watch(clock=lambda: at("23 07:00"), stop=lambda: True, report=happenings.append))
    assert [str(each) for each in happenings if "begins" not in str(each)] == []
    assert place.mails() == {}
    assert place.run("23 07:01")[-1] == "daily-2026-11-23: sent: 1 accepted"


def test_an_edition_whose_digest_was_taken_out_waits(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    place.change('slug = "daily"', 'slug = "morning"')
    said = place.run("23 07:00")
    assert "daily-2026-11-23: waiting: there is no digest 'daily' in config.toml any more" in said
    assert place.mails() == {}


def test_a_feed_that_fails_is_told_and_stops_nobody(place: Place) -> None:
    place.publish("Apples", feed="orchard")
    (place.folder / "gazette.json").unlink()
    place.subscribe("ada")
    reports: list[FeedReport] = []
    with place.app() as app:
        run_due(app, Watch(clock=lambda: at("23 07:00"), feed=reports.append))
    assert {report.feed: report.status for report in reports} == {
        "Harbour Gazette": "failed",
        "Orchard Notes": "ok",
    }
    assert set(place.mails()) == {"ada"}


def test_an_edition_whose_snapshot_is_damaged_does_not_keep_the_others_back(place: Place) -> None:
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
    happenings = place.run("23 07:01")
    assert happenings[0].startswith("daily-2026-11-23: failed: ")
    assert happenings[1] == "second-2026-11-23: sent: 1 accepted"
    assert set(place.mails()) == {"bob"}


def test_a_day_before_the_digest_was_first_seen_can_be_replayed(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", now="25 12:00")  # the list is imported today, and earlier days are replayed
    place.run("24 12:00")
    assert place.run("25 07:00")[-1] == "daily-2026-11-25: sent: 1 accepted"
    assert set(place.mails()) == {"ada"}


def test_an_edition_frozen_before_goes_before_feeds_are_asked(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 06:45")
    order: list[str] = []
    with place.app() as app:
        watch = Watch(
            clock=partial(_still, at("23 07:00")),
            report=lambda happening: order.append(happening.kind),
            feed=lambda report: order.append(report.feed),
        )
        run_due(app, watch)
    assert order[0] == Kind.SENT
    assert sorted(order[1:]) == ["Harbour Gazette", "Orchard Notes"]  # feeds are asked many at a time
