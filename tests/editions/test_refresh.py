"""A draft that is planned again takes new posts and settings, and keeps its edits; dates can be skipped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from digest.app import App
from digest.compose.edits.operations import Add, Defer, Drop, Merge, Operation, Part, Rewrite, Undo
from digest.editions.approval import unapprove
from digest.editions.editions import approve
from digest.editions.edits.edits import EditedEdition, Editor, edit, read_edits
from digest.editions.edits.refresh import refresh
from digest.editions.schedules import coming_skips, skip_date
from digest.model.editions import EditionState
from digest.model.errors import NoEditionError, SkipError, StateError
from digest.storage.posts import recent_posts
from tests.scheduler.installation import Place, at

EDITION = "daily-2026-11-23"
EARLY, LATER = "23 06:30", "23 06:45"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a publication with a draft of four stories."""
    place = Place(tmp_path)
    place.publish("Ferry returns", "Tram opens", "Owls at dusk")
    place.publish("Apples", feed="orchard")
    place.subscribe("ada")
    place.run(EARLY)
    return place


def change(app: App, *operations: Operation) -> EditedEdition:
    editor = Editor(name="Maren", seen=len(read_edits(app.database, EDITION).edits), now=at(EARLY))
    return edit(app.database, EDITION, operations, editor)


def titles(edited: EditedEdition) -> set[str]:
    return {story.title for story in edited.record.edition.stories()}


def states(app: App) -> dict[str, str]:
    """Return the state of each post in the digest, by its title."""
    with app.database.read() as connection:
        found = recent_posts(connection, 50)
    return {each.post.title: " ".join(filter(None, each.states[0][1:])) for each in found}


def publish_and_collect(place: Place, *posts: str) -> None:
    place.publish(*posts)
    place.run(LATER)


def test_new_posts_come_in_and_the_edits_are_applied_again(place: Place) -> None:
    with place.app() as app:
        tram, ferry = (read_edits(app.database, EDITION).story(name) for name in ("tram", "ferry"))
        change(app, Drop(story=tram), Rewrite(story=ferry, part=Part.TITLE, text="The ferry is back"))
        approve(app, EDITION, by="Ines", now=at(EARLY))
    publish_and_collect(place, "Market at the quay")
    with place.app() as app:
        composed = refresh(app, "daily", at(LATER))
        after = read_edits(app.database, EDITION)
        assert composed.record == after.record
        assert titles(after) == {"The ferry is back", "Owls at dusk", "Apples", "Market at the quay"}
        assert (after.record.state, after.record.reason) == (
            EditionState.DRAFT,
            "it was planned again after it was approved",
        )
        assert after.record.edition.number == 1
        assert states(app) == {
            "Ferry returns": "reserved",
            "Tram opens": "dropped dropped by Maren",
            "Owls at dusk": "reserved",
            "Apples": "reserved",
            "Market at the quay": "reserved",
        }
        # What was dropped is in the new base, so it can come back.
        assert "Tram opens" in titles(change(app, Undo(number=1)))


def test_own_split_and_merged_stories_stay_when_a_draft_is_planned_again(place: Place) -> None:
    with place.app() as app:
        tram, ferry = (read_edits(app.database, EDITION).story(name) for name in ("tram", "ferry"))
        link = "https://gazette.example.org/open"
        change(app, Add(title="Open house", topic="more", url=link), Merge(story=tram, into=ferry))
    publish_and_collect(place, "Market at the quay")
    with place.app() as app:
        composed = refresh(app, "daily", at(LATER))
        after = read_edits(app.database, EDITION)
        assert composed.record == after.record
        assert titles(after) == {
            "Ferry returns",
            "Owls at dusk",
            "Apples",
            "Open house",
            "Market at the quay",
        }
        assert after.remarks() == {}
        assert set(states(app).values()) == {"reserved"}
        before = after.record.hash
        assert refresh(app, "daily", at(LATER)).reason == "nothing has changed since it was composed"
        assert read_edits(app.database, EDITION).record.hash == before


