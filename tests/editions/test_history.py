"""The history of an edition names who did what, keeps every version, and says how two versions differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from digest.compose.edits.operations import Drop, MakeLead, Move, Note, Part, Rewrite, Undo
from digest.editions.editions import cancel, pause_edition, resume_edition
from digest.editions.edits.edits import Editor, edit, read_edits
from digest.editions.views.comments import CommentError, Remark, comment, comment_counts, read_threads
from digest.editions.views.history import read_history
from digest.model.editions import EditionState, StepCause
from digest.model.errors import NotFoundError
from digest.storage.database import Database
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance
from digest.storage.tables.desk import comments
from tests.compose.newsroom import Newsroom
from tests.compose.samples import DAILY, NOW, published, topic

EDITION = "daily-2026-11-22"
VOID = 'has edited it since it was approved: changed the headline of "Ferry returns": The ferry is back'
TITLES = ("Ferry returns", "Owls at dusk", "Tram opens", "Quay market")


@pytest.fixture
def newsroom(database: Database) -> Newsroom:
    """Give a newsroom with a draft of four stories."""
    newsroom = Newsroom(database=database)
    for at, title in enumerate(TITLES):
        newsroom.publish(published(title, id=f"post-{at}", hours=1 + at, tags=("sea",) if at < 2 else ()))
    newsroom.compose(replace(DAILY, topics=("sea",)), topics=[topic("sea", tags=("sea",))])
    return newsroom


def change(database: Database, *operations: object, by: str = "Maren") -> None:
    seen = len(read_edits(database, EDITION).edits)
    edit(database, EDITION, operations, Editor(name=by, seen=seen, now=NOW))  # type: ignore[arg-type]


def told(database: Database) -> list[str]:
    lines = read_history(database, EDITION).lines
    return [
        f"{line.by} {line.text} {line.before}{'→' if line.after else ''}{line.after}".strip()
        for line in lines
    ]


def test_edits_approvals_and_what_voided_them_are_told_newest_first(newsroom: Newsroom) -> None:
    database = newsroom.database
    change(database, Drop(story="post-3"))
    with database.write() as connection:
        advance(connection, EDITION, EditionState.APPROVED, StepCause(at=NOW, by="Ines", look="a1" * 32))
    change(database, Rewrite(story="post-0", part=Part.TITLE, text="The ferry is back"), by="Jonas")
    pause_edition(database, EDITION, reason="check the lead", now=NOW, by="Jonas")
    resume_edition(database, EDITION, NOW, by="Maren")
    change(database, Undo(number=1))
    cancel(database, EDITION, reason="not today", now=NOW)
    assert told(database) == [
        "It was cancelled: not today.",
        'Maren undid edit 1: dropped "Quay market"',
        "Maren resumed it",
        "Jonas held it: check the lead",
        f"The approval was withdrawn. →Jonas {VOID}.",
        "Jonas rewrote a headline: Ferry returns→The ferry is back",
        "Ines approved it",
        'Maren dropped "Quay market"',
        "Composed at the cutoff: 4 stories.",
    ]


def test_every_version_can_be_read_again_by_its_hash(newsroom: Newsroom) -> None:
    database = newsroom.database
    with database.read() as connection:
        kept = [load_edition(connection, EDITION)]
    for operations in (
        [Drop(story="post-3"), Move(story="post-2", topic="sea")],
        [MakeLead(story="post-1")],
        [Note(story="post-1", text="From our *archive*.")],
        [Undo(number=1)],
    ):
        change(database, *operations)
        with database.read() as connection:
            kept.append(load_edition(connection, EDITION))
    history = read_history(database, EDITION)
    for record in kept:
        assert history.edition(history.version(record.hash[:8])) == record.edition
    for name in ("", kept[0].hash[:7], "f" * 64):
        with pytest.raises(NotFoundError):
            history.version(name)
    assert [line.undo for line in history.lines] == [None, 4, 3, 2, None, None]


def test_comments_are_about_stories_and_never_part_of_an_edition(newsroom: Newsroom) -> None:
    database = newsroom.database
    with database.read() as connection:
        before = load_edition(connection, EDITION)
    first = comment(database, EDITION, Remark(by="Maren", text=" Is <b>this</b> old? ", story="post-1"), NOW)
    comment(database, EDITION, Remark(by="Jonas", text="No, from today.", answers=first.number), NOW)
    comment(database, EDITION, Remark(by="Ines", text="A good morning.\n\nReally."), NOW)
    comment(database, EDITION, Remark(by="Maren", text="Thank you.", answers=2), NOW)
    threads = read_threads(database, EDITION)
    assert [(each.first.text, [answer.by for answer in each.answers]) for each in threads] == [
        ("Is <b>this</b> old?", ["Jonas", "Maren"]),
        ("A good morning.\n\nReally.", []),
    ]
    assert comment_counts(database, EDITION) == {"post-1": 3, None: 1}
    with database.read() as connection:
        assert load_edition(connection, EDITION) == before
    for wrong in (
        Remark(by="Eve", text="  "),
        Remark(by="Eve", text="x" * 2_001),
        Remark(by="Eve", text="?", story="post-9"),
        Remark(by="Eve", text="?", answers=9),
    ):
        with pytest.raises((CommentError, NotFoundError)):
            comment(database, EDITION, wrong, NOW)
    with database.read() as connection:
        assert len(connection.execute(select(comments)).all()) == 4
