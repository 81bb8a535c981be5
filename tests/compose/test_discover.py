from __future__ import annotations

import random
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from digest.compose.discover import MOST, discover
from digest.compose.stories.same import gather
from digest.compose.topics import TopicGroup
from digest.model.posts import WaitingPost
from tests.compose import samples
from tests.compose.samples import published

_numbers = count()


def tagged(number: int, *tags: str, feed: str = "Harbour News", title: str = "") -> list[WaitingPost]:
    """Return so many posts with these tags, each with a title of its own unless one is given."""
    names = [f"post-{next(_numbers):05}" for _ in range(number)]
    return [published(title or f"Note {name}", feed, id=name, tags=tags) for name in names]


def found(*posts: list[WaitingPost]) -> tuple[TopicGroup, ...]:
    return discover(gather([each for part in posts for each in part]), catch_all="More stories", room=30)


def sizes(*posts: list[WaitingPost]) -> dict[str, int]:
    return {topic_group.title: len(topic_group.placed) for topic_group in found(*posts)}


def test_a_tag_shared_by_enough_stories_becomes_a_topic_the_largest_first() -> None:
    posts = tagged(3, "trams"), tagged(5, "Climate-Change", "long read"), tagged(1, "owls")
    assert sizes(*posts) == {"Climate-Change": 5, "Trams": 3, "More stories": 1}


def test_a_tag_on_most_stories_is_no_topic() -> None:
    assert sizes(tagged(4, "Port Ellis", "trams"), tagged(4, "Port Ellis", "owls")) == {"Trams": 4, "Owls": 4}


def test_the_number_of_stories_a_topic_needs_grows_with_the_edition() -> None:
    assert "Owls" in sizes(tagged(2, "owls"), tagged(3, "trams"))
    assert "Owls" not in sizes(tagged(2, "owls"), tagged(60, "trams"), tagged(60, "ferries"))


def test_spellings_and_plurals_of_a_tag_are_one_topic() -> None:
    posts = tagged(2, "Tram"), tagged(2, "trams"), tagged(1, "#TRAMS"), tagged(4, "owls")
    assert sizes(*posts) == {"Tram": 5, "Owls": 4}


def test_a_topic_that_has_grown_too_large_is_split_by_a_tag_that_says_more() -> None:
    posts = (
        tagged(12, "World", "Islands"),
        tagged(12, "World"),
        *(tagged(5, tag) for tag in ("owls", "trams", "ferries", "books")),
    )
    headings = sizes(*posts)
    assert (headings["World"], headings["Islands"]) == (12, 12)


def test_two_tags_on_the_same_stories_make_one_topic() -> None:
    assert sizes(tagged(5, "podcast", "harbour-hour"), tagged(5, "owls")) == {"Podcast": 5, "Owls": 5}


def test_tags_for_machines_are_never_headings() -> None:
    machine = "site|harbour", "author_name|Ada Finch", "5.9", "Uncategorized"
    assert sizes(tagged(4, *machine, "trams"), tagged(4, *machine, "owls")) == {"Trams": 4, "Owls": 4}


def test_a_tag_all_posts_of_one_feed_have_marks_the_feed_not_a_topic() -> None:
    posts = (
        tagged(6, "harbour press"),
        tagged(5, "owls", feed="Coast Weekly"),
        tagged(5, "trams", feed="Coast Weekly"),
    )
    assert sizes(*posts) == {"Owls": 5, "Trams": 5, "Harbour News": 6}


def test_the_name_of_a_feed_is_no_topic() -> None:
    posts = tagged(3, "The Tram Times", "trams", feed="The Tram Times"), tagged(3, "owls")
    assert sizes(*posts) == {"Trams": 3, "Owls": 3}


def test_there_are_never_more_than_eight_topics() -> None:
    posts = [tagged(4, f"{message}-boats") for message in "abcdefghijkl"]
    topic_groups = found(*posts)
    assert len(topic_groups) == MOST + 1
    assert topic_groups[-1].title == "More stories"


def test_a_short_edition_has_few_topics() -> None:
    posts = [each for message in "abcdefghijkl" for each in tagged(4, f"{message}-boats")]
    topic_groups = discover(gather(posts), catch_all="More stories", room=12)
    assert len(topic_groups) == 4 + 1


def test_stories_without_tags_join_a_topic_whose_name_is_a_reliable_sign() -> None:
    tagged_so = tagged(3, "Lighthouses", title="Lighthouses of the north")
    named = [
        *tagged(1, feed="Coast Weekly", title="Ten lighthouses to see"),
        *tagged(1, feed="Coast Weekly", title="A house of light"),
        *tagged(1, feed="Coast Weekly", title="Owls at noon"),
    ]
    topic_groups = found(tagged_so, named, tagged(3, "owls"))
    rules = {
        placed.group.posts[0].post.title: placed.rule
        for topic_group in topic_groups
        for placed in topic_group.placed
    }
    assert rules["Ten lighthouses to see"] == "keyword: Lighthouses"
    assert rules["A house of light"] == "feed: Coast Weekly"
    assert rules["Owls at noon"] == "feed: Coast Weekly", "no tagged title proves that owls are meant"


def test_a_name_that_is_often_used_otherwise_is_no_sign() -> None:
    posts = (
        tagged(3, "Release", title="Release of the year"),
        tagged(3, "owls", title="Keepers release owls"),
        tagged(2, feed="Coast Weekly", title="Crews release balloons"),
    )
    assert sizes(*posts) == {"Release": 3, "Owls": 3, "Coast Weekly": 2}


def test_feeds_without_tags_stand_under_their_names() -> None:
    posts = tagged(2, feed="Island Radio"), tagged(3, feed="Coast Weekly"), tagged(1)
    assert sizes(*posts) == {"Coast Weekly": 3, "Island Radio": 2, "More stories": 1}


def test_one_feed_without_tags_is_one_section() -> None:
    (topic_group,) = found(tagged(4))
    assert (topic_group.slug, topic_group.title) == ("more", "More stories")
    assert {placed.rule for placed in topic_group.placed} == {"catch-all"}


def test_slugs_are_made_of_headings_and_never_meet() -> None:
    topic_groups = found(tagged(3, "Café & Bar"), tagged(3, "more"), tagged(3, "cafe-bar"), tagged(1))
    assert sorted(topic_group.slug for topic_group in topic_groups) == [
        "cafe-bar",
        "cafe-bar-2",
        "more",
        "more-2",
    ]
    assert topic_groups[-1].slug == "more"


@given(samples.waiting, st.randoms(use_true_random=False))
def test_the_same_posts_in_any_order_have_the_same_topics(
    waiting: list[WaitingPost], chance: random.Random
) -> None:
    shuffled = list(waiting)
    chance.shuffle(shuffled)
    assert discover(gather(shuffled), catch_all="More", room=30) == discover(
        gather(waiting), catch_all="More", room=30
    )


@given(samples.waiting)
def test_every_story_is_in_exactly_one_topic_group(waiting: list[WaitingPost]) -> None:
    stories = gather(waiting)
    topic_groups = discover(stories, catch_all="More", room=30)
    assert sorted(placed.group.id for topic_group in topic_groups for placed in topic_group.placed) == sorted(
        group.id for group in stories
    )
    assert len({topic_group.slug for topic_group in topic_groups}) == len(topic_groups)
    assert all(topic_group.placed for topic_group in topic_groups)
