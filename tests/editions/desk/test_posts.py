"""The lists of posts: each with its reason, found by words, and decided about together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from digest.editions.desk.posts import (
    NO_TOPIC,
    Decision,
    DecisionError,
    PostList,
    PostQuery,
    PostSearch,
    decide,
    decide_held,
    search_posts,
    words_of,
)
from digest.model.posts import PostState
from tests.scheduler.installation import Place, at

EVENING = "22 20:00"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.publish("Ferry returns", "Tram opens", "Äpfel am Kai")
    place.publish("Apples", feed="orchard")
    place.run(EVENING)
    return place


def posts(
    place: Place, state: PostState = PostState.WAITING, words: str = "", now: str = EVENING, page: int = 1
) -> PostList:
    with place.app() as app:
        search = PostSearch(digest="daily", state=state, words=tuple(words_of(words)))
        return search_posts(app.database, app.config, PostQuery(search=search, page=page), at(now))


def titles(found: PostList) -> list[str]:
    return sorted(each.post.title for each in found.posts)


def act(place: Place, found: Sequence[str], what: str, until: date | None = None) -> int:
    listed = {each.post.title: each.post.id for state in PostState for each in posts(place, state).posts}
    with place.app() as app:
        decision = Decision(what=what, by="Maren Kolb", until=until)
        ids = [listed[title] for title in found]
        return decide(app.database, app.config.digest("daily"), ids, decision, at(EVENING))


def test_each_waiting_post_says_what_becomes_of_it(place: Place) -> None:
    found = {each.post.title: (each.topic, each.why) for each in posts(place).posts}
    assert found["Apples"] == ("Green", "in the next edition")
    assert found["Ferry returns"] == ("", "in the next edition; no topic claims it")
    place.change('topics = ["green"]', 'topics = ["green"]\nmaximum = 1')
    why = [each.why for each in posts(place).posts]
    assert why.count("over the limits of an edition, which has 1 story at most") == 3


def test_waiting_posts_are_found_by_the_topic_that_they_would_stand_under(place: Place) -> None:
    assert posts(place).topics == (("green", "Green", 1), (NO_TOPIC, "", 3))
    assert posts(place, PostState.DROPPED).topics == ()
    for topic, words, expected in (
        ("green", "", ["Apples"]),
        (NO_TOPIC, "", ["Ferry returns", "Tram opens", "Äpfel am Kai"]),
        (NO_TOPIC, "tram", ["Tram opens"]),
        ("nothing", "", []),
    ):
        search = PostSearch(digest="daily", state=PostState.WAITING, words=tuple(words_of(words)))
        with place.app() as app:
            query = PostQuery(search=search, topic=topic)
            found = search_posts(app.database, app.config, query, at(EVENING))
        assert (titles(found), found.found) == (expected, len(expected))


def test_a_post_whose_feed_has_left_the_digest_says_so(place: Place) -> None:
    place.change('topics = ["green"]', 'topics = ["green"]\nfeeds = ["Harbour Gazette"]')
    found = {each.post.title: each.why for each in posts(place).posts}
    assert found["Apples"] == "its feed is not in this digest any more"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ferry", ["Ferry returns"]),
        ("FERRY returns", ["Ferry returns"]),
        ("äpfel", ["Äpfel am Kai"]),
        ("number orchard", ["Apples"]),
        ("ferry tram", []),
        ("%", []),
        ("_", []),
    ],
)
def test_a_search_finds_posts_that_have_all_words(place: Place, words: str, expected: list[str]) -> None:
    assert titles(posts(place, words=words)) == expected


def test_posts_are_dropped_restored_and_deferred_together(place: Place) -> None:
    assert act(place, ["Ferry returns", "Tram opens"], "drop") == 2
    dropped = posts(place, PostState.DROPPED)
    assert titles(dropped) == ["Ferry returns", "Tram opens"]
    assert {each.why for each in dropped.posts} == {"dropped by Maren Kolb"}
    assert act(place, ["Ferry returns", "Tram opens"], "drop") == 0
    assert act(place, ["Ferry returns"], "keep") == 1
    assert act(place, ["Apples"], "defer", date(2026, 11, 25)) == 1
    (deferred,) = posts(place, PostState.DEFERRED).posts
    assert deferred.why == "deferred by Maren Kolb to 2026-11-25"
    place.run("23 06:30")
    assert titles(posts(place, PostState.RESERVED)) == ["Ferry returns", "Äpfel am Kai"]
    place.run("23 07:00")
    place.run("25 06:30")
    assert titles(posts(place, PostState.RESERVED, now="25 06:31")) == ["Apples"]


def test_a_post_of_an_edition_is_left_to_its_edition(place: Place) -> None:
    place.run("23 06:30")
    assert act(place, ["Ferry returns"], "drop") == 0
    assert "Ferry returns" in titles(posts(place, PostState.RESERVED))


@pytest.mark.parametrize("until", [None, date(2026, 11, 22), date(2028, 1, 1)])
def test_a_deferral_needs_a_date_that_makes_sense(place: Place, until: date | None) -> None:
    with pytest.raises(DecisionError, match="after today and within a year"):
        act(place, ["Apples"], "defer", until)
    with pytest.raises(DecisionError):
        act(place, ["Apples"], "burn")
    assert len(posts(place).posts) == 4


def test_the_flood_guard_shows_its_decision_and_takes_ours(place: Place) -> None:
    old = [f"Harbour story {number}" for number in range(8)]
    place.publish(*old, published="20 10:00")
    place.run("22 21:30")
    found = posts(place, PostState.HELD, now="22 21:31")
    (held,) = found.held
    assert (held.feed, held.count) == ("Harbour Gazette", 8)
    assert all(each.why.startswith("held as a possible repeat; waits from Tuesday") for each in found.posts)
    with place.app() as app:
        digest = app.config.digest("daily")
        decision = Decision(what="old", by="Maren")
        assert decide_held(app.database, digest, "Harbour Gazette", decision, at("22 21:32")) == 8
    dropped = posts(place, PostState.DROPPED)
    assert {each.why for each in dropped.posts} == {"dropped by Maren, because it was sent before"}


def test_long_lists_have_pages(place: Place) -> None:
    place.publish(*(f"Note {number}" for number in range(20)))
    place.run("22 21:30")
    found = posts(place, page=99)
    assert (found.page, found.pages, found.found) == (1, 1, len(found.posts))
