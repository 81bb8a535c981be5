"""Over many days, with any rules and any editors, no post of a digest is lost and none is mailed twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.editions import Edition, EditionState, StepCause
from digest.model.errors import MergeError
from digest.model.posts import PostState, WaitingPost
from digest.model.publication import Digest
from digest.storage.database import Database, open_database
from digest.storage.editions.lists import list_editions
from digest.storage.editions.steps import advance
from tests.compose import samples
from tests.compose.newsroom import Newsroom, meanwhile
from tests.compose.samples import DAILY, NOW
from tests.compose.test_covered import AURORA, FERRY, ISLES
from tests.databases import create_tables

state = EditionState
FATES: dict[str, tuple[EditionState, ...]] = {
    "sent": (state.APPROVED, state.SENDING, state.SENT),
    "skipped": (state.SKIPPED,),
    "approved, then skipped": (state.APPROVED, state.SKIPPED),
    "cancelled": (state.CANCELLED,),
    "cancelled while sending": (state.APPROVED, state.SENDING, state.CANCELLED),
    "left as a draft": (),
    "left approved": (state.APPROVED,),
}
MEANWHILE = ("a post arrives", "another process composes", "a draft is skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day: the posts that are published, the rules for composing, and the fate of the edition."""

    posts: Sequence[WaitingPost]
    minimum: int
    maximum: int
    max_age: timedelta | None
    fate: str
    meanwhile: Sequence[str] = ()  # what happens, in turn, each time the edition is planned
    merged: bool = False  # in the end, all editions that have not begun to be sent become one


days = st.lists(
    st.builds(
        Day,
        posts=st.lists(samples.posts(), max_size=6),
        minimum=st.integers(1, 4),
        maximum=st.integers(1, 5),
        max_age=st.sampled_from([None, None, timedelta(days=5)]),
        fate=st.sampled_from(list(FATES)),
        meanwhile=st.lists(st.sampled_from(MEANWHILE), max_size=3),
        merged=st.booleans(),
    ),
    max_size=6,
)


def live(database: Database, days: Sequence[Day]) -> None:
    """Run all days, then send everything that remains; check the invariants after each day."""
    newsroom = Newsroom(database=database)
    last = Day(posts=(), minimum=1, maximum=1000, max_age=None, fate="sent")
    published: set[str] = set()
    for number, day in enumerate([*days, last]):
        fresh = [_on(each, number, at) for at, each in enumerate(day.posts)]
        published |= {each.post.id for each in fresh}
        newsroom.publish(*fresh, now=NOW + timedelta(days=number))
        rules = replace(DAILY, minimum=day.minimum, maximum=day.maximum, max_age=day.max_age)
        actions = [partial(_happen, newsroom, rules, number, what, published) for what in day.meanwhile]
        composed = newsroom.compose(rules, day=number, fits=meanwhile(*actions))
        if composed.record:
            for step in FATES[day.fate]:
                with database.write() as connection:
                    advance(
                        connection,
                        composed.record.edition.id,
                        step,
                        StepCause(at=NOW + timedelta(days=number)),
                    )
        _check(newsroom, published)
        if day.merged:
            with suppress(MergeError):  # fewer than two are left
                newsroom.merge(rules, day=number)
                _check(newsroom, published)
    assert PostState.WAITING not in {each for each, _, _ in newsroom.states().values()}


def _happen(newsroom: Newsroom, rules: Digest, day: int, what: str, published: set[str]) -> None:
    now = NOW + timedelta(days=day)
    match what:
        case "a post arrives":
            late = _on(samples.published(f"Late {len(published)}"), day, len(published))
            newsroom.publish(late, now=now)
            published.add(late.post.id)
        case "another process composes":
            newsroom.compose(rules, day=day)
        case "a draft is skipped":
            with newsroom.database.write() as connection:
                drafts = [each for each in list_editions(connection) if each.state is state.DRAFT]
                for each in drafts[:1]:
                    advance(connection, each.edition.id, state.SKIPPED, StepCause(at=now))


def _on(waiting: WaitingPost, day: int, number: int) -> WaitingPost:
    later, post = timedelta(days=day), waiting.post
    published_at = post.published_at and post.published_at + later
    post_id = f"post-{day}-{number}"
    return replace(
        waiting,
        post=replace(
            post, id=post_id, key=post_id, first_seen_at=post.first_seen_at + later, published_at=published_at
        ),
    )


