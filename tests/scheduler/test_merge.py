"""Held days are merged into one edition: each reader gets one message, with every story once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from digest.editions.compose import merge_waiting
from digest.editions.editions import approve, cancel, find_edition, pause_edition
from digest.model.editions import EditionState
from digest.model.errors import MergeError, StateError
from digest.storage.editions.lists import list_editions
from digest.storage.tables.posts import digest_posts
from digest.storage.tables.schedules import occurrences
from tests.scheduler.installation import Place, at
from tests.scheduler.test_gather import WEEKLY, offering, stories, subscribe

DAYS = ("16", "17", "18")
IDS = tuple(f"daily-2026-11-{day}" for day in DAYS)
MERGED = f"{IDS[-1]}-2"
OFFER = (
    "daily: waiting: 3 editions wait, so each reader would get 3 messages at once. To send them as one:"
    " digest merge daily"
)


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Place:
    """Give a publication with three editions that wait for approval."""
    place = offering(Place(tmp_path, {"DIGEST_DATABASE_URL": database_url}), WEEKLY)
    place.change("schedule =", 'review = "hold"\nmaximum = 3\nschedule =')
    subscribe(place, "ada")
    subscribe(place, "bob", topics="green")
    subscribe(place, "eve", "weekly")
    place.run("15 12:00")
    for day in DAYS:
        place.publish(f"Story-{day}a", f"Story-{day}b")
        place.publish(f"Story-{day}g", feed="orchard")
        place.run(f"{day} 07:00")
    return place


def all_stories(kinds: str = "abg") -> list[str]:
    return [f"Story-{day}{kind}" for day in DAYS for kind in kinds]


def merge(place: Place, now: str) -> str:
    with place.app() as app:
        return merge_waiting(app, "daily", at(now)).record.edition.id


def states(place: Place) -> dict[str, tuple[EditionState, str]]:
    with place.app() as app, app.database.read() as connection:
        return {each.edition.id: (each.state, each.reason) for each in list_editions(connection)}


def posts(place: Place) -> set[tuple[str, str | None]]:
    with place.app() as app, app.database.read() as connection:
        rows = connection.execute(select(digest_posts.c.state, digest_posts.c.edition_id))
        return {(state, edition_id) for state, edition_id in rows}


def test_three_held_days_become_one_message_with_all_stories_once(place: Place) -> None:
    assert place.run("18 09:00")[-1] == OFFER
    assert merge(place, "18 09:30") == MERGED
    skipped = dict.fromkeys(IDS, (EditionState.SKIPPED, f"merged into {MERGED}"))
    assert states(place) == {**skipped, MERGED: (EditionState.DRAFT, "")}
    assert posts(place) == {("reserved", MERGED)}
    assert place.run("18 09:40") == [f"{MERGED}: waiting: waits for approval"]
    with place.app() as app:
        assert find_edition(app.database, app.config, "daily").edition.id == MERGED
        with pytest.raises(StateError, match=f"cannot be approved; it was merged into {MERGED}"):
            approve(app, IDS[0], by="Ines", now=at("18 09:50"))
        approve(app, MERGED, by="Ines", now=at("18 09:50"))
    assert place.run("18 09:51") == [f"{MERGED}: sent: 2 accepted"]
    emails = place.emails()  # fails if a reader got two
    assert sorted(stories(emails["ada"])) == all_stories()
    assert sorted(stories(emails["bob"])) == all_stories("g")
    assert posts(place) == {("used", MERGED)}


def test_after_a_merge_no_day_is_composed_again_and_the_next_day_has_only_its_own_stories(
    place: Place,
) -> None:
    merge(place, "18 09:30")
    place.publish("Story-19a")
    assert place.run("18 12:00") == [f"{MERGED}: waiting: waits for approval"]
    with place.app() as app, app.database.read() as connection:
        done = select(occurrences.c.outcome).where(occurrences.c.schedule == "compose:daily")
        assert list(connection.scalars(done)) == [MERGED] * 3
    said = place.run("19 06:30")
    assert "daily-2026-11-19: composed: 1 story, to be sent Thu 19 Nov 2026 07:00 (UTC)" in said
    assert merge(place, "19 07:00") == "daily-2026-11-19-2"  # a merged edition can be merged again
    with place.app() as app:
        approve(app, "daily-2026-11-19-2", by="Ines", now=at("19 07:05"))
    place.run("19 07:06")
    assert sorted(stories(place.emails()["ada"])) == [*all_stories(), "Story-19a"]


def test_a_weekly_edition_has_the_stories_of_a_merged_edition_once(place: Place) -> None:
    merge(place, "18 09:30")
    with place.app() as app:
        approve(app, MERGED, by="Ines", now=at("18 09:50"))
    place.run("18 10:00")
    place.emails()
    place.run("23 08:00")
    with place.app() as app:
        approve(app, "daily-weekly-2026-11-23", by="Ines", now=at("23 08:10"))
    place.run("23 08:11")
    assert sorted(stories(place.emails()["eve"])) == all_stories()


def test_approvals_are_void_and_a_cancelled_merge_gives_back_every_post_once(place: Place) -> None:
    with place.app() as app:
        for each in IDS:
            approve(app, each, by="Ines", now=at("18 09:00"))
    merge(place, "18 09:01")
    waits = f"{MERGED}: waiting: waits for approval, because it was merged from several editions"
    assert place.run("18 09:02") == [waits]
    assert place.emails() == {}
    with place.app() as app:
        cancel(app.database, MERGED, reason="not today", now=at("18 10:00"))
    assert posts(place) == {("waiting", None)}
    place.change("maximum = 3\n", "")
    place.run("19 07:00")
    assert posts(place) == {("reserved", "daily-2026-11-19")}


def test_paused_editions_and_editions_before_their_time_are_not_merged(place: Place) -> None:
    with place.app() as app:
        pause_edition(app.database, IDS[1], reason="wrong lead?", now=at("18 09:00"))
    place.publish("Story-19a")
    place.run("19 06:30")
    assert merge(place, "19 06:40") == MERGED
    left = {each: state for each, (state, _) in states(place).items() if state is not EditionState.SKIPPED}
    assert left == dict.fromkeys((IDS[1], MERGED, "daily-2026-11-19"), EditionState.DRAFT)
    with pytest.raises(MergeError, match=f"^only {MERGED} waits past its send time"):
        merge(place, "19 06:50")
    with place.app() as app:
        cancel(app.database, MERGED, reason="not today", now=at("19 06:55"))
    with pytest.raises(MergeError, match=r"^no edition of daily waits past its send time"):
        merge(place, "19 06:56")


def test_without_hold_a_merged_edition_has_time_for_its_new_approval(place: Place) -> None:
    place.change('review = "hold"', 'review = "skip"')
    with place.app() as app:
        for each in IDS:
            approve(app, each, by="Ines", now=at("19 06:00"))
    assert merge(place, "19 06:01") == MERGED
    waits = f"{MERGED}: waiting: waits for a new approval, because it was merged from several editions"
    assert waits in place.run("19 06:02")
    with place.app() as app:
        approve(app, MERGED, by="Ines", now=at("19 06:10"))
    assert f"{MERGED}: sent: 2 accepted" in place.run("19 06:11")
