from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.plan import Plan, PlanInput, plan
from digest.model.editions import Due, Edition, Every
from digest.model.posts import PublishedPost, WaitingPost
from digest.model.publication import Lead, Sponsor, Style, Topic
from digest.model.snapshot import to_json
from tests.compose import samples
from tests.compose.samples import DUE, IMAGE, NOW, plan_input, published, topic

SEA, TRAMS = topic("sea", tags=("sea",)), topic("trams", tags=("trams",))


def edition_of(*waiting: WaitingPost, plan_input: PlanInput) -> Edition:
    planned = plan(waiting, (), plan_input)
    assert planned.edition is not None, planned.reason
    return planned.edition


def titles(edition: Edition) -> dict[str, list[str]]:
    return {one.slug: [story.title for story in (*one.stories, *one.more)] for one in edition.sections}


# ── what is frozen with it ──────────────────────────────────────────────────────────────────


def test_an_edition_freezes_the_texts_and_colours_of_its_digest() -> None:
    sponsor = Sponsor(name="Quill & Co", text="Tea by post.", url="https://tea.example.org/")
    texts: dict[str, Any] = {
        "style": Style.BRIEF,
        "introduction": "Good *morning*.",
        "signed": "Mara",
        "sponsor": sponsor,
    }
    topics = replace(SEA, colour="#1f5c8c"), TRAMS
    waiting = [published("Tide", tags=("sea",)), published("Bell", tags=("trams",), hours=3)]
    made = edition_of(*waiting, plan_input=plan_input(*topics, lead=Lead.NONE, **texts))
    assert {name: getattr(made, name) for name in texts} == texts
    assert [(each.slug, each.colour) for each in made.sections] == [("sea", "#1f5c8c"), ("trams", "")]
    assert [(each.slug, each.colour) for each in made.headings] == [("sea", "#1f5c8c"), ("trams", "")]


def test_a_found_section_has_the_colour_of_the_topic_with_its_slug() -> None:
    waiting = [published(f"Tide {number}", tags=("Sea",), id=f"t{number}") for number in range(5)]
    found = replace(plan_input(SEA), topics=(replace(SEA, colour="#1f5c8c"),))
    made = edition_of(*waiting, plan_input=replace(found, digest=replace(found.digest, topics=())))
    assert {each.slug: each.colour for each in made.headings} == {"sea": "#1f5c8c"}


def test_the_next_edition_is_the_next_date_that_is_not_skipped() -> None:
    tomorrow = DUE.local_date + timedelta(days=1)
    next_at = edition_of(published("Tide"), plan_input=plan_input(skip=(tomorrow,))).next_at
    assert next_at == DUE.send_at + timedelta(days=2)


@pytest.mark.parametrize(
    ("schedule", "every"),
    [
        ("every day at 07:00", Every.DAY),
        ("weekdays at 07:00", Every.WEEKDAY),
        ("saturdays at 09:00", Every.WEEK),
        ("first monday of the month at 08:00", Every.MONTH),
        ("the 15th of the month at 08:00", Every.MONTH),
        ("last day of the month at 08:00", Every.MONTH),
        ("0 7 * * *", Every.DAY),
        ("mondays and thursdays at 18:00", None),
        ("every other monday at 07:00", None),
        ("the 31st of the month at 08:00", None),
        ("0 7 1 jan *", None),
        ("0 7 1 * mon", None),
        ("0 7 1,15 * *", None),
    ],
)
def test_an_edition_knows_how_often_it_comes_if_one_word_can_say_it(
    schedule: str, every: Every | None
) -> None:
    assert edition_of(published("Tide"), plan_input=plan_input(schedule=schedule)).every is every


# ── whether there is an edition ─────────────────────────────────────────────────────────────


def test_without_anything_new_there_is_no_edition() -> None:
    assert plan((), (), plan_input()) == Plan(edition=None, reason="there are no new posts")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1, "there is 1 new story, and this digest needs at least 5"),
        (3, "there are 3 new stories, and this digest needs at least 5"),
    ],
)
def test_under_the_minimum_all_posts_are_carried_over(number: int, reason: str) -> None:
    waiting = [published(f"Note {word}", id=word) for word in "abcd"[:number]]
    assert plan(waiting, (), plan_input(minimum=5)) == Plan(
        edition=None, reason=reason, carried=tuple("abcd"[:number])
    )


def test_the_minimum_counts_stories_not_posts() -> None:
    link = "https://trams.example.org/line-9"
    waiting = published("Line 9", url=link), published("Line 9 opens", "Coast Weekly", url=link)
    assert plan(waiting, (), plan_input(minimum=2)).edition is None


def test_posts_too_old_are_dropped_with_the_reason() -> None:
    old = published("Old", id="old", hours=9 * 24)
    undated = published("Undated", id="undated", hours=50, published_at=None)
    fresh = published("Fresh", id="fresh", hours=47)
    planned = plan((old, fresh, undated), (), plan_input(max_age=timedelta(days=2)))
    assert planned.used == ("fresh",)
    assert dict(planned.dropped) == {
        "old": "it was published 9 days ago, and the limit is 2 days",
        "undated": "it was first seen 2 days ago, and the limit is 2 days",
    }


