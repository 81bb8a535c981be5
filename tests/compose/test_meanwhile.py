"""An edition is planned with nothing locked; whatever happens meanwhile, the right edition is saved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from digest.model.editions import Composed, Edition, EditionState, StepCause
from digest.model.posts import PostState
from digest.storage.database import Database, open_database
from digest.storage.editions.lists import list_editions
from digest.storage.editions.steps import advance
from subscribers.store.tables import subscribers
from tests.compose.newsroom import Newsroom, is_locked, meanwhile
from tests.compose.samples import DAILY, NOW, published
from tests.databases import create_tables
from tests.send.world import add_reader, leave

ATTEMPTS = 3  # with nothing locked


@pytest.fixture
def newsroom(database: Database) -> Newsroom:
    return Newsroom(database=database)


def skip(newsroom: Newsroom, edition_id: str) -> None:
    with newsroom.database.write() as connection:
        advance(connection, edition_id, EditionState.SKIPPED, StepCause(at=NOW, why="as the test wants it"))


def stories(composed: Composed) -> list[str]:
    assert composed.record
    return sorted(story.title for story in composed.record.edition.stories())


def count(newsroom: Newsroom) -> int:
    with newsroom.database.read() as connection:
        return len(list_editions(connection))


def test_a_reader_can_unsubscribe_while_emails_are_rendered(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))
    add_reader(newsroom.database, 1)
    locked: list[bool] = []

    def look(edition: Edition) -> bool:
        locked.append(is_locked(newsroom.database))
        if not locked[-1]:
            leave(newsroom.database, 1)
        return True

    assert newsroom.compose(fits=look).used == 1
    assert locked == [False]
    with newsroom.database.read() as connection:
        assert connection.execute(subscribers.select()).one().state == "unsubscribed"


def test_a_post_that_arrives_meanwhile_is_in_the_edition(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))
    composed = newsroom.compose(fits=meanwhile(lambda: newsroom.publish(published("Owl"))))
    assert stories(composed) == ["Owl", "Tram"]
    assert {state for state, _, _ in newsroom.states().values()} == {PostState.RESERVED}


def test_the_edition_is_the_same_as_if_nothing_had_happened_meanwhile(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))
    disturbed = newsroom.compose(
        fits=meanwhile(lambda: newsroom.publish(published("Owl"), published("Ferry")))
    )
    calm = Newsroom(database=open_database("sqlite://"))
    with calm.database.write() as connection:
        create_tables(connection)
    calm.publish(published("Ferry"), published("Owl"), published("Tram"))
    undisturbed = calm.compose()
    calm.database.close()
    assert disturbed == undisturbed


def test_a_post_that_is_edited_meanwhile_is_shown_as_edited(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tarm", id="tram"), published("Owl"))
    edited = published("Tram", id="tram", fingerprint="edited")
    composed = newsroom.compose(fits=meanwhile(lambda: newsroom.edit(edited)))
    assert stories(composed) == ["Owl", "Tram"]


def test_when_another_process_composes_meanwhile_there_is_one_edition(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"))
    others: list[Composed] = []
    composed = newsroom.compose(fits=meanwhile(lambda: others.append(newsroom.compose())))
    assert composed == Composed(record=None, reason="there is already daily-2026-11-22 (draft)")
    assert [stories(other) for other in others] == [["Tram"]]
    assert newsroom.states() == {"tram": (PostState.RESERVED, "daily-2026-11-22", "")}
    assert count(newsroom) == 1


def test_posts_that_another_edition_used_in_the_meantime_are_not_repeated(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"), published("Owl", id="owl", hours=2))
    composed = newsroom.compose(
        fits=meanwhile(lambda: newsroom.compose(replace(DAILY, maximum=1), day=1)),
    )
    assert stories(composed) == ["Owl"]
    assert newsroom.states() == {
        "tram": (PostState.RESERVED, "daily-2026-11-23", ""),
        "owl": (PostState.RESERVED, "daily-2026-11-22", ""),
    }


def test_if_all_posts_were_used_in_the_meantime_there_is_no_edition(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))
    composed = newsroom.compose(fits=meanwhile(lambda: newsroom.compose(day=1)))
    assert composed == Composed(record=None, reason="there are no new posts")


def test_a_post_is_not_dropped_for_an_edition_that_is_skipped_meanwhile(newsroom: Newsroom) -> None:
    newsroom.publish(published("Line 9 opens", url="https://trams.example.org/9", id="first"))
    newsroom.compose()
    newsroom.publish(published("Nine runs", "Coast Weekly", url="https://trams.example.org/9/", id="second"))
    newsroom.publish(published("Owl", id="owl"))
    composed = newsroom.compose(day=1, fits=meanwhile(lambda: skip(newsroom, "daily-2026-11-22")))
    assert (composed.used, composed.dropped) == (3, 0)
    assert {state[:2] for state in newsroom.states().values()} == {(PostState.RESERVED, "daily-2026-11-23")}


def test_an_id_that_was_taken_in_the_meantime_is_not_used_again(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))

    def compose_and_skip() -> None:
        newsroom.compose()
        skip(newsroom, "daily-2026-11-22")

    composed = newsroom.compose(fits=meanwhile(compose_and_skip))
    assert composed.record
    assert composed.record.edition.id == "daily-2026-11-22-2"
    assert stories(composed) == ["Tram"]


def test_when_something_happens_each_time_the_last_plan_is_made_with_others_locked_out(
    newsroom: Newsroom,
) -> None:
    newsroom.publish(published("Tram"))
    locked: list[bool] = []

    def look(edition: Edition) -> bool:
        locked.append(is_locked(newsroom.database))
        if not locked[-1]:
            newsroom.publish(published(f"Owl {len(locked)}"))
        return True

    composed = newsroom.compose(fits=look)
    assert locked == [False] * ATTEMPTS + [True]
    assert stories(composed) == ["Owl 1", "Owl 2", "Owl 3", "Tram"]
    assert {state for state, _, _ in newsroom.states().values()} == {PostState.RESERVED}


def test_when_another_process_composes_during_the_last_attempt_there_is_one_edition(
    newsroom: Newsroom,
) -> None:
    newsroom.publish(published("Tram"))
    arrivals = [lambda n=n: newsroom.publish(published(f"Owl {n}")) for n in range(ATTEMPTS - 1)]
    composed = newsroom.compose(fits=meanwhile(*arrivals, newsroom.compose))
    assert composed == Composed(record=None, reason="there is already daily-2026-11-22 (draft)")
    assert count(newsroom) == 1


def test_a_failure_while_emails_are_rendered_changes_nothing(newsroom: Newsroom) -> None:
    newsroom.publish(published("Old", hours=80), published("Tram"))
    before = newsroom.states()

    def fail(_edition: Edition) -> bool:
        raise ValueError("a template with a typo")

    with pytest.raises(ValueError, match="typo"):
        newsroom.compose(fits=fail)
    assert newsroom.states() == before
    assert not is_locked(newsroom.database)