def test_a_draft_to_which_nothing_is_new_keeps_its_approval(place: Place) -> None:
    with place.app() as app:
        approve(app, EDITION, by="Ines", now=at(EARLY))
        composed = refresh(app, "daily", at(LATER))
        assert composed.reason == "nothing has changed since it was composed"
        assert read_edits(app.database, EDITION).record.state is EditionState.APPROVED


def test_stories_that_find_no_place_wait_again_and_their_edits_are_listed(place: Place) -> None:
    with place.app() as app:
        owls, apples = (read_edits(app.database, EDITION).story(name) for name in ("owls", "apples"))
        change(
            app,
            Rewrite(story=owls, part=Part.TITLE, text="Night"),
            Defer(story=apples, until=date(2026, 12, 1)),
        )
    place.change("schedule =", "maximum = 2\nschedule =")
    publish_and_collect(place, "Market at the quay", "Lighthouse lit", "Harbour fair")
    with place.app() as app:
        refresh(app, "daily", at(LATER))
        after = read_edits(app.database, EDITION)
        assert len(titles(after)) == 2
        for title, state in states(app).items():
            shown = title in titles(after)
            wanted = "deferred" if title == "Apples" else "reserved" if shown else "waiting"
            assert state.startswith(wanted), title
        assert after.remarks() == {1: "changes nothing, because its story is not in the edition"}


def test_only_a_draft_of_a_digest_is_planned_again(place: Place) -> None:
    place.run("23 07:00")
    with place.app() as app, pytest.raises(StateError, match=f"{EDITION} is sent and cannot be edited"):
        refresh(app, "daily", at("23 07:01"))
    place.change('slug = "daily"', 'slug = "weekend"')
    with place.app() as app, pytest.raises(NoEditionError):
        refresh(app, "weekend", at("23 07:01"))


def test_an_approval_is_taken_back_once(place: Place) -> None:
    with place.app() as app:
        approve(app, EDITION, by="Ines", now=at(EARLY))
        record = unapprove(app.database, EDITION, by="Jonas", now=at(LATER))
        assert (record.state, record.reason, record.look) == (
            EditionState.DRAFT,
            "Jonas took the approval back",
            None,
        )
        with pytest.raises(StateError, match="is a draft and cannot be unapproved"):
            unapprove(app.database, EDITION, by="Jonas", now=at(LATER))


def test_a_date_is_skipped_with_its_draft_and_the_posts_wait(place: Place) -> None:
    with place.app() as app:
        daily = app.config.digest("daily")
        assert skip_date(app.database, daily, date(2026, 11, 23), "Maren: storm", at(LATER)) == EDITION
        assert read_edits(app.database, EDITION).record.reason == "skipped by Maren: storm"
        assert skip_date(app.database, daily, date(2026, 11, 24), "Maren: storm", at(LATER)) == ""
        lines = coming_skips(app.database, app.config, at(LATER))
        assert lines == tuple(f"daily: 2026-11-{day}: skipped by Maren: storm" for day in (23, 24))
    assert place.run("23 07:00") == []
    assert place.run("24 07:00") == []
    assert "daily-2026-11-25: composed: 4 stories" in " ".join(place.run("25 06:30"))
    assert place.run("25 07:00") == ["daily-2026-11-25: sent: 1 accepted"]


def test_a_date_that_is_over_or_not_due_cannot_be_skipped(place: Place) -> None:
    place.run("23 07:00")
    place.change('"every day at 07:00"', '"every monday at 07:00"')
    with place.app() as app:
        daily = app.config.digest("daily")
        for day, said in (
            (date(2026, 11, 23), f"that date is over \\({EDITION}\\)"),
            (date(2026, 11, 25), "no edition is due then; the next one is due on 2026-11-30"),
            (date(2020, 1, 6), "no edition is due then"),
        ):
            with pytest.raises(SkipError, match=said):
                skip_date(app.database, daily, day, "Maren: storm", at("23 07:01"))
