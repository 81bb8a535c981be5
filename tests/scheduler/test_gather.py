"""Two weeks replayed: readers of each, daily and weekly editions get exactly what they chose, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from digest.editions.editions import approve, cancel, compose_now, find_edition, pause_edition, resume_edition
from digest.editions.send import dry_run_edition
from digest.model.editions import EditionState
from digest.model.errors import NotFoundError
from digest.readers.preferences import save_choices
from digest.readers.subscribers import add_reader, requested
from digest.storage.editions.lists import list_editions
from digest.storage.editions.records import load_edition
from subscribers.errors import ChoiceError
from subscribers.model import Format, Frequency, Origin, Preferences
from subscribers.rules.decisions import SubscriptionRequest
from subscribers.store.readers import read_readers
from subscribers.store.tables import subscriptions
from tests.scheduler.installation import Place, at, place_of

WEEKLY = 'gather = { weekly = "mondays at 08:00" }\n'
BOTH = 'gather = { daily = "every day at 18:00", weekly = "mondays at 08:00" }\n'


def offering(place: Place, line: str) -> Place:
    place.change('schedule = "every day at 07:00"\n', f'schedule = "every day at 07:00"\n{line}')
    return place


@pytest.fixture(params=["here", "nodes"])
def weekly(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return offering(place_of(request.param, tmp_path, request), WEEKLY)


def subscribe(
    place: Place, name: str, frequency: str = "", *, topics: str = "", hour: str = "", now: str = "15 12:00"
) -> None:
    with place.app() as app:
        wanted = requested("daily", topics=topics, hour=hour, zone="", frequency=frequency)
        add_reader(app, f"{name}@example.org", [wanted], source="test", now=at(now))


def choose(place: Place, name: str, frequency: Frequency, now: str) -> None:
    with place.app() as app:
        with app.database.read() as connection:
            reader = next(
                each
                for each in read_readers(connection)
                if each.subscriber and each.subscriber.address.startswith(name)
            )
        wanted = SubscriptionRequest(digest="daily", preferences=Preferences(frequency=frequency))
        save_choices(
            app.database,
            app.config,
            reader,
            [wanted],
            language="en",
            form=Format.HTML,
            origin=Origin(source="test"),
            now=at(now),
        )


def stories(text: str) -> list[str]:
    """Return the stories of this module that are in an email, in their order."""
    words = text.replace("\n", " ").split()
    return list(dict.fromkeys(word.strip(".:") for word in words if word.startswith("Story-")))


def test_in_two_weeks_everybody_gets_what_they_chose_once(tmp_path: Path, database_url: str) -> None:
    place = offering(Place(tmp_path, {"DIGEST_DATABASE_URL": database_url}), BOTH)
    for frequency in Frequency:
        subscribe(place, f"{frequency}-all", frequency)
        subscribe(place, f"{frequency}-green", frequency, topics="green")
        subscribe(place, f"{frequency}-evening", frequency, hour="20:30")
    got: dict[str, list[list[str]]] = {}
    for day in range(16, 31):  # a Monday, and the Monday two weeks later
        if day < 30:
            place.publish(f"Story-{day}a", f"Story-{day}b")
            place.publish(f"Story-{day}g", feed="orchard")
        for clock in ("06:30", "07:00", "07:30", "08:00", "17:30", "18:00", "20:30"):
            place.run(f"{day} {clock}")
            for reader, text in place.emails().items():
                got.setdefault(f"{reader}", []).append([f"{day} {clock}", *sorted(stories(text))])

    def of(*days: int, kinds: str = "abg") -> list[str]:
        return [f"Story-{day}{kind}" for day in days for kind in kinds]

    each = range(16, 30)
    assert got["each-all"] == [[f"{day} 07:00", *of(day)] for day in each]
    assert got["each-green"] == [[f"{day} 07:00", *of(day, kinds="g")] for day in each]
    assert got["each-evening"] == [[f"{day} 20:30", *of(day)] for day in each]
    assert got["daily-all"] == [[f"{day} 18:00", *of(day)] for day in each]
    assert got["daily-green"] == [[f"{day} 18:00", *of(day, kinds="g")] for day in each]
    assert got["daily-evening"] == [[f"{day} 20:30", *of(day)] for day in each]
    weeks = {"16": of(16), "23": of(*range(17, 24)), "30": of(*range(24, 30))}
    assert got["weekly-all"] == [[f"{day} 08:00", *stories] for day, stories in weeks.items()]
    assert got["weekly-evening"] == [[f"{day} 20:30", *stories] for day, stories in weeks.items()]
    assert [stories[1:] for stories in got["weekly-green"]] == [
        of(16, kinds="g"),
        of(*range(17, 24), kinds="g"),
        of(*range(24, 30), kinds="g"),
    ]
    with place.app() as app, app.database.read() as connection:
        made = Counter(record.frequency for record in list_editions(connection))
        record = load_edition(connection, "daily-weekly-2026-11-23")
    assert made == {Frequency.EACH: 14, Frequency.DAILY: 14, Frequency.WEEKLY: 3}
    assert (record.state, record.frequency) == (EditionState.SENT, Frequency.WEEKLY)
    assert record.edition.title == "The week in Daily"


def test_a_run_gathers_what_it_has_just_sent(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-a")
    assert weekly.run("16 08:00")[-1] == "daily-weekly-2026-11-16: sent: 1 accepted"
    assert stories(weekly.emails()["ada"]) == ["Story-a"]


def test_a_week_without_news_has_no_edition_and_the_reason_is_reported(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    assert (
        weekly.run("16 08:00")[-1] == "daily: no edition: nothing has been sent since the last weekly edition"
    )
    assert weekly.emails() == {}


def test_a_weekly_email_says_that_it_is_weekly(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-a")
    weekly.run("16 08:00")
    path = next((weekly.folder / "data/mail").glob("*.eml"))
    assert "Subject: The week in Daily: Story-a" in path.read_text()
    assert "The week in Daily" in weekly.emails()["ada"]


def test_skipped_and_cancelled_editions_are_not_gathered(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    subscribe(weekly, "bob")
    weekly.run("16 08:00")
    weekly.publish("Story-a")
    weekly.run("17 06:30")
    with weekly.app() as app:
        cancel(app.database, "daily-2026-11-17", reason="wrong lead", now=at("17 06:40"))
    weekly.run("18 07:00")  # its post is in another edition
    weekly.emails()
    subscribe(weekly, "eve", hour="20:30", now="18 09:00")  # the next edition is stopped before her hour
    weekly.publish("Story-b")
    weekly.run("19 07:00")
    with weekly.app() as app:
        cancel(app.database, "daily-2026-11-19", reason="wrong picture", now=at("19 08:00"))
    weekly.emails()
    weekly.run("23 08:00")
    assert stories(weekly.emails()["ada"]) == ["Story-a"]


def test_a_weekly_edition_is_made_again_without_an_edition_that_was_stopped_later(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    subscribe(weekly, "bob", hour="20:30")
    weekly.run("16 08:00")
    for day in ("22", "23"):
        weekly.publish(f"Story-{day}")
        weekly.run(f"{day} 07:00")
    assert weekly.run("23 07:30")[-1].startswith("daily-weekly-2026-11-23: composed: 2 stories")
    with weekly.app() as app:
        cancel(app.database, "daily-2026-11-23", reason="wrong lead", now=at("23 07:40"))
    weekly.emails()
    assert weekly.run("23 08:00") == [
        "daily-weekly-2026-11-23: skipped: daily-2026-11-23 was stopped; a new edition is made without it",
        "daily-weekly-2026-11-23-2: composed: 1 story, to be sent Mon 23 Nov 2026 08:00 (UTC)",
        "daily-weekly-2026-11-23-2: sent: 1 accepted",
    ]
    assert stories(weekly.emails()["ada"]) == ["Story-22"]


def test_a_paused_edition_is_gathered_a_week_later(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    subscribe(weekly, "bob", hour="20:30")
    weekly.run("16 08:00")
    for day in ("21", "22"):
        weekly.publish(f"Story-{day}")
        weekly.run(f"{day} 07:00")
    with weekly.app() as app:
        pause_edition(app.database, "daily-2026-11-22", reason="wrong lead?", now=at("22 08:00"))
    weekly.emails()
    weekly.run("23 08:00")
    assert stories(weekly.emails()["ada"]) == ["Story-21"]
    with weekly.app() as app:
        resume_edition(app.database, "daily-2026-11-22", at("23 09:00"))
    weekly.run("30 08:00")
    assert stories(weekly.emails()["ada"]) == ["Story-22"]


def test_on_hold_a_weekly_edition_waits_for_approval_too(weekly: Place) -> None:
    weekly.change("schedule =", 'review = "hold"\nschedule =')
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-a")
    weekly.run("16 07:00")
    with weekly.app() as app:
        approve(app, "daily-2026-11-16", by="Ines", now=at("16 07:05"))
    weekly.run("16 07:10")
    assert weekly.run("16 08:00")[-1] == "daily-weekly-2026-11-16: waiting: waits for approval"
    with weekly.app() as app:
        approve(app, "daily-weekly-2026-11-16", by="Ines", now=at("16 09:00"))
    assert weekly.run("16 09:01")[-1] == "daily-weekly-2026-11-16: sent: 1 accepted"


def test_with_skip_a_weekly_edition_is_sent_because_its_editions_were_approved(weekly: Place) -> None:
    weekly.change("schedule =", 'review = "skip"\nschedule =')
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-a")
    weekly.run("16 06:30")
    with weekly.app() as app:
        approve(app, "daily-2026-11-16", by="Ines", now=at("16 06:40"))
    weekly.run("16 07:00")
    assert weekly.run("16 08:00")[-1] == "daily-weekly-2026-11-16: sent: 1 accepted"


def test_a_week_missed_in_an_outage_is_gathered_with_the_next(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.run("16 08:00")
    weekly.publish("Story-a")
    weekly.run("17 07:00")
    said = weekly.run("24 07:00")
    missed = (
        "the weekly edition due Mon 23 Nov 2026 08:00 (UTC) was missed;"
        " its content is carried over to the next edition"
    )
    assert f"daily: {missed}" in said
    weekly.run("30 08:00")
    assert stories(weekly.emails()["ada"]) == ["Story-a"]


def test_readers_of_a_removed_frequency_get_each_edition_until_it_is_offered_again(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-16")
    weekly.run("16 07:00")
    weekly.run("16 07:30")
    weekly.change(WEEKLY, "")
    weekly.publish("Story-17")
    skipped = "daily-weekly-2026-11-16: skipped: weekly editions are not offered any more"
    assert skipped in weekly.run("17 07:00")
    assert stories(weekly.emails()["ada"]) == ["Story-17"]
    offering(weekly, WEEKLY)
    weekly.publish("Story-25")
    assert weekly.run("25 07:00")[0].startswith(
        "daily: starts now; its first weekly edition is due Mon 30 Nov"
    )
    weekly.run("30 08:00")
    assert stories(weekly.emails()["ada"]) == ["Story-25"]


def test_editions_sent_long_before_a_frequency_was_offered_are_not_gathered(tmp_path: Path) -> None:
    place = Place(tmp_path)
    subscribe(place, "ada")
    for day in ("13", "17"):
        place.publish(f"Story-{day}")
        place.run(f"{day} 07:00")
        place.emails()
    offering(place, WEEKLY)
    choose(place, "ada", Frequency.WEEKLY, "18 09:00")
    place.run("18 09:00")
    place.run("23 08:00")
    assert stories(place.emails()["ada"]) == ["Story-17"]  # from the current week


def test_after_a_change_from_each_to_weekly_the_next_email_is_weekly(weekly: Place) -> None:
    subscribe(weekly, "ada", hour="20:30")
    weekly.run("16 08:00")
    weekly.publish("Story-17")
    weekly.run("17 07:00")  # addressed to her, for half past eight in the evening
    choose(weekly, "ada", Frequency.WEEKLY, "17 12:00")
    weekly.run("17 20:30")
    assert stories(weekly.emails()["ada"]) == ["Story-17"]
    weekly.publish("Story-18")
    weekly.run("18 07:00")
    assert weekly.emails() == {}
    weekly.run("23 08:00")
    assert sorted(stories(weekly.emails()["ada"])) == ["Story-17", "Story-18"]


def test_after_a_change_from_weekly_to_each_the_next_email_is_the_next_edition(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.run("16 08:00")
    for day in ("17", "18"):
        weekly.publish(f"Story-{day}")
        weekly.run(f"{day} 07:00")
        choose(weekly, "ada", Frequency.EACH, "17 12:00")
    assert stories(weekly.emails()["ada"]) == ["Story-18"]
    weekly.run("23 08:00")
    assert weekly.emails() == {}


def test_a_weekly_email_that_is_already_queued_comes_after_a_change_to_each(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly", hour="20:30")
    weekly.publish("Story-a")
    weekly.run("16 08:00")
    with weekly.app() as app, app.database.write() as connection:
        connection.execute(update(subscriptions).values(frequency=Frequency.EACH))
    weekly.run("16 20:30")
    assert stories(weekly.emails()["ada"]) == ["Story-a"]


def test_a_weekly_edition_can_be_composed_by_hand_before_its_time(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    weekly.publish("Story-a")
    weekly.run("16 07:00")
    with weekly.app() as app:
        made = compose_now(app, "daily", at("16 07:05"), frequency=Frequency.WEEKLY).record
        assert made
        assert made.edition.id == "daily-weekly-2026-11-16"
        assert find_edition(app.database, app.config, "daily").edition.id == "daily-2026-11-16"
        with pytest.raises(NotFoundError, match="no frequency is called 'daily'; available: each, weekly"):
            compose_now(app, "daily", at("16 07:05"), frequency=Frequency.DAILY)
    assert weekly.run("16 08:00") == ["daily-weekly-2026-11-16: sent: 1 accepted"]


def test_a_dry_run_counts_the_readers_of_each_edition(weekly: Place) -> None:
    subscribe(weekly, "ada", "weekly")
    subscribe(weekly, "bob")
    subscribe(weekly, "eve")
    weekly.publish("Story-a")
    weekly.run("16 06:30")
    with weekly.app() as app:
        assert dry_run_edition(app, "daily-2026-11-16", at("16 06:40")).total == 2
    weekly.run("16 07:30")
    with weekly.app() as app:
        assert dry_run_edition(app, "daily-weekly-2026-11-16", at("16 07:40")).total == 1


def test_a_frequency_that_is_not_offered_cannot_be_chosen(weekly: Place) -> None:
    with pytest.raises(ChoiceError, match="not offered"):
        subscribe(weekly, "ada", "daily")
