"""The values of the desk's page: each story with what an editor should know of it, and the outlook."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from digest.app import App
from digest.compose.edits.operations import Drop, MakeLead, Move, Note, Operation, Part, Rewrite, Undo
from digest.editions.editions import approve, pause_edition
from digest.editions.edits.desk import be_present, pulse_of, read_desk
from digest.editions.edits.edits import EditedEdition, Editor, edit, read_edits
from digest.editions.edits.galley import Galley, announced, galley_of, marked, redoable
from digest.editions.edits.refresh import refresh
from digest.model.errors import NotFoundError
from digest.model.staff import Person, Role
from digest.storage.tables.posts import posts
from tests.scheduler.installation import Place, at

EDITION = "daily-2026-11-23"
EARLY, LATER = "23 06:30", "23 06:45"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a publication with a draft of four stories, and two readers, of whom one chose a topic."""
    place = Place(tmp_path)
    place.publish("Ferry returns", "Tram opens", "Owls at dusk")
    place.publish("Apples", feed="orchard")
    place.subscribe("ada")
    place.subscribe("ben", topics="green")
    place.run(EARLY)
    return place


def change(app: App, *operations: Operation, by: str = "Maren") -> EditedEdition:
    editor = Editor(name=by, seen=len(read_edits(app.database, EDITION).edits), now=at(EARLY))
    return edit(app.database, EDITION, operations, editor)


def galley(app: App, now: str = LATER) -> Galley:
    return galley_of(read_desk(app, EDITION, at(now)), at(now))


def story(app: App, name: str) -> str:
    return read_edits(app.database, EDITION).story(name)


def flags(found: Galley) -> dict[str, list[str]]:
    return {each.story.title: [flag.text for flag in each.flags] for each in found.items if each.flags}


def test_the_list_says_who_moved_rewrote_and_dropped_what(place: Place) -> None:
    with place.app() as app:
        ferry, tram, owls, apples = (story(app, name) for name in ("ferry", "tram", "owls", "apples"))
        change(app, MakeLead(story=apples), Move(story=tram, topic="green"), by="Jonas")
        change(
            app, Rewrite(story=owls, part=Part.TITLE, text="Owls, late"), Note(story=owls, text="Bring tea.")
        )
        change(app, Drop(story=ferry))
        found = galley(app)
        assert found.lead
        assert (found.lead.story.id, found.lead.remarks) == (apples, ("made the lead by Jonas",))
        [green, more] = found.groups
        assert [(each.slug, each.number, each.readers) for each in found.topics] == [
            ("green", 1, 2),
            ("more", 2, 1),
        ]
        assert [(each.story.id, each.placed) for each in green.items] == [
            (tram, ("moved from More stories by", "Jonas"))
        ]
        assert [each.remarks for each in more.items] == [("headline rewritten by Maren",)]
        assert [each.note_by for each in more.items] == ["Maren"]
        assert [(each.story.id, each.why) for each in found.out] == [(ferry, "dropped by Maren")]
        assert found.attention == ()


def test_a_changed_a_missing_and_a_new_story_are_flagged(place: Place) -> None:
    with place.app() as app:
        tram, owls = story(app, "tram"), story(app, "owls")
        with app.database.write() as connection:
            changed = update(posts).where(posts.c.id == tram)
            connection.execute(changed.values(title="Tram opens late", updated_at=at("23 06:34")))
            connection.execute(update(posts).where(posts.c.id == owls).values(missed=2))
        found = galley(app)
        assert flags(found) == {
            "Tram opens": ["Changed at the source since cutoff, at 06:34."],
            "Owls at dusk": ["No longer in its feed as of 06:30; the posts around it still are."],
        }
        assert [each.story.id for each in found.attention if each.is_gone] == [owls]
    place.publish("Market at the quay")
    place.run(LATER)
    with place.app() as app:
        assert read_desk(app, EDITION, at(LATER)).arrived == 1
        refresh(app, "daily", at(LATER))
        assert read_desk(app, EDITION, at(LATER)).arrived == 0
        assert flags(galley(app))["Market at the quay"] == ["New since the last refresh (06:45)."]