def _check(newsroom: Newsroom, published: set[str]) -> None:
    states = newsroom.states()
    assert set(states) == published, "every post is in exactly one state"
    with newsroom.database.read() as connection:
        records = list_editions(connection, limit=1000)
    mailed: list[str] = []
    for record in records:
        post_ids = _posts_of(record.edition)
        if record.state in (state.DRAFT, state.APPROVED, state.SENDING):
            expected = PostState.RESERVED
        elif record.started_at:
            expected = PostState.USED
        else:
            continue
        mailed += post_ids
        assert {states[post_id] for post_id in post_ids} == {(expected, record.edition.id, "")}
    assert len(mailed) == len(set(mailed)), "no post is mailed twice"
    held = {
        post_id for post_id, (each, _, _) in states.items() if each in (PostState.USED, PostState.RESERVED)
    }
    assert held == set(mailed), "what is not in an edition that goes out is given back"
    assert all(reason for each, _, reason in states.values() if each is PostState.DROPPED)


def _posts_of(edition: Edition) -> list[str]:
    return [post_id for story in edition.stories() for post_id in story.post_ids]


@given(days)
@settings(deadline=None)
def test_no_post_is_ever_lost_or_repeated(days: list[Day]) -> None:
    database = open_database("sqlite://")
    with database.write() as connection:
        create_tables(connection)
    live(database, days)
    database.close()


def test_a_fortnight_of_every_fate_loses_and_repeats_nothing(database: Database) -> None:
    chance = random.Random(14)
    words = ["harbour", "tram", "opens", "storm", "island", "bridge", "lighthouse"]
    fates = [*FATES, *FATES, "sent", "sent"]
    chance.shuffle(fates)
    live(
        database,
        [
            Day(
                posts=[
                    samples.published(
                        " ".join(chance.sample(words, 4)), chance.choice(samples.FEEDS), hours=n
                    )
                    for n in range(1, chance.randrange(2, 12))
                ],
                minimum=chance.randrange(1, 4),
                maximum=chance.randrange(1, 6),
                max_age=chance.choice([None, timedelta(days=5)]),
                fate=fate,
                merged=number % 5 == 4,
            )
            for number, fate in enumerate(fates)
        ],
    )


def test_several_processes_that_compose_while_posts_arrive_lose_and_repeat_nothing(
    database: Database,
) -> None:
    newsroom = Newsroom(database=database)
    posts = [samples.published(f"Note {number}", id=f"note-{number}") for number in range(60)]
    newsroom.publish(*posts[:20])
    few = replace(DAILY, maximum=5)
    with ThreadPoolExecutor(4) as pool:
        arriving = [pool.submit(newsroom.publish, post) for post in posts[20:40]]
        composing = [pool.submit(newsroom.compose, few, day=number // 3) for number in range(12)]
        arriving += [pool.submit(newsroom.publish, post) for post in posts[40:]]
        composed = [future.result() for future in composing]
        for future in arriving:
            future.result()
    assert sum(each.record is not None for each in composed) == 4
    _check(newsroom, {post.post.id for post in posts})
    newsroom.compose(replace(DAILY, maximum=1000), day=4)
    _check(newsroom, {post.post.id for post in posts})
    assert {each for each, _, _ in newsroom.states().values()} == {PostState.RESERVED}


@pytest.mark.parametrize("fate", list(FATES))
def test_the_posts_of_every_headline_share_the_fate_of_their_story(sqlite: Database, fate: str) -> None:
    newsroom = Newsroom(database=sqlite)
    posts = FERRY, AURORA, ISLES
    newsroom.publish(*posts)
    composed = newsroom.compose()
    assert composed.record
    (story,) = composed.record.edition.stories()
    assert len(story.coverage) == 2
    for step in FATES[fate]:
        with sqlite.write() as connection:
            advance(connection, composed.record.edition.id, step, StepCause(at=NOW))
    _check(newsroom, {each.post.id for each in posts})
    newsroom.compose(day=1)
    _check(newsroom, {each.post.id for each in posts})
    assert len({state for state, _, _ in newsroom.states().values()}) == 1
