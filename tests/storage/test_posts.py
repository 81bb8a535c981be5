from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from digest.model.posts import Image, Post, PostState, WaitingPost
from digest.model.publication import Feed
from digest.storage.database import Database
from digest.storage.feeds import sync_feeds
from digest.storage.posts import (
    Saved,
    enlist,
    posts_like,
    recent_posts,
    save_posts,
    set_posts,
    waiting_posts,
)
from digest.storage.tables import posts as posts_table

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)


@pytest.fixture
def feed(database: Database) -> str:
    return feed_ids(database)[0]


def test_a_new_post_waits_in_every_digest_that_takes_its_feed(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    assert save(database, [post], ["daily", "weekend"]) == Saved(new=1, updated=0)
    for digest in ("daily", "weekend"):
        assert [one.post for one in waiting(database, digest)] == [post]
    assert waiting(database, "other") == ()


def test_a_post_comes_back_as_it_was_saved(database: Database, feed: str) -> None:
    image = Image(url="https://harbour.example.org/pier.jpg", alt="The pier", width=640, height=360)
    post = replace(
        a_post(feed, 1),
        image=image,
        tags=("Harbour", "Tides"),
        author="Ada Lind",
        published_at=NOW,
        language="en",
    )
    save(database, [post])
    assert waiting(database)[0].post == post
    assert waiting(database)[0].feed_name == "Harbour News"


def test_a_post_is_new_only_once(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    assert save(database, [replace(post, first_seen_at=LATER)], now=LATER) == Saved(new=0, updated=0)
    assert waiting(database)[0].post.first_seen_at == NOW


def test_an_edited_post_is_updated_and_not_new(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    edited = replace(post, title="The tide turns later", fingerprint="edited", first_seen_at=LATER)
    assert save(database, [edited], now=LATER) == Saved(new=0, updated=1)
    assert waiting(database)[0].post == replace(edited, first_seen_at=NOW)


def test_an_edited_post_that_was_used_does_not_wait_again(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    put(database, {post.id: (PostState.USED, "")})
    save(database, [replace(post, fingerprint="edited")])
    assert waiting(database) == ()


def test_a_post_whose_key_has_changed_keeps_its_id(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    assert save(database, [replace(post, key="new key")]) == Saved(new=0, updated=0)
    assert save(database, [replace(post, id="elsewhere", key="new key")]) == Saved(new=0, updated=0)
    assert [one.post.id for one in waiting(database)] == [post.id]


def test_the_same_key_in_two_feeds_is_two_posts(database: Database) -> None:
    first, second = (a_post(feed, 1) for feed in feed_ids(database))
    assert save(database, [first, second]) == Saved(new=2, updated=0)


def test_posts_wait_in_the_order_they_were_first_seen(database: Database, feed: str) -> None:
    late = [replace(a_post(feed, number), first_seen_at=LATER) for number in (1, 2)]
    early = a_post(feed, 3)
    save(database, [*late, early])
    found = [one.post.id for one in waiting(database)]
    assert found == [early.id, *sorted(post.id for post in late)]


def test_a_digest_that_begins_to_take_a_feed_gets_its_recent_posts(database: Database, feed: str) -> None:
    old, recent, used = (a_post(feed, number) for number in (1, 2, 3))
    save(database, [replace(old, first_seen_at=NOW - timedelta(days=8)), recent, used], [])
    save(database, [used], ["daily"])
    for _ in range(2):
        with database.write() as connection:
            enlist(connection, "daily", [feed], NOW - timedelta(days=7), NOW)
            enlist(connection, "weekend", [], NOW - timedelta(days=7), NOW)
        put(database, {used.id: (PostState.USED, "")})
    assert [one.post.id for one in waiting(database)] == [recent.id]
    assert waiting(database, "weekend") == ()


def test_states_have_a_reason(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post], ["daily", "weekend"])
    put(database, {post.id: (PostState.DROPPED, "older than two days")})
    with database.read() as connection:
        (row,) = recent_posts(connection, 10)
    assert row.states == (
        ("daily", PostState.DROPPED, "older than two days"),
        ("weekend", PostState.WAITING, ""),
    )


def test_recent_posts_can_be_narrowed(database: Database) -> None:
    harbour, quay = feed_ids(database)
    save(
        database,
        [replace(a_post(harbour, number), first_seen_at=NOW + timedelta(number)) for number in (1, 2)],
    )
    save(database, [a_post(quay, 3)], ["weekend"])
    put(database, {a_post(harbour, 1).id: (PostState.DROPPED, "")})
    with database.read() as connection:
        assert [row.post.key for row in recent_posts(connection, 2)] == ["key 2", "key 1"]
        assert [row.post.key for row in recent_posts(connection, 9, feed="The Quay")] == ["key 3"]
        assert [row.post.key for row in recent_posts(connection, 9, digest="weekend")] == ["key 3"]
        dropped = recent_posts(connection, 9, digest="daily", state=PostState.DROPPED)
        assert [row.post.key for row in dropped] == ["key 1"]


def test_posts_with_a_key_or_a_link_in_common_are_found(database: Database) -> None:
    harbour, quay = feed_ids(database)
    kept = [a_post(harbour, number) for number in (1, 2, 3)]
    save(database, [*kept, a_post(quay, 1)])
    seen = [a_post(harbour, 1), replace(a_post(harbour, 2), id="x", key="changed")]
    with database.read() as connection:
        assert {post.key for post in posts_like(connection, harbour, seen)} == {"key 1", "key 2"}


def test_ten_thousand_posts_are_saved_in_few_statements(database: Database, feed: str) -> None:
    many = [a_post(feed, number) for number in range(10_000)]
    with counted(database) as statements:
        for start in range(0, len(many), 5_000):
            save(database, many[start : start + 5_000], ["daily", "weekend"])
    assert len(statements) < 200
    assert len(waiting(database)) == 10_000
    assert save(database, many) == Saved(new=0, updated=0)


def test_posts_that_cannot_be_saved_leave_nothing_behind(database: Database, feed: str) -> None:
    with pytest.raises(TypeError), database.write() as connection:
        save_posts(connection, [a_post(feed, 1)], ["daily"], NOW)
        raise TypeError
    with database.read() as connection:
        assert connection.execute(select(posts_table)).all() == []


def test_setting_nothing_is_no_error(database: Database) -> None:
    put(database, {})


def a_post(feed_id: str, number: int) -> Post:
    return Post(
        id=f"{feed_id}-{number}",
        feed_id=feed_id,
        key=f"key {number}",
        url=f"https://harbour.example.org/{number}",
        title=f"The tide turns, part {number}",
        blurb="The tide turned at noon.",
        first_seen_at=NOW,
        fingerprint="first",
    )


def feed_ids(database: Database) -> list[str]:
    feeds = [
        Feed(name="Harbour News", url="https://harbour.example.org/feed"),
        Feed(name="The Quay", url="https://quay.example.org/feed"),
    ]
    with database.write() as connection:
        return [row.id for row in sync_feeds(connection, feeds, NOW)]


def save(
    database: Database, posts: Sequence[Post], digests: Sequence[str] = ("daily",), now: datetime = NOW
) -> Saved:
    with database.write() as connection:
        return save_posts(connection, posts, digests, now)


def put(database: Database, states: dict[str, tuple[PostState, str]]) -> None:
    with database.write() as connection:
        set_posts(connection, "daily", states, None, LATER)


def waiting(database: Database, digest: str = "daily") -> tuple[WaitingPost, ...]:
    with database.read() as connection:
        return waiting_posts(connection, digest)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", count)
    yield statements
    event.remove(database.engine, "before_cursor_execute", count)
