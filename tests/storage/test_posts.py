from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select

from digest.model.posts import (
    GONE,
    PROTECTED,
    Arrival,
    Fate,
    Image,
    Intake,
    Post,
    PostState,
    Via,
    WaitingPost,
)
from digest.model.publication import Feed
from digest.storage.database import Database
from digest.storage.feeds import sync_feeds
from digest.storage.intake.save import release_held, save_intake
from digest.storage.intake.stored import Traits, posts_like, posts_unknown_to, stored_posts, unsent_posts
from digest.storage.posts import recent_posts, set_posts, waiting_posts
from digest.storage.tables.posts import posts as posts_table

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)


@pytest.fixture
def feed(database: Database) -> str:
    return feed_ids(database)[0]


def test_a_new_post_waits_in_every_digest_that_takes_its_feed(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post], ["daily", "weekend"])
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
        via=Via(name="Wire News", url="https://wire.example.org/a"),
    )
    save(database, [post])
    assert waiting(database)[0].post == post
    assert waiting(database)[0].feed_name == "Harbour News"


def test_a_post_is_saved_only_once(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    put(database, {post.id: (PostState.USED, "")})
    save(database, [replace(post, first_seen_at=LATER)])
    assert waiting(database) == ()


def test_an_edited_post_is_updated_and_keeps_its_state(database: Database, feed: str) -> None:
    first, second = a_post(feed, 1), a_post(feed, 2)
    save(database, [first, second])
    put(database, {first.id: (PostState.USED, "")})
    edited = [replace(post, title="The tide turns later", key=f"new {post.key}") for post in (first, second)]
    keep(database, Intake(changed=tuple(edited)))
    assert [one.post for one in waiting(database)] == [edited[1]]


def test_a_post_is_gone_when_it_was_missed_twice_in_a_row(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post], ["daily", "weekend"])
    with database.write() as connection:
        set_posts(connection, "weekend", {post.id: (PostState.RESERVED, "")}, None, LATER)
    missed = Intake(missed=(post.id,))
    for intake in (missed, Intake(returned=(post.id,)), missed):
        keep(database, intake)
    assert states(database, post) == {"daily": (PostState.WAITING, ""), "weekend": (PostState.RESERVED, "")}
    keep(database, missed)
    assert states(database, post) == {"daily": (PostState.DROPPED, GONE), "weekend": (PostState.RESERVED, "")}
    keep(database, Intake(returned=(post.id,)))
    assert states(database, post)["daily"] == (PostState.WAITING, "")


def test_a_gone_post_that_an_edition_gives_back_is_not_taken_by_the_next(
    database: Database, feed: str
) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    put(database, {post.id: (PostState.RESERVED, "")})
    for _ in range(2):
        keep(database, Intake(missed=(post.id,)))
    put(database, {post.id: (PostState.WAITING, "")})
    assert waiting(database) == ()


def test_a_post_is_dropped_while_it_is_protected(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    save(database, [post])
    keep(database, Intake(changed=(post,), edited=frozenset([post.id]), protected=(post.id,)))
    assert states(database, post) == {"daily": (PostState.DROPPED, PROTECTED)}
    keep(database, Intake(changed=(post,), edited=frozenset([post.id])))
    assert states(database, post) == {"daily": (PostState.WAITING, "")}


def test_a_held_post_waits_when_its_time_has_come(database: Database, feed: str) -> None:
    post = a_post(feed, 1)
    held = Fate(digest="daily", state=PostState.HELD, reason="many at once", until=LATER)
    keep(database, Intake(arrivals=(Arrival(post=post, place=0, fates=(held,)),)))
    for now, state in ((NOW, (PostState.HELD, "many at once")), (LATER, (PostState.WAITING, ""))):
        with database.write() as connection:
            release_held(connection, now)
        assert states(database, post) == {"daily": state}


def test_the_same_key_in_two_feeds_is_two_posts(database: Database) -> None:
    save(database, [a_post(feed, 1) for feed in feed_ids(database)])
    assert len(waiting(database)) == 2


def test_posts_wait_in_the_order_they_were_first_seen(database: Database, feed: str) -> None:
    late = [replace(a_post(feed, number), first_seen_at=LATER) for number in (1, 2)]
    early = a_post(feed, 3)
    save(database, [*late, early])
    found = [one.post.id for one in waiting(database)]
    assert found == [early.id, *sorted(post.id for post in late)]


def test_recent_posts_that_a_digest_does_not_know_are_found(database: Database, feed: str) -> None:
    old, recent, used = (a_post(feed, number) for number in (1, 2, 3))
    save(database, [replace(old, first_seen_at=NOW - timedelta(days=8)), recent], [])
    save(database, [used], ["daily"])
    with database.read() as connection:
        found = posts_unknown_to(connection, "daily", feed, since=NOW - timedelta(days=7))
    assert found == (recent,)


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


def test_what_is_stored_of_a_feed_is_found(database: Database) -> None:
    harbour, quay = feed_ids(database)
    kept = [replace(a_post(harbour, number), published_at=NOW - timedelta(days=number)) for number in (1, 9)]
    save(database, [*kept, a_post(quay, 1)])
    put(database, {kept[1].id: (PostState.USED, "")})
    traits = Traits(keys=["key 1"], ids=[], links=["https://harbour.example.org/9"], dates=[NOW])
    with database.read() as connection:
        known = posts_like(connection, harbour, traits)
        stored = stored_posts(connection, harbour, known, NOW)
        nothing = stored_posts(connection, "another feed", (), NOW)
        unsent = unsent_posts(connection, harbour, ["daily"])
    assert {each.post for each in known} == set(kept)
    assert (stored.any, stored.oldest_at, stored.usual) == (True, NOW - timedelta(days=9), 1)
    assert not nothing.any
    assert [each.post for each in unsent] == [kept[0]]


def test_ten_thousand_posts_are_saved_in_few_statements(database: Database, feed: str) -> None:
    many = [a_post(feed, number) for number in range(10_000)]
    with counted(database) as statements:
        for start in range(0, len(many), 5_000):
            save(database, many[start : start + 5_000], ["daily", "weekend"])
    assert len(statements) < 200
    assert len(waiting(database)) == 10_000


def test_posts_that_cannot_be_saved_leave_nothing_behind(database: Database, feed: str) -> None:
    with pytest.raises(TypeError), database.write() as connection:
        save_intake(connection, arriving([a_post(feed, 1)], ["daily"]), NOW)
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


def save(database: Database, posts: Sequence[Post], digests: Sequence[str] = ("daily",)) -> None:
    keep(database, arriving(posts, digests))


def arriving(posts: Sequence[Post], digests: Sequence[str]) -> Intake:
    fates = tuple(Fate(digest=digest, state=PostState.WAITING) for digest in digests)
    return Intake(arrivals=tuple(Arrival(post=post, place=0, fates=fates) for post in posts))


def keep(database: Database, intake: Intake) -> None:
    with database.write() as connection:
        save_intake(connection, intake, NOW)


def states(database: Database, post: Post) -> dict[str, tuple[PostState, str]]:
    with database.read() as connection:
        rows = recent_posts(connection, 10)
    (row,) = (row for row in rows if row.post.id == post.id)
    return {digest: (state, reason) for digest, state, reason in row.states}


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
