from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from digest.model.editions import Composed, Edition, EditionState, StepCause
from digest.model.posts import PostState
from digest.storage.database import Database
from digest.storage.editions.lists import list_editions
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance
from tests.compose.newsroom import Newsroom
from tests.compose.samples import DAILY, NOW, published, topic


@pytest.fixture
def newsroom(database: Database) -> Newsroom:
    return Newsroom(database=database)


def step(newsroom: Newsroom, edition_id: str, *states: EditionState) -> None:
    for state in states:
        with newsroom.database.write() as connection:
            advance(connection, edition_id, state, StepCause(at=NOW, why="as the test wants it"))


def test_waiting_posts_become_a_draft_and_are_reserved_by_it(newsroom: Newsroom) -> None:
    newsroom.publish(
        published("Tram", id="tram", tags=("trams",)), published("Owl", "Coast Weekly", id="owl")
    )
    composed = newsroom.compose(replace(DAILY, topics=("trams",)), topics=[topic("trams", tags=("trams",))])
    assert composed.record
    assert composed == Composed(record=composed.record, reason="", used=2)
    assert composed.record.state is EditionState.DRAFT
    assert newsroom.states() == dict.fromkeys(("owl", "tram"), (PostState.RESERVED, "daily-2026-11-22", ""))
    with newsroom.database.read() as connection:
        assert load_edition(connection, "daily-2026-11-22") == composed.record


def test_under_the_minimum_nothing_is_written(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"))
    composed = newsroom.compose(replace(DAILY, minimum=3))
    reason = "there is 1 new story, and this digest needs at least 3"
    assert composed == Composed(record=None, reason=reason, carried=1)
    assert newsroom.states() == {"tram": (PostState.WAITING, None, "")}


def test_stories_over_the_maximum_are_carried_over_to_the_next_edition(newsroom: Newsroom) -> None:
    newsroom.publish(*(published(f"Note {n}", id=str(n), hours=n) for n in range(1, 6)))
    first = newsroom.compose(replace(DAILY, maximum=3))
    second = newsroom.compose(replace(DAILY, maximum=3), day=1)
    assert (first.used, first.carried, second.used, second.carried) == (3, 2, 2, 0)
    assert newsroom.compose(day=2) == Composed(record=None, reason="there are no new posts")


def test_posts_that_are_dropped_say_why(newsroom: Newsroom) -> None:
    newsroom.publish(published("Old", id="old", hours=80), published("New", id="new"))
    composed = newsroom.compose(replace(DAILY, max_age=timedelta(days=2)))
    assert (composed.used, composed.dropped) == (1, 1)
    reason = "it was published 3 days ago, and the limit is 2 days"
    assert newsroom.states()["old"] == (PostState.DROPPED, None, reason)


def test_a_story_from_another_feed_a_day_later_is_not_published_again(newsroom: Newsroom) -> None:
    newsroom.publish(published("Line 9 opens", url="https://trams.example.org/9", id="first"))
    newsroom.compose()
    newsroom.publish(published("Nine runs", "Coast Weekly", url="https://trams.example.org/9/", id="second"))
    assert newsroom.compose(day=1).reason == "there are no new posts: 1 post is too old or already published"
    assert newsroom.states()["second"] == (PostState.DROPPED, None, "already published in daily-2026-11-22")


def test_a_story_is_also_recognised_by_the_headline_it_was_published_with(newsroom: Newsroom) -> None:
    first = published("Tram line nine opens to passengers", id="first", url="https://trams.example.org/9")
    newsroom.publish(first)
    newsroom.compose()
    newsroom.edit(replace(first, post=replace(first.post, title="Mayor rides the first tram")))
    newsroom.publish(
        published("Tram line nine opens to passengers", "Coast Weekly", id="copied"),
        published("Mayor rides the first tram", "Island Radio", id="reworded"),
        published("Mayor rides to sea", "The Tram Times", id="link", url="https://trams.example.org/9/"),
    )
    newsroom.compose(day=1)
    why = PostState.DROPPED, None, "already published in daily-2026-11-22"
    assert [newsroom.states()[name] for name in ("copied", "reworded", "link")] == [why] * 3


def test_a_day_with_an_open_edition_is_not_composed_again(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"))
    newsroom.compose()
    newsroom.publish(published("Owl", id="owl"))
    composed = newsroom.compose()
    assert composed == Composed(record=None, reason="there is already daily-2026-11-22 (draft)")
    assert newsroom.states()["owl"][0] is PostState.WAITING


def test_after_a_skipped_edition_the_day_can_be_composed_again(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"))
    newsroom.compose()
    step(newsroom, "daily-2026-11-22", EditionState.SKIPPED)
    assert newsroom.states() == {"tram": (PostState.WAITING, None, "")}
    again = newsroom.compose()
    assert again.record
    assert again.record.edition.id == "daily-2026-11-22-2"


def test_a_second_edition_of_a_day_contains_only_new_posts(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"))
    newsroom.compose()
    step(newsroom, "daily-2026-11-22", EditionState.APPROVED, EditionState.SENDING, EditionState.SENT)
    assert newsroom.compose().reason == "there are no new posts"
    newsroom.publish(published("Owl", id="owl"))
    second = newsroom.compose()
    assert second.record
    assert [story.id for story in second.record.edition.stories()] == ["owl"]


def test_editions_are_numbered_and_one_that_nobody_got_gives_its_number_back(newsroom: Newsroom) -> None:
    def number(day: int) -> int:
        newsroom.publish(published(f"Tram {day}", id=f"tram-{day}"))
        composed = newsroom.compose(day=day)
        assert composed.record
        return composed.record.edition.number

    assert [number(0), number(1), number(2)] == [1, 2, 3]
    step(newsroom, "daily-2026-11-24", EditionState.SKIPPED)
    assert number(3) == 3
    step(newsroom, "daily-2026-11-25", EditionState.APPROVED, EditionState.SENDING, EditionState.CANCELLED)
    assert number(4) == 4
    step(newsroom, "daily-2026-11-23", EditionState.CANCELLED)
    assert number(5) == 5


def test_a_number_that_is_given_back_while_an_edition_is_planned_is_its_number(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram", id="tram"))
    newsroom.compose()
    newsroom.publish(published("Owl", id="owl"))

    def skipped(_: Edition) -> bool:
        with newsroom.database.read() as connection:
            first = load_edition(connection, "daily-2026-11-22")
        if first.is_ahead:
            step(newsroom, "daily-2026-11-22", EditionState.SKIPPED)
        return True

    composed = newsroom.compose(day=1, fits=skipped)
    assert composed.record
    assert composed.record.edition.number == 1


def test_two_that_compose_at_once_make_one_edition(newsroom: Newsroom) -> None:
    newsroom.publish(published("Tram"), published("Owl"))
    start = Barrier(4)

    def compose() -> Composed:
        start.wait()
        return newsroom.compose()

    with ThreadPoolExecutor(4) as pool:
        composed = [future.result() for future in [pool.submit(compose) for _ in range(4)]]
    assert sum(each.record is not None for each in composed) == 1
    assert {each.reason for each in composed} == {"", "there is already daily-2026-11-22 (draft)"}
    with newsroom.database.read() as connection:
        assert len(list_editions(connection)) == 1
