from __future__ import annotations

import pytest
from hypothesis import given

from digest.compose.stories.same import gather
from digest.compose.topics import TopicGroup, place
from digest.model.posts import WaitingPost
from digest.model.publication import Feed, Topic
from tests.compose import samples
from tests.compose.samples import groups, published, topic


def topic_groups(
    *topics: Topic, of: tuple[WaitingPost, ...], feeds: tuple[Feed, ...] = ()
) -> dict[str, list[str]]:
    """Return slug → the rule of each story there."""
    found = place(groups(*of), topics, feeds, catch_all="More stories")
    return {topic_group.slug: [placed.rule for placed in topic_group.placed] for topic_group in found}


def test_a_tag_is_compared_as_people_write_it() -> None:
    climate = topic("climate", tags=("Climate change",))
    assert topic_groups(climate, of=(published("Warm autumn", tags=("climate-CHANGE",)),)) == {
        "climate": ["tag: Climate change"]
    }


def test_aliases_of_any_topic_hold_for_all_topics_and_may_follow_each_other() -> None:
    rail = topic("rail", tags=("trains",))
    words = topic("words", aliases=(("Eisenbahn", "railways"), ("railways", "Trains")))
    assert topic_groups(rail, words, of=(published("Neue Strecke", tags=("eisenbahn",)),)) == {
        "rail": ["tag: trains"]
    }


def test_aliases_that_go_in_a_circle_mean_one_thing() -> None:
    rail = topic("rail", tags=("trains",), aliases=(("trains", "railways"), ("railways", "trains")))
    assert topic_groups(rail, of=(published("New line", tags=("Railways",)),)) == {"rail": ["tag: trains"]}


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
    placed = topic_groups(topic("trains", keywords=(keyword,)), of=(published(title, blurb=""),))
    assert placed == ({"trains": [f"keyword: {keyword}"]} if found else {"more": ["catch-all"]})


def test_a_keyword_is_found_in_the_blurb_but_not_across_its_border() -> None:
    trains = topic("trains", keywords=("night train",))
    assert "trains" in topic_groups(trains, of=(published("Travel", blurb="By night train to the sea."),))
    assert "trains" not in topic_groups(trains, of=(published("A calm night", blurb="Train to the sea."),))


def test_a_feed_claims_its_stories_if_the_topic_or_the_feed_says_so() -> None:
    harbour = topic("harbour", feeds=("Harbour News",))
    coast = topic("coast")
    feed = Feed(name="Coast Weekly", url="https://coast.example.org/feed", topics=("coast",))
    assert topic_groups(
        harbour, coast, of=(published("One"), published("Two", "Coast Weekly")), feeds=(feed,)
    ) == {
        "harbour": ["feed: Harbour News"],
        "coast": ["feed: Coast Weekly"],
    }


def test_the_first_topic_that_claims_a_story_has_it() -> None:
    story = published("Tram to the sea", tags=("Sea", "Trams"))
    sea, trams = topic("sea", tags=("sea",)), topic("trams", tags=("trams",))
    assert topic_groups(sea, trams, of=(story,)) == {"sea": ["tag: sea"]}
    first = topic("trams", tags=("trams",), order=-1)
    assert topic_groups(sea, first, of=(story,)) == {"trams": ["tag: trams"]}


def test_a_tag_comes_before_a_keyword_and_a_keyword_before_a_feed() -> None:
    both = topic("sea", tags=("sea",), keywords=("tram",), feeds=("Harbour News",))
    posts = (
        published("Tram", tags=("sea",), hours=1),
        published("Tram two", hours=2),
        published("Bus", hours=3),
    )
    assert topic_groups(both, of=posts) == {"sea": ["tag: sea", "keyword: tram", "feed: Harbour News"]}


def test_topics_without_stories_vanish_and_the_catch_all_comes_last() -> None:
    assert list(
        topic_groups(
            topic("sea", tags=("sea",)),
            topic("trams", tags=("trams",)),
            of=(published("Bus"), published("Tram", tags=("Trams",))),
        )
    ) == ["trams", "more"]


def test_the_slug_of_the_catch_all_gives_way_to_a_topic_of_that_name() -> None:
    more = topic("more", tags=("sea",))
    assert list(topic_groups(more, of=(published("Sea", tags=("sea",)), published("Bus")))) == [
        "more",
        "more-2",
    ]


@given(samples.waiting, samples.topics)
def test_every_story_is_in_exactly_one_topic_group(waiting: list[WaitingPost], topics: list[Topic]) -> None:
    stories = gather(waiting)
    found = place(stories, topics, catch_all="More")
    assert sorted(ids(found)) == sorted(group.id for group in stories)
    assert len({topic_group.slug for topic_group in found}) == len(found)


def ids(topic_groups: tuple[TopicGroup, ...]) -> list[str]:
    return [placed.group.id for topic_group in topic_groups for placed in topic_group.placed]