def test_a_rewrite_of_words_that_change_later_is_flagged(place: Place) -> None:
    with place.app() as app:
        tram = story(app, "tram")
        change(app, Rewrite(story=tram, part=Part.TITLE, text="The tram is here"))
        with app.database.write() as connection:
            connection.execute(update(posts).where(posts.c.id == tram).values(title="Tram opens late"))
        refresh(app, "daily", at(LATER))
        assert flags(galley(app)) == {
            "The tram is here": ["Its publisher has changed the headline that Maren rewrote."]
        }


def test_the_last_change_is_announced_and_an_undo_can_be_redone(place: Place) -> None:
    with place.app() as app:
        tram = story(app, "tram")
        after = change(app, Move(story=tram, topic="green"))
        assert announced(after, after.edits[-1]) == "Maren moved “Tram opens” to Green, 1 of 1"
        assert (after.last_in_force(), redoable(after)) == (1, None)
        after = change(app, Undo(number=1), by="Jonas")
        assert announced(after, after.edits[-1]) == "Jonas undid: moved “Tram opens” to Green"
        assert (after.last_in_force(), redoable(after)) == (None, 2)
        after = change(app, Undo(number=2))
        assert announced(after, after.edits[-1]) == "Maren redid: moved “Tram opens” to Green"
        assert (after.last_in_force(), redoable(after)) == (1, None)
        after = change(app, Undo(number=1), Drop(story=tram))
        assert redoable(after) is None


def test_a_person_is_present_for_a_minute(place: Place) -> None:
    maren, jonas = (
        Person(id=name, name=name.title(), address=f"{name}@example.org", role=Role.EDITOR)
        for name in ("maren", "jonas")
    )
    with place.app() as app:
        be_present(app.database, EDITION, jonas, at(EARLY), place="green", unsaved=True)
        [present] = read_desk(app, EDITION, at(EARLY) + timedelta(seconds=60)).present
        assert (present.name, present.place, present.unsaved) == ("Jonas", "green", True)
        assert read_desk(app, EDITION, at(EARLY) + timedelta(seconds=61)).present == ()
        be_present(app.database, EDITION, maren, at(EARLY) + timedelta(seconds=90), place="", unsaved=False)
        assert [each.name for each in read_desk(app, EDITION, at(EARLY)).present] == ["Maren"]
        with pytest.raises(NotFoundError):
            be_present(app.database, "daily-2020-01-01", maren, at(EARLY), place="", unsaved=False)


def test_the_pulse_changes_with_all_that_a_page_shows(place: Place) -> None:
    maren, jonas = (
        Person(id=name, name=name.title(), address=f"{name}@example.org", role=Role.EDITOR)
        for name in ("maren", "jonas")
    )
    with place.app() as app:

        def pulse(seconds: int = 0) -> str:
            return pulse_of(app.database, EDITION, maren, at(EARLY) + timedelta(seconds=seconds))

        beats = [pulse()]
        assert pulse(59) == beats[0]
        be_present(app.database, EDITION, maren, at(EARLY), place="green", unsaved=False)
        assert pulse() == beats[0]
        beats.append(pulse(60))
        be_present(app.database, EDITION, jonas, at(EARLY), place="green", unsaved=False)
        beats.append(pulse())
        change(app, Drop(story=story(app, "tram")))
        beats.append(pulse())
        approve(app, EDITION, by="Ines", now=at(EARLY))
        beats.append(pulse())
        pause_edition(app.database, EDITION, reason="by Ines", now=at(EARLY))
        beats.append(pulse())
        assert len(set(beats)) == len(beats)


def test_words_that_differ_are_marked() -> None:
    assert marked("The trial starts in April.", "The trial starts in March.") == (
        ("The trial starts in ", False),
        ("April.", True),
    )
    assert marked("", "Ferry") == ()
    assert marked("Ferry", "Ferry") == (("Ferry", False),)
