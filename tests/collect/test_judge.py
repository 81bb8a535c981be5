from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.collect.judge import BURST, FIRST_FEW, HELD_FOR, Look, Taker, judge
from digest.collect.reading.identity import RULES
from digest.collect.reading.placeholders import bridge_error, is_protected
from digest.model.posts import (
    BELOW_FIRST_LOOK,
    KEPT,
    LONG_AGO,
    PROTECTED,
    Candidate,
    Image,
    Intake,
    KnownPost,
    Post,
    PostState,
    StoredPosts,
)

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY = Taker(digest="daily", previous_at=NOW - DAY)
WEEKLY = Taker(digest="weekly", previous_at=NOW - 30 * DAY)
NEVER = Taker(digest="new", previous_at=NOW - DAY, has_begun=False)
FIRST = Look(feed="Harbour", takers=(DAILY, WEEKLY, NEVER))


def test_the_first_look_takes_the_posts_since_the_previous_date_and_at_most_seven_days() -> None:
    posts = [a_post(days, at=NOW - days * DAY + HOUR) for days in range(1, 40)]
    found = fates(judge(posts, FIRST, NOW))
    assert waiting(found, "daily") == {1}
    assert waiting(found, "weekly") == set(range(1, 8))
    assert waiting(found, "new") == set(range(1, 8))
    assert {reason for _, _, state, reason in found if state is PostState.DROPPED} == {BELOW_FIRST_LOOK}


def test_a_digest_that_has_had_no_date_begins_with_a_few_posts_of_a_busy_week() -> None:
    posts = [a_post(hours, at=NOW - 30 * HOUR - hours * HOUR) for hours in range(30)]
    assert waiting(fates(judge(posts, FIRST, NOW)), "new") == set(range(FIRST_FEW))


def test_the_first_look_takes_the_first_posts_of_a_document_without_dates() -> None:
    found = fates(judge([a_post(number, at=None) for number in range(99)], FIRST, NOW))
    assert waiting(found, "daily") == set(range(FIRST_FEW))


def test_a_post_from_below_the_first_look_or_from_long_ago_is_dropped() -> None:
    known = [a_post(number, at=NOW - number * HOUR) for number in range(20, 30)]
    for at, reason in (
        (NOW - 31 * HOUR, BELOW_FIRST_LOOK),
        (NOW - 23 * HOUR, ""),
        (None, ""),
    ):
        found = fates(judge([a_post(1, at=at), *known], look(known), NOW))
        assert [each[3] for each in found] == [reason]
    much_older = [*known, a_post(2, at=NOW - 99 * DAY)]
    found = fates(judge([a_post(1, at=NOW - 20 * DAY), *known], look(much_older), NOW))
    assert [each[3] for each in found] == [LONG_AGO]


def test_after_an_outage_of_the_feed_its_posts_are_not_from_long_ago() -> None:
    known = [a_post(number, at=NOW - 40 * DAY) for number in range(5)]
    after = replace(look(known), last_ok_at=NOW - 30 * DAY)
    assert [each[2] for each in fates(judge([a_post(9, at=NOW - 20 * DAY)], after, NOW))] == [
        PostState.WAITING
    ]


def test_posts_that_look_new_at_once_are_held_and_those_with_a_fresh_date_are_not() -> None:
    known = [a_post(number, at=NOW - number * HOUR) for number in range(2, 12)]
    moved = [a_post(number + 50, at=NOW - number * HOUR - timedelta(minutes=7)) for number in range(4, 12)]
    intake = judge([a_post(1, at=NOW - timedelta(minutes=5)), *moved], look(known), NOW)
    states = [(number, state) for number, _, state, _ in fates(intake)]
    assert states == [(1, PostState.WAITING), *((number + 50, PostState.HELD) for number in range(4, 12))]
    assert intake.held == "8 posts of Harbour look new at once; held until 2026-11-24 07:00 UTC"
    assert {fate.until for each in intake.arrivals[1:] for fate in each.fates} == {NOW + HELD_FOR}
    assert intake.gap == 0


def test_a_burst_is_held_unless_the_feed_often_has_so_many() -> None:
    known = [a_post(number, at=NOW - DAY) for number in range(5)]
    fresh = [a_post(number + 100, at=NOW - timedelta(minutes=1)) for number in range(BURST)]
    assert judge([*fresh, *known], look(known), NOW).held
    assert not judge([*fresh[1:], *known], look(known), NOW).held
    busy = look(known)
    assert not judge([*fresh, *known], replace(busy, stored=replace(busy.stored, usual=BURST)), NOW).held


def test_a_document_of_nothing_but_new_posts_is_a_gap() -> None:
    known = [a_post(number, at=NOW - DAY) for number in range(10)]
    fresh = [a_post(number + 100, at=NOW - timedelta(minutes=1)) for number in range(10)]
    assert judge(fresh, look(known), NOW).gap == 10
    assert judge([*fresh, known[0]], look(known), NOW).gap == 0
    assert judge(fresh, FIRST, NOW).gap == 0
    assert judge(fresh, look(known), NOW, complete=False).gap == 0


