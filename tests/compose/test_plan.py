from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.edition import to_json
from digest.compose.plan import Brief, Plan, Told, plan
from digest.model import Due, Edition, WaitingPost
from digest.publication import Lead, Topic
from tests.compose import samples
from tests.compose.samples import DUE, IMAGE, NOW, brief, told, topic

SEA, TRAMS = topic("sea", tags=("sea",)), topic("trams", tags=("trams",))


def edition_of(*waiting: WaitingPost, brief: Brief) -> Edition:
    planned = plan(waiting, (), brief)
    assert planned.edition is not None, planned.reason
    return planned.edition


def titles(edition: Edition) -> dict[str, list[str]]:
    return {one.slug: [story.title for story in (*one.stories, *one.more)] for one in edition.sections}


# ── whether there is an edition ─────────────────────────────────────────────────────────────


def test_without_anything_new_there_is_no_edition() -> None:
    assert plan((), (), brief()) == Plan(edition=None, reason="nothing new")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(1, "1 new story, this digest waits for 5"), (3, "3 new stories, this digest waits for 5")],
)
def test_under_the_minimum_everything_is_carried(number: int, reason: str) -> None:
    waiting = [told(f"Note {word}", id=word) for word in "abcd"[:number]]
    assert plan(waiting, (), brief(minimum=5)) == Plan(
        edition=None, reason=reason, carried=tuple("abcd"[:number])
    )


def test_the_minimum_counts_stories_not_posts() -> None:
    link = "https://trams.example.org/line-9"
    waiting = told("Line 9", url=link), told("Line 9 opens", "Coast Weekly", url=link)
    assert plan(waiting, (), brief(minimum=2)).edition is None


def test_posts_too_old_are_dropped_with_the_reason() -> None:
    old = told("Old", id="old", hours=9 * 24)
    undated = told("Undated", id="undated", hours=50, published_at=None)
    fresh = told("Fresh", id="fresh", hours=47)
    planned = plan((old, fresh, undated), (), brief(max_age=timedelta(days=2)))
    assert planned.used == ("fresh",)
    assert dict(planned.dropped) == {
        "old": "published 9 days ago, the limit is 2 days",
        "undated": "first seen 2 days ago, the limit is 2 days",
    }


def test_posts_of_a_feed_the_digest_takes_no_more_go_on_waiting() -> None:
    here, gone = told("Here", id="here"), told("Gone", "Coast Weekly", id="gone")
    planned = plan((here, gone), (), brief(feeds=("Harbour News",)))
    assert (planned.used, planned.carried, planned.dropped) == (("here",), ("gone",), ())


def test_posts_that_repeat_what_this_digest_told_are_dropped_with_the_edition() -> None:
    before = Told(
        waiting=told("New tram line 9 opens today", url="https://trams.example.org/9", hours=30),
        edition_id="daily-2026-11-21",
    )
    same_link = told(
        "Line 9 is running", "Coast Weekly", id="link", url="https://trams.example.org/9?utm_source=x"
    )
    same_title = told("New tram line 9 opens today", "Island Radio", id="title")
    planned = plan((same_link, same_title), (before,), brief())
    assert dict(planned.dropped) == dict.fromkeys(("link", "title"), "already told in daily-2026-11-21")
    assert planned.reason == "nothing new: 2 posts too old or told before"


def test_a_show_that_links_every_episode_to_its_page_is_told_again() -> None:
    page = "https://radio.example.org/show"
    before = Told(
        waiting=told("Episode 14: Ferries", "Island Radio", url=page, hours=30), edition_id="daily-2026-11-21"
    )
    planned = plan((told("Episode 15: Owls", "Island Radio", id="new", url=page),), (before,), brief())
    assert planned.used == ("new",)


# ── what stands where ───────────────────────────────────────────────────────────────────────


def test_stories_stand_under_their_topics_newest_first_and_beyond_the_quota_as_headlines() -> None:
    sea = topic("sea", tags=("sea",), quota=1)
    waiting = [told(f"Sea {word}", tags=("sea",), hours=n) for n, word in enumerate(("one", "two", "six"), 1)]
    edition = edition_of(*waiting, told("Bus"), brief=brief(TRAMS, sea, lead=Lead.NONE))
    section, rest = edition.sections
    assert [story.title for story in section.stories] == ["Sea one"]
    assert [story.title for story in section.more] == ["Sea two", "Sea six"]
    assert (rest.slug, rest.title, rest.stories[0].rule) == ("more", "More stories", "catch-all")


def test_only_topics_of_this_digest_count_and_without_any_they_are_found_in_the_tags() -> None:
    waiting = [told(f"Sea {word}", tags=("sea", "waves"), id=word, hours=3) for word in "ab"]
    waiting += [told(f"Owl {word}", tags=("owls",), id=word, hours=9) for word in "cd"]
    assert set(titles(edition_of(*waiting, brief=brief(SEA, lead=Lead.NONE)))) == {"sea", "more"}
    assert set(titles(edition_of(*waiting, brief=brief(SEA, topics=(), lead=Lead.NONE)))) == {"sea", "owls"}


def test_the_lead_is_told_by_most_feeds_and_stands_only_at_the_top() -> None:
    link = "https://trams.example.org/line-9"
    shared = (
        told("Line 9", url=link, tags=("trams",), hours=20),
        told("Nine", "Coast Weekly", url=link, hours=19),
    )
    pictured, newest = told("Pictured", image=IMAGE, hours=9), told("Newest", tags=("sea",))
    edition = edition_of(*shared, pictured, newest, brief=brief(SEA, TRAMS))
    assert edition.lead
    assert (edition.lead.title, edition.lead.topic, edition.lead.rule) == ("Line 9", "trams", "tag: trams")
    assert titles(edition) == {"sea": ["Newest"], "more": ["Pictured"]}


