from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.stories.group import to_story
from digest.compose.stories.same import gather
from digest.model.editions import Source
from digest.model.links import canonical_url
from digest.model.posts import Via, WaitingPost
from tests.compose import samples
from tests.compose.samples import IMAGE, NOW, groups, published


def test_posts_that_link_to_the_same_page_tell_one_story() -> None:
    original = published("New tram line opens", url="https://trams.example.org/line-9", hours=5)
    shared = published(
        "Line 9 is running", "Coast Weekly", url="https://www.trams.example.org/line-9/?utm_source=x"
    )
    (group,) = groups(original, shared)
    assert group.posts == (original, shared)


def test_a_story_repeated_by_its_feed_under_a_new_id_appears_once() -> None:
    link = "https://trams.example.org/line-9"
    assert (
        len(groups(published("New tram line opens", url=link), published("New tram line opens!", url=link)))
        == 1
    )


def test_a_link_that_one_feed_gives_to_different_posts_does_not_identify_a_story() -> None:
    show = "https://radio.example.org/show"
    first = published("Episode 14: The ferry", "Island Radio", url=show)
    second = published("Episode 15: The lighthouse", "Island Radio", url=show)
    elsewhere = published("Listen to Island Radio", "Coast Weekly", url=show)
    assert len(groups(first, second, elsewhere)) == 3


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Harbour bridge opens to trams", "HARBOUR BRIDGE OPENS TO TRAMS!"),
        ("Harbour bridge opens to trams", "The harbour bridge opens to trams at last"),
        ("Harbour bridge opens to trams", "Harbour Bridge opens to trams | Coast Weekly"),
        ("Council’s new harbour bridge opens", "Council's new harbour bridge opens"),
        ("Storm closes 14 schools", "Storm closes 14 schools"),
        ("港の灯台が百年を迎える", "港の灯台が百年を迎える"),
    ],
)
def test_near_identical_titles_from_two_feeds_tell_one_story(title: str, other: str) -> None:
    assert len(groups(published(title), published(other, "Coast Weekly"))) == 1


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("The week at the old harbour, week 14", "The week at the old harbour, week 15"),
        ("Quay Editor 5.9 release candidate out", "Quay Editor 5.9.3 release candidate out"),
        ("Fire in Ferrol kills three people", "Fire in Vigo kills three people"),
        ("Council will close the harbour library", "Council will not close the harbour library"),
        ("Vitamin C lifts the mood of island sailors", "Vitamin D lifts the mood of island sailors"),
        ("Open thread", "Open thread"),
        ("Storm at sea", "Storm at sea tears three boats from the quay"),
    ],
)
def test_titles_that_say_something_else_are_two_stories(title: str, other: str) -> None:
    assert len(groups(published(title), published(other, "Coast Weekly"))) == 2


def test_the_same_title_more_than_three_days_later_is_another_story() -> None:
    title = "Harbour bridge opens to trams"
    assert len(groups(published(title, hours=1), published(title, "Coast Weekly", hours=72))) == 1
    assert len(groups(published(title, hours=1), published(title, "Coast Weekly", hours=74))) == 2


def test_a_column_a_feed_repeats_under_one_title_stays_apart_also_when_another_feed_shares_it() -> None:
    monday = published("What to see at the harbour", id="monday", hours=40)
    tuesday = published("What to see at the harbour", id="tuesday", hours=16)
    copy = published("What to see at the harbour", "Coast Weekly", hours=15)
    assert [group.posts for group in groups(monday, tuesday, copy)] == [(tuesday, copy), (monday,)]


def test_the_post_that_serves_a_reader_best_is_shown_and_the_others_are_also_in() -> None:
    link = "https://trams.example.org/line-9"
    first = published("New tram line opens", url=link, tags=("Trams", "City"), hours=9)
    pictured = published(
        "New tram line opens", "Coast Weekly", url=link, image=IMAGE, tags=("trams",), hours=2
    )
    late = published("New tram line opens", "Island Radio", url=link, hours=1)
    (group,) = groups(late, pictured, first)
    story = to_story(group, topic="trams", rule="tag: Trams")
    assert (story.id, story.source, story.image) == (pictured.post.id, "Coast Weekly", IMAGE)
    assert story.also == (Source(name="Harbour News", url=link), Source(name="Island Radio", url=link))
    assert story.tags == ("trams", "City")
    assert story.post_ids == (pictured.post.id, first.post.id, late.post.id)
    assert (story.topic, story.rule) == ("trams", "tag: Trams")


def test_a_story_is_never_shown_as_taken_from_its_own_feed() -> None:
    for name, expected in (("Wire News", Via(name="Wire News")), ("harbour-news", None)):
        post = published("Tides turn", "Harbour News", via=Via(name=name))
        assert to_story(groups(post)[0], topic="more", rule="catch-all").via == expected


def test_a_date_in_the_future_does_not_put_a_story_first() -> None:
    tomorrow = published("Tomorrow’s tides", hours=3, published_at=NOW.replace(year=2099))
    today = published("Today’s tides", hours=1)
    assert [group.id for group in groups(tomorrow, today)] == [today.post.id, tomorrow.post.id]


def test_titles_that_crowd_around_one_word_do_not_take_quadratic_time() -> None:
    feed = [
        published(
            f"Harbour notes {'abcdefghij'[n % 10] * 2} {'klmnopqrst'[n // 10 % 10] * 2}",
            f"Feed {n}",
            id=str(n),
        )
        for n in range(3000)
    ]
    assert sum(len(group.posts) for group in gather(feed)) == len(feed)


@given(samples.waiting, st.randoms(use_true_random=False))
def test_grouping_does_not_depend_on_the_order_of_posts(
    waiting: list[WaitingPost], chance: random.Random
) -> None:
    shuffled = list(waiting)
    chance.shuffle(shuffled)
    assert gather(shuffled) == gather(waiting)


@given(samples.waiting)
def test_every_post_is_in_exactly_one_story(waiting: list[WaitingPost]) -> None:
    ids = sorted(each.post.id for group in gather(waiting) for each in group.posts)
    assert ids == sorted(each.post.id for each in waiting)


@given(samples.waiting)
def test_a_page_that_two_feeds_link_to_is_one_story(waiting: list[WaitingPost]) -> None:
    by_feed = {(each.feed_name, canonical_url(each.post.url)): each for each in waiting if each.post.url}
    found = gather(by_feed.values())
    stories: dict[str, set[int]] = {}
    for number, group in enumerate(found):
        for each in group.posts:
            if each.post.url:
                stories.setdefault(canonical_url(each.post.url), set()).add(number)
    assert all(len(numbers) == 1 for numbers in stories.values())