def test_posts_of_a_feed_the_digest_takes_no_more_go_on_waiting() -> None:
    here, gone = published("Here", id="here"), published("Gone", "Coast Weekly", id="gone")
    planned = plan((here, gone), (), plan_input(feeds=("Harbour News",)))
    assert (planned.used, planned.carried, planned.dropped) == (("here",), ("gone",), ())


def test_posts_that_repeat_a_published_post_are_dropped_and_name_its_edition() -> None:
    before = PublishedPost(
        waiting=published("New tram line 9 opens today", url="https://trams.example.org/9", hours=30),
        edition_id="daily-2026-11-21",
    )
    same_link = published(
        "Line 9 is running", "Coast Weekly", id="link", url="https://trams.example.org/9?utm_source=x"
    )
    same_title = published("New tram line 9 opens today", "Island Radio", id="title")
    planned = plan((same_link, same_title), (before,), plan_input())
    assert dict(planned.dropped) == dict.fromkeys(("link", "title"), "already published in daily-2026-11-21")
    assert planned.reason == "there are no new posts: 2 posts are too old or already published"


def test_each_episode_of_a_show_is_published_even_if_all_link_to_one_page() -> None:
    page = "https://radio.example.org/show"
    before = PublishedPost(
        waiting=published("Episode 14: Ferries", "Island Radio", url=page, hours=30),
        edition_id="daily-2026-11-21",
    )
    planned = plan(
        (published("Episode 15: Owls", "Island Radio", id="new", url=page),), (before,), plan_input()
    )
    assert planned.used == ("new",)


# ── lead and sections ───────────────────────────────────────────────────────────────────────


def test_stories_stand_under_their_topics_newest_first_and_beyond_the_quota_as_headlines() -> None:
    sea = topic("sea", tags=("sea",), quota=1)
    waiting = [
        published(f"Sea {word}", tags=("sea",), hours=n) for n, word in enumerate(("one", "two", "six"), 1)
    ]
    edition = edition_of(*waiting, published("Bus"), plan_input=plan_input(TRAMS, sea, lead=Lead.NONE))
    section, rest = edition.sections
    assert [story.title for story in section.stories] == ["Sea one"]
    assert [story.title for story in section.more] == ["Sea two", "Sea six"]
    assert (rest.slug, rest.title, rest.stories[0].rule) == ("more", "More stories", "catch-all")


def test_only_topics_of_this_digest_count_and_without_any_they_are_found_in_the_tags() -> None:
    waiting = [published(f"Sea {word}", tags=("sea", "waves"), id=word, hours=3) for word in "ab"]
    waiting += [published(f"Owl {word}", tags=("owls",), id=word, hours=9) for word in "cd"]
    assert set(titles(edition_of(*waiting, plan_input=plan_input(SEA, lead=Lead.NONE)))) == {"sea", "more"}
    assert set(titles(edition_of(*waiting, plan_input=plan_input(SEA, topics=(), lead=Lead.NONE)))) == {
        "sea",
        "owls",
    }


def test_the_lead_is_covered_by_most_feeds_and_appears_only_at_the_top() -> None:
    link = "https://trams.example.org/line-9"
    shared = (
        published("Line 9", url=link, tags=("trams",), hours=20),
        published("Nine", "Coast Weekly", url=link, hours=19),
    )
    pictured, newest = published("Pictured", image=IMAGE, hours=9), published("Newest", tags=("sea",))
    edition = edition_of(*shared, pictured, newest, plan_input=plan_input(SEA, TRAMS))
    assert edition.lead
    assert (edition.lead.title, edition.lead.topic, edition.lead.rule) == ("Line 9", "trams", "tag: trams")
    assert titles(edition) == {"sea": ["Newest"], "more": ["Pictured"]}


def test_the_lead_is_on_a_topic_rather_than_under_the_catch_all() -> None:
    pictured, on_topic = published("Pictured", image=IMAGE), published("Tide", tags=("sea",), hours=9)
    edition = edition_of(pictured, on_topic, plan_input=plan_input(SEA))
    assert edition.lead
    assert edition.lead.title == "Tide"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "[Sponsored] A boat for the summer"},
        {"title": "Anzeige: Ein Boot für den Sommer"},
        {"title": "Un bateau pour l’été | Contenu partenaire"},
        {"title": "A boat", "tags": ("Boats", "Partner content")},
        {"title": "A boat", "url": "https://news.example.org/advertorial/boat"},
    ],
)
def test_a_post_that_is_paid_for_leads_only_if_there_is_no_other(fields: dict[str, Any]) -> None:
    paid, report = published(**fields, image=IMAGE), published("Boats sponsored by the town", hours=9)
    for waiting, lead in (((paid, report), report), ((paid,), paid)):
        edition = edition_of(*waiting, plan_input=plan_input())
        assert edition.lead
        assert edition.lead.title == lead.post.title