def test_the_lead_is_on_a_topic_rather_than_under_the_catch_all() -> None:
    pictured, on_topic = told("Pictured", image=IMAGE), told("Tide", tags=("sea",), hours=9)
    edition = edition_of(pictured, on_topic, brief=brief(SEA))
    assert edition.lead
    assert edition.lead.title == "Tide"


@pytest.mark.parametrize(
    ("rule", "expected"), [(Lead.AUTO, "Pictured"), (Lead.NEWEST, "Newest"), (Lead.NONE, None)]
)
def test_the_lead_follows_the_policy(rule: Lead, expected: str | None) -> None:
    waiting = told("Pictured", image=IMAGE, hours=9), told("Newest", hours=1)
    edition = edition_of(*waiting, brief=brief(lead=rule))
    assert (edition.lead.title if edition.lead else None) == expected


def test_over_the_maximum_topics_take_turns_and_the_rest_is_carried() -> None:
    sea = [told(f"Sea {n}", tags=("sea",), id=f"sea-{n}", hours=n) for n in range(1, 6)]
    trams = [told(f"Tram {n}", tags=("trams",), id=f"tram-{n}", hours=n + 50) for n in range(1, 3)]
    planned = plan([*sea, *trams, told("Bus", id="bus", hours=99)], (), brief(SEA, TRAMS, maximum=5))
    assert planned.edition
    assert planned.edition.lead
    assert planned.edition.lead.title == "Sea 1"
    assert titles(planned.edition) == {"sea": ["Sea 2", "Sea 3"], "trams": ["Tram 1"], "more": ["Bus"]}
    assert planned.carried == ("sea-4", "sea-5", "tram-2")


def test_an_edition_freezes_what_it_needs_to_be_rendered() -> None:
    edition = edition_of(told("Bus"), brief=brief(subject="{{ title }}", reply_to="desk@example.org"))
    assert (edition.id, edition.digest, edition.title) == ("daily-2026-11-22", "daily", "The Daily")
    assert (edition.cutoff_at, edition.send_at, edition.zone) == (DUE.cutoff_at, DUE.send_at, "UTC")
    assert (edition.language, edition.site) == ("en", samples.SITE)
    assert (edition.subject_template, edition.reply_to) == ("{{ title }}", "desk@example.org")


def test_a_second_edition_of_a_day_has_a_number() -> None:
    taken = "daily-2026-11-22", "daily-2026-11-22-2"
    assert edition_of(told("Bus"), brief=brief(taken=taken)).id == "daily-2026-11-22-3"


# ── what always holds ───────────────────────────────────────────────────────────────────────

rules = st.fixed_dictionaries(
    {
        "minimum": st.integers(0, 4),
        "maximum": st.integers(0, 8),
        "lead": st.sampled_from(Lead),
        "max_age": st.none() | st.just(timedelta(days=3)),
    }
)


@given(samples.waiting, samples.waiting, samples.topics, rules)
def test_every_waiting_post_ends_in_exactly_one_place(
    waiting: list[WaitingPost], before: list[WaitingPost], topics: list[Topic], rules: dict[str, Any]
) -> None:
    told_before = [
        Told(waiting=each, edition_id="daily-1")
        for each in before
        if each.post.id not in {other.post.id for other in waiting}
    ]
    planned = plan(waiting, told_before, brief(*topics, **rules))
    places = [*planned.used, *planned.carried, *(post_id for post_id, _ in planned.dropped)]
    assert sorted(places) == sorted(each.post.id for each in waiting)
    assert (planned.edition is None) == bool(planned.reason)
    if planned.edition is None:
        assert not planned.used


@given(samples.waiting, samples.topics, rules)
def test_a_story_stands_once_within_the_maximum(
    waiting: list[WaitingPost], topics: list[Topic], rules: dict[str, Any]
) -> None:
    planned = plan(waiting, (), brief(*topics, **rules))
    if planned.edition:
        stories = list(planned.edition.stories())
        post_ids = [post_id for story in stories for post_id in story.post_ids]
        assert len(stories) <= max(rules["maximum"], 1)
        assert sorted(post_ids) == list(planned.used)
        assert len(set(post_ids)) == len(post_ids)
        assert all(section.stories or section.more for section in planned.edition.sections)
        assert all(
            story.topic == one.slug for one in planned.edition.sections for story in (*one.stories, *one.more)
        )


@given(samples.waiting, samples.topics, rules, st.randoms(use_true_random=False))
def test_the_same_posts_in_any_order_make_the_same_bytes(
    waiting: list[WaitingPost], topics: list[Topic], rules: dict[str, Any], chance: random.Random
) -> None:
    shuffled = list(waiting)
    chance.shuffle(shuffled)
    one, other = (plan(posts, (), brief(*topics, **rules)) for posts in (waiting, shuffled))
    assert one == other
    assert one.edition is None or other.edition is None or to_json(one.edition) == to_json(other.edition)


def test_ages_are_counted_from_the_cutoff_so_a_replay_is_the_same() -> None:
    later = Due(local_date=DUE.local_date, cutoff_at=NOW + timedelta(days=1), send_at=NOW + timedelta(days=1))
    waiting, limit = [told("Bus", id="bus", hours=30)], timedelta(days=2)
    assert plan(waiting, (), brief(max_age=limit)).used == ("bus",)
    assert plan(waiting, (), brief(max_age=limit, due=later)).used == ()
