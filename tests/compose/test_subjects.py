"""A story whose publisher writes no section stands where its feed belongs; small sections share a heading."""

from __future__ import annotations

from dataclasses import replace

import pytest

from digest.compose.discover import Newsroom, discover
from digest.compose.sections.headings import MOST, Past
from digest.compose.sections.lexicon import headings, lookup, wider
from digest.compose.stories.same import gather
from digest.model.posts import WaitingPost
from digest.model.publication import Feed
from tests.compose.test_sections import DESK, rules, sizes, tagged

NAMES = ("World", "Sport", "Business", "Culture", "Technology", "Science", "Politics")
PAPER = "Harbour News"
GEAR = "Pocket Circuit"


def sections(*names: str, number: int = 4) -> list[WaitingPost]:
    """Return so many posts in each of these sections of a newspaper."""
    return [post for name in names for post in tagged(number, name)]


def knowing(feed: str, *tags: tuple[str, ...]) -> Newsroom:
    """Return a newsroom that knows earlier posts of the newspaper, and those of a feed with these tags."""
    paper = [(name,) for name in NAMES for _ in range(4)]
    return replace(DESK, past=Past(tags={PAPER: paper, feed: tags}))


# ── sections that share a heading ───────────────────────────────────────────────────────────


def test_a_small_section_goes_to_a_wider_one_where_there_are_too_many_headings() -> None:
    several = sections(*NAMES), tagged(4, "National"), tagged(2, "Local news", feed="Coast Weekly")
    found = sizes(*several)
    assert len(found) == MOST
    assert found["National"] == 6
    assert "leads with Local news, under National" in rules(*several)


def test_where_there_is_room_a_small_section_keeps_its_heading() -> None:
    found = sizes(sections(*NAMES[:4]), tagged(4, "National"), tagged(2, "Local news", feed="Coast Weekly"))
    assert found["Local"] == 2


def test_two_small_sections_have_a_heading_together_that_neither_has_alone() -> None:
    small = tagged(3, "Science"), tagged(3, "Environment", feed="Coast Weekly")
    others = sections(*(name for name in NAMES if name != "Science"), "National", number=5)
    assert sizes(others, tagged(5, "Health"), small[0], tagged(1, feed="Coast Weekly")).get("Science") is None
    assert sizes(others, *small)["Science"] == 6


def test_a_story_alone_in_its_section_stands_under_the_wider_one() -> None:
    posts = sections("World", "Lifestyle"), tagged(1, "Travel", feed="Coast Weekly")
    assert sizes(*posts) == {"Lifestyle": 5, "World": 4}


def test_each_wider_heading_is_a_heading_and_has_no_wider_one() -> None:
    assert {wider(slug) for slug in headings() if wider(slug)} <= {
        slug for slug in headings() if not wider(slug)
    }


# ── feeds of one subject ────────────────────────────────────────────────────────────────────


def test_a_feed_whose_known_tags_have_one_subject_belongs_there_with_all_its_stories() -> None:
    earlier = [("Phones", "Ada"), ("Laptops",), ("Quay Pro",), ("Reviews", "Phones"), ("Ada", "Otto")]
    today = tagged(2, "Quay Pro", feed=GEAR), tagged(2, feed=GEAR), tagged(1, "Otto", "Food", feed=GEAR)
    found = sizes(sections("World", "Lifestyle"), *today, desk=knowing(GEAR, *earlier))
    assert found == {"Technology": 5, "Lifestyle": 4, "World": 4}


@pytest.mark.parametrize(
    "earlier",
    [
        [("Phones",), ("Football",), ("Books",), ("Phones",)],  # the tags have several subjects
        [("Phones",), *[("Quay",)] * 10],  # too few tags are known
        [*[("Quay", "a")] * 6, *[("Boats", "a")] * 6, *[("Phones", "b")] * 2],  # it has sections of its own
    ],
)
def test_a_feed_whose_tags_do_not_tell_one_subject_stands_under_its_name(
    earlier: list[tuple[str, ...]],
) -> None:
    found = sizes(sections("World", "Sport"), tagged(4, feed=GEAR), desk=knowing(GEAR, *earlier))
    assert found == {"Pocket Circuit": 4, "Sport": 4, "World": 4}


def test_stories_that_another_feed_covers_tell_the_subject_of_a_feed_without_tags() -> None:
    posts = sections("World", "Technology")
    shared = [replace(each, feed_name="Second Look") for each in posts if each.post.tags == ("Technology",)]
    shared = [
        replace(each, post=replace(each.post, id=f"also-{each.post.id}", feed_id="Second Look", tags=()))
        for each in shared[:2]
    ]
    found = discover(gather([*posts, *shared, *tagged(5, feed="Second Look")]), DESK)
    assert {each.title: len(each.placed) for each in found} == {"Technology": 9, "World": 4}
    assert "feed: Second Look, mostly Technology" in {each.rule for one in found for each in one.placed}


def test_the_operators_word_counts_more_than_what_the_stories_tell() -> None:
    named = Feed(name=GEAR, url="https://pocket.example.org/feed", topics=("quay-life",))
    desk = replace(knowing(GEAR, *[("Phones",)] * 9), feeds=(named,))
    assert sizes(sections("World", "Technology"), tagged(3, "Phones", feed=GEAR), desk=desk) == {
        "Technology": 4,
        "World": 4,
        "Quay life": 3,
    }


# ── news in general ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("news", ["structure:news", "News", "Nachrichten"])
def test_news_in_general_of_a_newspaper_is_national(news: str) -> None:
    posts = sections(*NAMES[:4]), tagged(2, news), tagged(3, "National", feed="Coast Weekly")
    assert sizes(*posts)["National"] == 5
    assert f"news in general: {news}" in rules(*posts)


def test_news_of_a_feed_that_is_no_newspaper_is_not_national() -> None:
    posts = sections(*NAMES[:4]), tagged(4, "News", feed=GEAR), tagged(3, "National")
    assert sizes(*posts)["National"] == 3
    assert lookup("News") is None


def test_a_section_that_joins_two_names_of_one_heading_is_that_heading() -> None:
    assert lookup("Essen & Trinken") == lookup("Essen und Trinken") == "lifestyle"
    assert lookup("Kunst & Kultur") == lookup("Arts et spectacles") == "culture"
    assert lookup("Politik und Wirtschaft") is None
    assert lookup("Food and drug agency") is None
