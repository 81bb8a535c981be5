from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.recognise import recognise, with_keys
from digest.model.posts import Post

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
TOPICS = ("The tide turns at noon", "Fog over the quay", "A new bell for the chapel", "Market day moves")
TEXTS = (
    "Boats may leave the harbour two hours later than they did last week.",
    "Nobody saw the ferry until it had tied up beside the old crane.",
    "It was cast in the yard behind the school and weighs as much as a cow.",
    "From spring on, the stalls open on the square in front of the library.",
)


def test_known_posts_are_known_and_new_posts_are_new() -> None:
    posts = [a_post(number) for number in range(3)]
    assert recognise(posts, posts) == tuple(posts)
    assert recognise(posts, [a_post(3)]) == (None, None, None)


def test_an_edited_post_is_known_by_its_id() -> None:
    edited = replace(a_post(0), title="High water comes later", published_at=NOW + timedelta(hours=5))
    assert recognise([edited], [a_post(0)]) == (a_post(0),)


def test_when_all_ids_change_the_posts_keep_theirs() -> None:
    known = [a_post(number) for number in range(4)]
    changed = [other_id(replace(post, title=f"Edited: {post.title}")) for post in known]
    kept = with_keys(changed, recognise(changed, known), known)
    assert [post.id for post in kept] == [post.id for post in known]
    assert [post.key for post in kept] == [post.key for post in changed]


def test_when_ids_and_links_change_title_and_time_are_enough() -> None:
    known = [replace(a_post(number), url=None) for number in range(4)]
    assert recognise([elsewhere(post) for post in known], known) == tuple(known)


def test_when_all_dates_change_too_titles_and_texts_are_enough_if_several_agree() -> None:
    known = [a_post(number) for number in range(4)]
    moved = [replace(elsewhere(post), published_at=NOW + timedelta(days=9)) for post in known]
    assert recognise(moved, known) == tuple(known)
    assert recognise(moved[:2], known) == (None, None)


@pytest.mark.parametrize(
    "title",
    ["The tide turns at noon today", "Tide turns at noon", "The tide turns at noonn", "Tide turns noon"],
)
def test_an_edited_headline_with_another_id_and_link_is_the_same_post(title: str) -> None:
    edited = replace(elsewhere(a_post(0)), title=title)
    assert recognise([edited, a_post(1)], [a_post(0), a_post(1)]) == (a_post(0), a_post(1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Fire in Ferrol kills three", "Fire in Vigo kills three"),
        ("Tide table for week 14", "Tide table for week 15"),
        ("The bridge is closed", "The bridge is not closed"),
        ("Photo of the day", "Photo of the day"),
    ],
)
def test_the_next_post_of_a_kind_is_another_post(before: str, after: str) -> None:
    known = replace(a_post(0), title=before)
    fresh = replace(elsewhere(known), title=after, blurb=TEXTS[1], published_at=NOW + timedelta(days=1))
    assert recognise([fresh], [known]) == (None,)


def test_a_post_that_is_still_there_is_never_taken_for_another() -> None:
    near = replace(elsewhere(a_post(0)), title="The tide turns at noon again")
    assert recognise([near, a_post(0)], [a_post(0)]) == (None, a_post(0))
    assert recognise([other_id(a_post(0)), a_post(0)], [a_post(0)]) == (None, a_post(0))


def test_a_link_that_every_post_has_proves_nothing() -> None:
    home = "https://harbour.example.org/"
    known = [replace(a_post(number), url=home, key=home) for number in range(2)]
    fresh = [replace(a_post(number), url=home, key=home) for number in (2, 3)]
    assert recognise(fresh, known) == (None, None)
    assert recognise(fresh[:1], known[:1]) == (None,)


def test_without_an_id_a_headline_may_still_be_edited() -> None:
    link = "https://harbour.example.org/tide"
    known = replace(a_post(0), key=link, url=link)
    for changed in (
        replace(known, title="High water comes later"),
        replace(known, title="The tide turns at one", published_at=None),
        replace(known, blurb=TEXTS[1], published_at=NOW + timedelta(hours=1)),
    ):
        assert recognise([changed], [known]) == (known,)


def test_ids_that_are_numbers_of_places_move_on_with_every_post() -> None:
    known = [replace(a_post(number), key=f"place {number}") for number in range(3)]
    document = [
        replace(a_post(3), key="place 0"),
        *(replace(a_post(n), key=f"place {n + 1}") for n in range(3)),
    ]
    found = recognise(document, known)
    assert found == (None, *known)
    kept = with_keys(document, found, known)
    assert len({post.key for post in kept}) == len({post.id for post in kept}) == 4
    assert recognise(document, kept) == kept


def test_keys_stay_the_same_when_other_posts_with_the_same_id_come_and_go() -> None:
    posts = [replace(a_post(number), key="one for all") for number in range(3)]
    stored = with_keys(posts, recognise(posts, []), [])
    assert len({post.key for post in stored}) == 3
    for document in (posts[1:], posts[2:], posts[::-1], posts[:1], posts):
        found = recognise(document, stored)
        assert [post and post.title for post in found] == [post.title for post in document]
        stored = tuple({post.id: post for post in (*stored, *with_keys(document, found, stored))}.values())
    assert len(stored) == 3


def a_post(number: int) -> Post:
    return Post(
        id=str(number),
        feed_id="harbour",
        key=f"key {number}",
        url=f"https://harbour.example.org/{number}?utm_source=rss",
        title=TOPICS[number],
        blurb=TEXTS[number],
        published_at=NOW - timedelta(hours=number),
        first_seen_at=NOW,
        fingerprint="",
    )


def other_id(post: Post) -> Post:
    return replace(post, id=f"other {post.id}", key=f"other {post.key}")


def elsewhere(post: Post) -> Post:
    return replace(other_id(post), url=f"https://new.example.org/{post.title.replace(' ', '-')}")


def test_posts_with_one_link_and_much_the_same_text_are_different_posts() -> None:
    link = "https://harbour.example.org/news"
    known = replace(a_post(0), key=link, url=link, blurb="Note 1 says what has happened on the quay.")
    for fresh in (
        replace(known, title=TOPICS[1], blurb="Note 2 says what has happened on the quay."),
        replace(known, title=TOPICS[1], published_at=NOW + timedelta(days=5)),
    ):
        assert recognise([fresh], [known]) == (None,)
