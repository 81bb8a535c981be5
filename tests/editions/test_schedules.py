"""A changed schedule counts from the moment it is first seen: nobody is mailed twice, and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from digest.editions.editions import cancel, compose_now
from digest.editions.schedules import begin_digests, next_times
from digest.model.run_context import RunContext, RunEvent
from digest.storage.tables.schedules import schedules
from tests.scheduler.installation import Place, at

DAILY = 'schedule = "every day at 07:00"'
WEEKLY = 'schedule = "mondays at 07:00"'  # 23 November 2026 is one
EARLIER = 'schedule = "every day at 06:00"'
LATER = 'schedule = "every day at 09:00"'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.subscribe("ada", now="20 12:00")
    return place


def stories(place: Place) -> list[str]:
    """Return the stories of this module that are in the email to Ada, and delete the email."""
    emails = place.emails()
    words = emails.pop("ada", "").replace("\n", " ").split()
    assert emails == {}
    return sorted({word for word in words if word.startswith("Story-")})


def changed(due: str) -> str:
    return f"daily: has a changed schedule; its next edition is due {due}"


def test_after_a_change_from_weekly_to_daily_no_earlier_date_is_missed(place: Place) -> None:
    place.change(DAILY, WEEKLY)
    place.publish("Story-a")
    place.run("22 12:00")
    place.run("23 07:00")
    assert stories(place) == ["Story-a"]
    place.publish("Story-b")
    place.change(WEEKLY, DAILY)
    assert place.run("26 12:00") == [changed("Fri 27 Nov 2026 07:00 (UTC)")]
    assert place.run("27 07:00")[-1] == "daily-2026-11-27: sent: 1 accepted"
    assert stories(place) == ["Story-b"]


def test_after_a_change_from_daily_to_weekly_the_next_edition_is_weekly(place: Place) -> None:
    place.publish("Story-a")
    place.run("25 07:00")
    assert stories(place) == ["Story-a"]
    place.publish("Story-b")
    place.change(DAILY, WEEKLY)
    assert place.run("25 12:00") == [changed("Mon 30 Nov 2026 07:00 (UTC)")]
    assert place.run("26 07:00") == []
    place.run("30 07:00")
    assert stories(place) == ["Story-b"]


def test_an_earlier_hour_that_has_passed_today_counts_from_tomorrow(place: Place) -> None:
    place.run("22 12:00")
    place.publish("Story-a")
    place.change(DAILY, EARLIER)
    assert place.run("23 06:30") == [changed("Tue 24 Nov 2026 06:00 (UTC)")]
    assert place.run("23 09:00") == []
    place.run("24 06:00")
    assert stories(place) == ["Story-a"]


def test_an_earlier_hour_that_is_still_to_come_counts_today(place: Place) -> None:
    place.run("22 12:00")
    place.publish("Story-a")
    place.change(DAILY, EARLIER)
    place.run("23 05:45")
    assert stories(place) == []
    assert place.run("23 06:00") == ["daily-2026-11-23: sent: 1 accepted"]
    assert stories(place) == ["Story-a"]
    assert place.run("23 07:00") == []


def test_a_composed_edition_keeps_its_send_time(place: Place) -> None:
    place.publish("Story-a")
    place.run("23 06:30")
    place.change(DAILY, EARLIER)
    assert place.run("23 06:40") == [changed("Mon 23 Nov 2026 07:00 (UTC)")]
    assert stories(place) == []
    assert place.run("23 07:00") == ["daily-2026-11-23: sent: 1 accepted"]
    assert stories(place) == ["Story-a"]
    place.publish("Story-b")
    place.run("24 06:00")
    assert stories(place) == ["Story-b"]


def test_the_next_time_leaves_out_dates_without_an_edition(place: Place) -> None:
    place.publish("Story-a")
    place.run("23 06:30")
    with place.app() as app:
        assert next_times(app.database, app.config, at("23 06:40")) == {"daily": at("23 07:00")}
        cancel(app.database, "daily-2026-11-23", reason="wrong lead", now=at("23 06:50"))
        assert next_times(app.database, app.config, at("23 06:50")) == {"daily": at("24 07:00")}


def test_a_later_hour_does_not_bring_a_second_edition_on_the_same_date(place: Place) -> None:
    place.publish("Story-a")
    place.run("23 07:00")
    assert stories(place) == ["Story-a"]
    place.publish("Story-b")
    place.change(DAILY, LATER)
    assert place.run("23 08:00") == [changed("Tue 24 Nov 2026 09:00 (UTC)")]
    assert place.run("23 09:00") == []
    place.run("24 09:00")
    assert stories(place) == ["Story-b"]


@pytest.mark.parametrize(
    ("zone", "changed_at", "next_at"),
    [
        ("America/New_York", "23 08:00", "24 12:00"),  # its 07:00 of the 23rd is later than UTC's
        ("Asia/Tokyo", "23 08:00", "23 22:00"),  # its 07:00 of the 24th
        ("Pacific/Kiritimati", "23 18:00", "24 17:00"),  # where the 24th began long ago
    ],
)
def test_after_a_change_of_zone_each_date_counts_once_and_none_is_made_up_for(
    place: Place, zone: str, changed_at: str, next_at: str
) -> None:
    place.publish("Story-a")
    place.run("23 07:00")
    assert stories(place) == ["Story-a"]
    place.publish("Story-b")
    place.change(DAILY, f'{DAILY}\nzone = "{zone}"')
    said = place.run(changed_at)
    assert len(said) == 1
    assert "has a changed schedule" in said[0]
    assert stories(place) == []
    day, clock = next_at.split()
    assert place.run(f"{day} {int(clock[:2]) - 1:02}:00") == []
    place.run(next_at)
    assert stories(place) == ["Story-b"]


def test_a_new_digest_starts_when_it_is_first_seen(place: Place) -> None:
    place.run("22 12:00")
    place.publish("Story-a")
    evening = place.config_path.read_text("utf-8").partition("[[digest]]")[2]
    evening = evening.replace('"daily"', '"evening"').replace("07:00", "18:00")
    place.configure(f"{place.config_path.read_text('utf-8')}\n[[digest]]{evening}")
    said = place.run("23 07:00")
    assert said[0] == "evening: starts now; its first edition is due Mon 23 Nov 2026 18:00 (UTC)"
    assert not any("missed" in each for each in said)


def test_a_digest_that_is_removed_and_added_again_starts_anew(place: Place) -> None:
    place.publish("Story-a")
    place.run("21 07:00")
    whole = place.config_path.read_text("utf-8")
    place.emails()
    place.change('slug = "daily"', 'slug = "other"')
    place.run("21 12:00")
    place.publish("Story-b")
    place.configure(whole)
    assert place.run("23 08:00") == [
        "daily: starts now; its first edition is due Tue 24 Nov 2026 07:00 (UTC)"
    ]
    place.run("24 07:00")
    assert stories(place) == ["Story-b"]


def test_a_digest_added_again_on_the_same_date_mails_nobody_twice(place: Place) -> None:
    place.publish("Story-a")
    place.run("23 07:00")
    assert stories(place) == ["Story-a"]
    whole = place.config_path.read_text("utf-8")
    place.change('slug = "daily"', 'slug = "other"')
    place.run("23 08:00")
    place.publish("Story-b")
    place.configure(whole.replace(DAILY, LATER))
    place.run("23 08:30")
    assert place.run("23 09:00") == []
    assert stories(place) == []
    place.run("24 09:00")
    assert stories(place) == ["Story-b"]


def test_after_an_outage_dates_of_a_changed_schedule_count_from_when_it_was_seen(place: Place) -> None:
    place.run("20 12:00")
    place.publish("Story-a")
    place.change(DAILY, EARLIER)
    place.run("21 12:00")
    assert place.run("23 06:30")[0] == (
        "daily: the edition due Sun 22 Nov 2026 06:00 (UTC) was missed;"
        " its posts are carried over to the next edition"
    )
    assert stories(place) == ["Story-a"]


def test_a_schedule_changed_during_an_outage_makes_up_for_nothing_and_loses_nothing(place: Place) -> None:
    place.publish("Story-a")
    place.run("20 07:00")
    place.emails()
    place.publish("Story-b")
    place.change(DAILY, EARLIER)
    assert place.run("23 06:30") == [changed("Tue 24 Nov 2026 06:00 (UTC)")]
    place.run("24 06:00")
    assert stories(place) == ["Story-b"]


def test_an_edition_composed_by_hand_before_the_change_keeps_its_date_and_hour(place: Place) -> None:
    place.change(DAILY, WEEKLY)
    place.publish("Story-a")
    place.run("25 12:00")
    with place.app() as app:
        made = compose_now(app, "daily", at("25 13:00")).record
    assert made
    assert made.edition.send_at == at("30 07:00")
    place.change(WEEKLY, EARLIER)
    place.publish("Story-b")
    place.run("26 05:00")
    place.run("26 06:00")
    assert stories(place) == ["Story-b"]
    for day in ("27", "28", "29"):
        place.run(f"{day} 06:00")
    assert place.run("30 06:00") == []
    place.run("30 07:00")
    assert stories(place) == ["Story-a"]


def test_a_changed_gathered_edition_still_contains_each_story_once(place: Place) -> None:
    weekly = 'gather = { weekly = "mondays at 08:00" }'
    place.change(DAILY, f"{DAILY}\n{weekly}")
    with place.app() as app:
        begin_digests(app.database, app.config, at("15 12:00"))
    place.publish("Story-a")
    place.run("16 07:00")
    place.run("16 08:00")
    place.publish("Story-b")
    place.run("18 07:00")
    place.change(weekly, weekly.replace("mondays", "fridays"))
    assert place.run("19 12:00")[0] == changed("Fri 20 Nov 2026 08:00 (UTC)").replace("next", "next weekly")
    weeks = "daily-weekly-2026-11-20: composed: 1 story, to be sent Fri 20 Nov 2026 08:00 (UTC)"
    assert weeks in place.run("20 08:00")


def test_a_list_imported_with_an_earlier_time_does_not_make_up_for_the_days_since(place: Place) -> None:
    place.publish("Story-a")
    place.run("23 08:00")
    place.emails()
    place.subscribe("bob", now="02 12:00")
    assert place.run("23 09:00") == []


def test_a_database_without_recorded_schedules_records_them(place: Place) -> None:
    place.publish("Story-a")
    place.run("22 07:00")
    place.emails()
    with place.app() as app, app.database.write() as connection:
        connection.execute(update(schedules).values(rule=None))
    place.publish("Story-b")
    assert place.run("23 07:30")[-1] == "daily-2026-11-23: sent: 1 accepted"
    place.change(DAILY, EARLIER)
    assert place.run("23 08:00") == [changed("Tue 24 Nov 2026 06:00 (UTC)")]


def test_of_several_processes_that_see_a_change_at_once_only_one_reports_it(
    tmp_path: Path, database_url: str
) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.run("22 12:00")
    place.change(DAILY, EARLIER)
    barrier, said = Barrier(3), list[RunEvent]()

    def begin() -> None:
        with place.app() as app:
            barrier.wait()
            context = RunContext(clock=lambda: at("22 13:00"))
            said.extend(begin_digests(app.database, app.config, context.clock()))

    threads = [Thread(target=begin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(each) for each in said] == [changed("Mon 23 Nov 2026 06:00 (UTC)")]
