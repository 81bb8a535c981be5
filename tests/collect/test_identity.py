from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from digest.collect.reading.identity import keep_known
from digest.model.posts import Post

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)


def test_known_posts_are_known() -> None:
    posts = [a_post(number) for number in (1, 2)]
    assert keep_known(posts, posts) == tuple(posts)


def test_new_posts_are_new() -> None:
    posts = [a_post(number) for number in (1, 2)]
    assert keep_known(posts, []) == tuple(posts)
    assert keep_known(posts, [a_post(3)]) == tuple(posts)


def test_when_all_ids_change_the_posts_keep_theirs() -> None:
    known = [a_post(number) for number in range(5)]
    changed = [other_id(replace(post, title=f"Edited {post.title}")) for post in known]
    kept = keep_known([a_post(9), *changed], known)
    assert [post.id for post in kept] == ["9", *(post.id for post in known)]
    assert [post.key for post in kept[1:]] == [post.key for post in changed]


def test_one_post_with_another_id_but_the_same_title_and_date_is_known() -> None:
    known = [a_post(number) for number in range(5)]
    kept = keep_known([other_id(known[0]), *known[1:]], known)
    assert kept[0].id == known[0].id


def test_one_post_with_a_known_link_and_another_title_is_new() -> None:
    known = [a_post(number) for number in range(5)]
    fresh = replace(other_id(known[0]), title="Another thing")
    assert keep_known([fresh, *known[1:]], known)[0] == fresh


def test_a_column_that_appears_again_at_another_date_is_new() -> None:
    fresh = replace(other_id(a_post(1)), published_at=NOW + timedelta(days=7))
    assert keep_known([fresh], [a_post(1)]) == (fresh,)


def test_a_link_that_every_post_has_proves_nothing() -> None:
    home = "https://harbour.example.org/"
    known = [replace(a_post(number), url=home) for number in range(5)]
    fresh = [replace(a_post(number), url=home, title="New") for number in range(5, 9)]
    assert keep_known(fresh, known) == tuple(fresh)
    assert keep_known(fresh[:1], known) == tuple(fresh[:1])


def test_a_post_whose_old_id_is_still_there_is_another_post() -> None:
    fresh = other_id(a_post(1))
    assert keep_known([a_post(1), fresh], [a_post(1)])[1] == fresh


def test_posts_without_links_are_known_by_their_ids_alone() -> None:
    known = [replace(a_post(number), url=None) for number in range(5)]
    fresh = [other_id(post) for post in known]
    assert keep_known(fresh, known) == tuple(fresh)


def a_post(number: int) -> Post:
    return Post(
        id=str(number),
        feed_id="harbour",
        key=f"key {number}",
        url=f"https://harbour.example.org/{number}?utm_source=rss",
        title=f"Tide {number}",
        blurb="",
        published_at=NOW,
        first_seen_at=NOW,
        fingerprint="",
    )


def other_id(post: Post) -> Post:
    return replace(
        post, id=f"other {post.id}", key=f"other {post.key}", url=post.url and post.url.split("?")[0]
    )
