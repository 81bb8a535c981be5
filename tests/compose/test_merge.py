"""Editions that wait together become one draft; if one of them moves on meanwhile, nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from digest.model.editions import Edition, EditionState, StepCause
from digest.model.errors import MergeError
from digest.model.posts import PostState
from digest.storage.database import Database
from digest.storage.editions.drafts import replace_editions
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, pause, revise
from digest.storage.tables.editions import editions
from tests.compose.newsroom import Newsroom, is_locked, meanwhile
from tests.compose.samples import DAILY, NOW, published

IDS = ("daily-2026-11-22", "daily-2026-11-23", "daily-2026-11-24")
MERGED = f"{IDS[-1]}-2"


@pytest.fixture
def newsroom(database: Database) -> Newsroom:
    """Give a newsroom with three drafts of two stories each."""
    newsroom = Newsroom(database=database)
    for day in range(3):
        newsroom.publish(published(f"Tram {day}", id=f"tram-{day}"), published(f"Owl {day}", id=f"owl-{day}"))
        newsroom.compose(day=day)
    return newsroom


def rows(newsroom: Newsroom) -> list[tuple[object, ...]]:
    with newsroom.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(editions).order_by(editions.c.id))]


def full(edition: Edition) -> int:
    return sum(len(section.stories) for section in edition.sections) + (edition.lead is not None)


def steps(newsroom: Newsroom, edition_id: str, *states: EditionState) -> None:
    with newsroom.database.write() as connection:
        for each in states:
            advance(connection, edition_id, each, StepCause(at=NOW))


def test_the_emails_are_rendered_with_nothing_locked(newsroom: Newsroom) -> None:
    locked: list[bool] = []
    newsroom.merge(day=2, fits=lambda _: not locked.append(is_locked(newsroom.database)))  # type: ignore[func-returns-value]
    assert locked == [False]


def test_stories_over_the_maximum_or_the_size_become_headlines(newsroom: Newsroom) -> None:
    merged = newsroom.merge(replace(DAILY, maximum=4), day=2, fits=lambda edition: full(edition) <= 3)
    assert (merged.record.edition.id, merged.replaced, merged.left) == (MERGED, IDS, ())
    edition = merged.record.edition
    assert (full(edition), sum(1 for _ in edition.stories())) == (3, 6)
    assert (edition.title, edition.subject_template) == (DAILY.title, DAILY.subject)
    assert set(newsroom.states().values()) == {(PostState.RESERVED, MERGED, "")}
    assert edition.number == 3
    newsroom.publish(published("Bell", id="bell"))
    later = newsroom.compose(day=3).record
    assert later
    assert later.edition.number == 4


def test_editions_whose_headlines_do_not_fit_stay_as_they_are(newsroom: Newsroom) -> None:
    before = rows(newsroom), newsroom.states()
    with pytest.raises(MergeError, match="no two of the 3 editions fit into one email"):
        newsroom.merge(day=2, fits=lambda edition: sum(1 for _ in edition.stories()) <= 2)
    assert (rows(newsroom), newsroom.states()) == before
    merged = newsroom.merge(day=2, fits=lambda edition: sum(1 for _ in edition.stories()) <= 4)
    assert (merged.replaced, merged.left) == (IDS[:2], IDS[2:])
    assert {each for _, each, _ in newsroom.states().values()} == {IDS[2], merged.record.edition.id}


def begin(newsroom: Newsroom) -> None:
    steps(newsroom, IDS[1], EditionState.APPROVED, EditionState.SENDING)


def approve(newsroom: Newsroom) -> None:
    steps(newsroom, IDS[1], EditionState.APPROVED)


def cancel(newsroom: Newsroom) -> None:
    steps(newsroom, IDS[1], EditionState.CANCELLED)


def stop(newsroom: Newsroom) -> None:
    with newsroom.database.write() as connection:
        pause(connection, IDS[1], StepCause(at=NOW, why="wrong lead?"))


def edit(newsroom: Newsroom) -> None:
    with newsroom.database.write() as connection:
        record = load_edition(connection, IDS[1])
        revise(
            connection, record, replace(record.edition, title="Corrected"), StepCause(at=NOW, why="changed")
        )


@pytest.mark.parametrize("change", [begin, approve, cancel, stop, edit])
def test_if_one_edition_changes_meanwhile_nothing_is_merged(
    newsroom: Newsroom, change: Callable[[Newsroom], None]
) -> None:
    after: list[object] = []

    def change_once(_: Edition) -> bool:
        change(newsroom)
        after.append((rows(newsroom), newsroom.states()))
        return True

    with pytest.raises(MergeError, match=f"nothing is merged, because {IDS[1]} has changed or has begun"):
        newsroom.merge(day=2, fits=change_once)
    assert [(rows(newsroom), newsroom.states())] == after


def test_of_two_merges_at_once_one_wins(newsroom: Newsroom) -> None:
    with pytest.raises(MergeError, match=f"because {IDS[0]} has changed"):
        newsroom.merge(day=2, fits=meanwhile(lambda: newsroom.merge(day=2)))
    assert set(newsroom.states().values()) == {(PostState.RESERVED, MERGED, "")}


def test_posts_that_are_in_no_story_of_the_draft_wait_again(newsroom: Newsroom) -> None:
    with newsroom.database.write() as connection:
        records = [load_edition(connection, each) for each in IDS[:2]]
        draft = replace(records[0].edition, id=MERGED)
        replace_editions(connection, records, draft, NOW)
    fates = {post_id: state[:2] for post_id, state in newsroom.states().items() if not post_id.endswith("2")}
    assert fates == {
        "tram-0": (PostState.RESERVED, MERGED),
        "owl-0": (PostState.RESERVED, MERGED),
        "tram-1": (PostState.WAITING, None),
        "owl-1": (PostState.WAITING, None),
    }
