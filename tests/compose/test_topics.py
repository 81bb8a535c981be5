from __future__ import annotations

import pytest
from hypothesis import given

from digest.compose.stories import gather
from digest.compose.topics import Shelf, place
from digest.model import WaitingPost
from digest.publication import Feed, Topic
from tests.compose import samples
from tests.compose.samples import groups, told, topic


def shelves(
    *topics: Topic, of: tuple[WaitingPost, ...], feeds: tuple[Feed, ...] = ()
) -> dict[str, list[str]]:
    """Return slug → the rule of each story there."""
    found = place(groups(*of), topics, feeds, catch_all="More stories")
    return {shelf.slug: [placed.rule for placed in shelf.placed] for shelf in found}


def test_a_tag_is_compared_as_people_write_it() -> None:
    climate = topic("climate", tags=("Climate change",))
    assert shelves(climate, of=(told("Warm autumn", tags=("climate-CHANGE",)),)) == {
        "climate": ["tag: Climate change"]
    }


def test_aliases_of_any_topic_hold_for_all_topics_and_may_follow_each_other() -> None:
    rail = topic("rail", tags=("trains",))
    words = topic("words", aliases=(("Eisenbahn", "railways"), ("railways", "Trains")))
    assert shelves(rail, words, of=(told("Neue Strecke", tags=("eisenbahn",)),)) == {"rail": ["tag: trains"]}


def test_aliases_that_go_in_a_circle_mean_one_thing() -> None:
    rail = topic("rail", tags=("trains",), aliases=(("trains", "railways"), ("railways", "trains")))
    assert shelves(rail, of=(told("New line", tags=("Railways",)),)) == {"rail": ["tag: trains"]}


@pytest.mark.parametrize(
    ("keyword", "title", "found"),
    [
        ("night train", "The Night-Train is back", True),
        ("night train", "A night of training", False),
        ("Ölpreis", "ÖLPREIS steigt", True),
        ("C++", "What is new in C++", True),
        ("rail", "Trail closed", False),
        ("灯台", "港の灯台が百年", True),
        ("…", "Anything at all", False),
    ],
)
def test_a_keyword_is_found_by_whole_words(keyword: str, title: str, *, found: bool) -> None:
    placed = shelves(topic("trains", keywords=(keyword,)), of=(told(title, blurb=""),))
    assert placed == ({"trains": [f"keyword: {keyword}"]} if found else {"more": ["catch-all"]})


def test_a_keyword_is_found_in_the_blurb_but_not_across_its_border() -> None:
    trains = topic("trains", keywords=("night train",))
    assert "trains" in shelves(trains, of=(told("Travel", blurb="By night train to the sea."),))
    assert "trains" not in shelves(trains, of=(told("A calm night", blurb="Train to the sea."),))


def test_a_feed_brings_its_stories_named_by_the_topic_or_by_the_feed() -> None:
    harbour = topic("harbour", feeds=("Harbour News",))
    coast = topic("coast")
    feed = Feed(name="Coast Weekly", url="https://coast.example.org/feed", topics=("coast",))
    assert shelves(harbour, coast, of=(told("One"), told("Two", "Coast Weekly")), feeds=(feed,)) == {
        "harbour": ["feed: Harbour News"],
        "coast": ["feed: Coast Weekly"],
    }


def test_the_first_topic_that_claims_a_story_has_it() -> None:
    story = told("Tram to the sea", tags=("Sea", "Trams"))
    sea, trams = topic("sea", tags=("sea",)), topic("trams", tags=("trams",))
    assert shelves(sea, trams, of=(story,)) == {"sea": ["tag: sea"]}
    first = topic("trams", tags=("trams",), order=-1)
    assert shelves(sea, first, of=(story,)) == {"trams": ["tag: trams"]}


def test_a_tag_comes_before_a_keyword_and_a_keyword_before_a_feed() -> None:
    both = topic("sea", tags=("sea",), keywords=("tram",), feeds=("Harbour News",))
    posts = told("Tram", tags=("sea",), hours=1), told("Tram two", hours=2), told("Bus", hours=3)
    assert shelves(both, of=posts) == {"sea": ["tag: sea", "keyword: tram", "feed: Harbour News"]}


def test_topics_without_stories_vanish_and_the_catch_all_comes_last() -> None:
    assert list(
        shelves(
            topic("sea", tags=("sea",)),
            topic("trams", tags=("trams",)),
            of=(told("Bus"), told("Tram", tags=("Trams",))),
        )
    ) == ["trams", "more"]


def test_the_slug_of_the_catch_all_gives_way_to_a_topic_of_that_name() -> None:
    more = topic("more", tags=("sea",))
    assert list(shelves(more, of=(told("Sea", tags=("sea",)), told("Bus")))) == ["more", "more-2"]


@given(samples.waiting, samples.topics)
def test_every_story_stands_on_exactly_one_shelf(waiting: list[WaitingPost], topics: list[Topic]) -> None:
    stories = gather(waiting)
    found = place(stories, topics, catch_all="More")
    assert sorted(ids(found)) == sorted(group.id for group in stories)
    assert len({shelf.slug for shelf in found}) == len(found)


def ids(shelves: tuple[Shelf, ...]) -> list[str]:
    return [placed.group.id for shelf in shelves for placed in shelf.placed]