@pytest.mark.parametrize(
    ("rule", "expected"), [(Lead.AUTO, "Pictured"), (Lead.NEWEST, "Newest"), (Lead.NONE, None)]
)
def test_the_lead_follows_the_policy(rule: Lead, expected: str | None) -> None:
    waiting = published("Pictured", image=IMAGE, hours=9), published("Newest", hours=1)
    edition = edition_of(*waiting, plan_input=plan_input(lead=rule))
    assert (edition.lead.title if edition.lead else None) == expected


def test_over_the_maximum_topics_take_turns_and_the_rest_is_carried_over() -> None:
    sea = [published(f"Sea {n}", tags=("sea",), id=f"sea-{n}", hours=n) for n in range(1, 6)]
    trams = [published(f"Tram {n}", tags=("trams",), id=f"tram-{n}", hours=n + 50) for n in range(1, 3)]
    planned = plan(
        [*sea, *trams, published("Bus", id="bus", hours=99)], (), plan_input(SEA, TRAMS, maximum=5)
    )
    assert planned.edition
    assert planned.edition.lead
    assert planned.edition.lead.title == "Sea 1"
    assert titles(planned.edition) == {"sea": ["Sea 2", "Sea 3"], "trams": ["Tram 1"], "more": ["Bus"]}
    assert planned.carried == ("sea-4", "sea-5", "tram-2")


def test_an_edition_contains_everything_for_rendering_it() -> None:
    edition = edition_of(
        published("Bus"), plan_input=plan_input(subject="{{ title }}", reply_to="desk@example.org")
    )
    assert (edition.id, edition.digest, edition.title) == ("daily-2026-11-22", "daily", "The Daily")
    assert (edition.cutoff_at, edition.send_at, edition.zone) == (DUE.cutoff_at, DUE.send_at, "UTC")
    assert (edition.language, edition.site) == ("en", samples.SITE)
    assert (edition.subject_template, edition.reply_to) == ("{{ title }}", "desk@example.org")


def test_a_second_edition_of_a_day_has_a_number() -> None:
    taken = "daily-2026-11-22", "daily-2026-11-22-2"
    assert edition_of(published("Bus"), plan_input=plan_input(taken=taken)).id == "daily-2026-11-22-3"


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
        PublishedPost(waiting=each, edition_id="daily-1")
        for each in before
        if each.post.id not in {other.post.id for other in waiting}
    ]
    planned = plan(waiting, told_before, plan_input(*topics, **rules))
    places = [*planned.used, *planned.carried, *(post_id for post_id, _ in planned.dropped)]
    assert sorted(places) == sorted(each.post.id for each in waiting)
    assert (planned.edition is None) == bool(planned.reason)
    if planned.edition is None:
        assert not planned.used


@given(samples.waiting, samples.topics, rules)
def test_a_story_appears_once_and_counts_once_for_the_maximum(
    waiting: list[WaitingPost], topics: list[Topic], rules: dict[str, Any]
) -> None:
    planned = plan(waiting, (), plan_input(*topics, **rules))
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
    one, other = (plan(posts, (), plan_input(*topics, **rules)) for posts in (waiting, shuffled))
    assert one == other
    assert one.edition is None or other.edition is None or to_json(one.edition) == to_json(other.edition)


def test_ages_are_counted_from_the_cutoff_so_a_replay_is_the_same() -> None:
    later = Due(local_date=DUE.local_date, cutoff_at=NOW + timedelta(days=1), send_at=NOW + timedelta(days=1))
    waiting, limit = [published("Bus", id="bus", hours=30)], timedelta(days=2)
    assert plan(waiting, (), plan_input(max_age=limit)).used == ("bus",)
    assert plan(waiting, (), plan_input(max_age=limit, due=later)).used == ()


# ── an edition that is planned again ────────────────────────────────────────────────────────


def test_a_story_is_still_led_by_its_post_when_another_feed_has_it_too() -> None:
    link = "https://harbour.example.org/ferry"
    ours = published("Ferry returns", id="ours", url=link)
    better = published("Ferry returns", "Coast Weekly", id="better", url=link, hours=5, image=IMAGE)
    other_words = published("The ferry is back at the quay", "Island Radio", id="other", hours=6)
    (first,) = edition_of(ours, plan_input=plan_input()).stories()
    (changed,) = edition_of(ours, better, plan_input=plan_input()).stories()
    assert (first.id, changed.id) == ("ours", "better")
    again = replace(plan_input(), leaders={"ours"})
    (kept,) = edition_of(ours, better, plan_input=again).stories()
    assert (kept.id, sorted(kept.post_ids)) == ("ours", ["better", "ours"])
    assert [each.name for each in kept.also] == ["Coast Weekly"]
    ids = [story.id for story in edition_of(ours, better, other_words, plan_input=again).stories()]
    assert "ours" in ids
    assert "better" not in ids