def test_a_post_that_an_editor_keeps_is_not_missed() -> None:
    known = [a_post(number, at=NOW - number * HOUR) for number in range(3)]
    for missed, ids in ((0, (known[1].id,)), (KEPT, ())):
        there = look(known, missed=missed)
        assert judge([known[0], known[2]], there, NOW).missed == ids


def test_a_protected_post_is_dropped_and_one_that_becomes_protected_is_named() -> None:
    post = replace(a_post(1, at=NOW), title="Protected: Plans for the pier")
    assert {each[3] for each in fates(judge([post], FIRST, NOW))} == {PROTECTED}
    intake = judge([replace(post, fingerprint="edited")], look([a_post(1, at=NOW)]), NOW)
    assert (intake.protected, intake.edited) == ((post.id,), frozenset([post.id]))


def test_other_words_that_come_from_other_rules_of_ours_are_no_edit() -> None:
    known = [a_post(number, at=NOW) for number in range(1, 4)]
    drafted = replace(look(known), stored=replace(look(known).stored, frozen=frozenset(["id 1", "id 2"])))
    entries = [replace(post, blurb="Clean.", fingerprint=f"{RULES}-{post.key}") for post in known]
    entries[1] = replace(entries[1], title="Other news from the quay")
    intake = judge(entries, drafted, NOW)
    # A draft keeps its words; a waiting post gets the better ones; a new headline is shown to the editor.
    assert (intake.edited, [post.key for post in intake.changed]) == (frozenset(), ["2", "3"])
    again = judge([replace(entries[2], fingerprint=f"{RULES}-x")], look([entries[2]]), NOW)
    assert again.edited == {"id 3"}


@pytest.mark.parametrize(
    ("title", "text", "protected"),
    [
        ("Protected: Plans", "", True),
        ("Private: Minutes", "They met at noon.", True),
        ("Protégé : Les plans", "", True),
        ("Geschützt: Pläne", "", True),
        ("محمي: الخطط", "", True),
        ("密码保护：计划", "", True),
        ("Plans", "There is no excerpt because this is a protected post.", True),
        ("Plans", "This content is password-protected. To view it, enter the password below.", True),
        ("Protected birds return", "Nobody may enter the dunes.", False),
        ("How the dunes are protected: a walk", "", False),
        ("Özel: Fener", "", False),
        ("Private lessons: where to find them", "", False),
    ],
)
def test_protected_posts_are_recognised(title: str, text: str, protected: bool) -> None:
    assert is_protected(replace(a_post(1, at=NOW), title=title, blurb=text)) == protected


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("Bridge returned error 404! (20417)", "404"),
        ("HarbourBridge: Bridge returned error 0 (20417)", "0"),
        ("Bridge returned to its place", None),
    ],
)
def test_errors_of_a_bridge_are_recognised(title: str, code: str | None) -> None:
    assert bridge_error(replace(a_post(1, at=NOW), title=title)) == code


@pytest.mark.parametrize(
    ("url", "reason", "keeps"),
    [
        ("https://a.test/pier.webp?width=2", "", True),
        ("https://a.test/boat.webp?width=1", "", False),
        ("https://a.test/pier.webp?width=1", "it is a default", False),
    ],
)
def test_an_edit_keeps_the_picture_that_was_settled_if_its_feed_offers_the_same(
    url: str, reason: str, keeps: bool
) -> None:
    offered = Candidate(url="https://a.test/pier.webp?width=1", convert=True)
    copy = Image(url="https://digest.example.org/pictures/1.jpg")
    known = replace(a_post(1, at=NOW), image=copy, pictures=(offered,))
    new = replace(offered, url=url, reason=reason)
    entry = replace(known, image=None, pictures=(new,), title="Edited", fingerprint="edited")
    (changed,) = judge([entry], look([known]), NOW).changed
    assert changed.title == "Edited"
    assert changed.image == (copy if keeps else None)


def look(known: list[Post], missed: int = 0) -> Look:
    posts = tuple(KnownPost(post=post, missed=missed) for post in known)
    oldest_at = min((post.published_at for post in known if post.published_at), default=None)
    stored = StoredPosts(any=True, oldest_at=oldest_at, known=posts, unsent=posts)
    return Look(feed="Harbour", takers=(DAILY,), last_ok_at=NOW - HOUR, stored=stored)


def fates(intake: Intake) -> list[tuple[int, str, PostState, str]]:
    """Return number, digest, state and reason of each new post."""
    return [
        (int(each.post.key), fate.digest, fate.state, fate.reason)
        for each in intake.arrivals
        for fate in each.fates
    ]


def waiting(found: list[tuple[int, str, PostState, str]], digest: str) -> set[int]:
    return {number for number, name, state, _ in found if (name, state) == (digest, PostState.WAITING)}


def a_post(number: int, *, at: datetime | None) -> Post:
    return Post(
        id=f"id {number}",
        feed_id="harbour",
        key=str(number),
        url=f"https://harbour.example.org/{number}",
        title=f"Note {number} from the quay",
        blurb="",
        published_at=at,
        first_seen_at=NOW - DAY,
        fingerprint="",
    )
