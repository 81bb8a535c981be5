"""A gathered edition contains every story of its editions once, under its topic, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from digest.compose.gather import GatherInput, gather
from digest.compose.plan import plan
from digest.model.editions import Due, Edition, Section, Story
from digest.model.publication import Lead, Topic
from digest.model.snapshot import choose, content_hash, from_json, prominence, to_json
from subscribers.model import Choice, Frequency
from tests import strategies
from tests.compose.samples import DAILY, DUE, NOW, SITE, plan_input, published, topic

MONDAY = Due(local_date=date(2026, 11, 23), cutoff_at=NOW, send_at=NOW + timedelta(days=1))


def gather_input(*topics: Topic, taken: Sequence[str] = (), **digest: Any) -> GatherInput:
    slugs = tuple(each.slug for each in topics)
    return GatherInput(
        digest=replace(DAILY, **{"topics": slugs, **digest}),
        site=SITE,
        due=MONDAY,
        frequency=Frequency.WEEKLY,
        title="The week in The Daily",
        topics=topics,
        taken=taken,
    )


def edition(day: int, *titles: str, topics: Sequence[Topic] = (), **digest: Any) -> Edition:
    """Return the edition of a day, with stories of these titles; a title's first word is its tag."""
    waiting = [published(title, hours=at + 1, tags=(title.split()[0],)) for at, title in enumerate(titles)]
    later = timedelta(days=day)
    due = Due(local_date=DUE.local_date + later, cutoff_at=DUE.cutoff_at + later, send_at=DUE.send_at + later)
    made = plan(waiting, (), plan_input(*topics, due=due, **digest)).edition
    assert made
    return made


def gathered(*editions: Edition, by: GatherInput | None = None, full: int | None = None) -> Edition:
    made = gather(editions, by or gather_input(), full=full)
    assert made
    return made


def titles(made: Edition) -> list[str]:
    return [story.title for story in made.stories()]


# ── what it is ──────────────────────────────────────────────────────────────────────────────


def test_a_gathered_edition_has_its_own_id_and_title() -> None:
    made = gathered(edition(0, "Tram"))
    assert (made.id, made.digest) == ("daily-weekly-2026-11-23", "daily")
    assert (made.local_date, made.send_at, made.title) == (
        MONDAY.local_date,
        MONDAY.send_at,
        "The week in The Daily",
    )
    assert made.subject_template == "{{ title }}: {{ lead.title }}"
    assert from_json(to_json(made)) == made
    assert gathered(edition(0, "Tram"), by=gather_input(taken=[made.id])).id == "daily-weekly-2026-11-23-2"


def test_a_gathered_edition_has_the_texts_of_its_digest_and_the_next_date_of_its_own_schedule() -> None:
    sea = topic("sea", tags=("sea",), colour="#1f5c8c")
    by = gather_input(sea, introduction="Good morning.", schedule="sundays at 07:00")
    made = gathered(edition(0, "sea one", topics=[sea]), edition(1, "sea two", topics=[sea]), by=by)
    assert made.introduction == "Good morning."
    assert [each.colour for each in made.sections] == ["#1f5c8c"]
    assert made.next_at == DUE.send_at + timedelta(days=7)


def test_a_subject_that_has_the_title_in_it_stays_as_it_is() -> None:
    for subject in ("{{ title }}: {{ lead.title }}", "News · {{ title | upper }}"):
        assert gathered(edition(0, "Tram"), by=gather_input(subject=subject)).subject_template == subject
    lead = "A title for you: {{ titles[0] }}"
    assert (
        gathered(edition(0, "Tram"), by=gather_input(subject=lead)).subject_template
        == f"{{{{ title }}}}: {lead}"
    )


def test_without_stories_there_is_none() -> None:
    assert gather([], gather_input()) is None
    assert gather([replace(edition(0, "Tram"), lead=None, sections=())], gather_input()) is None


# ── which stories, and where ────────────────────────────────────────────────────────────────


def test_a_story_in_two_editions_appears_once_in_its_latest_version() -> None:
    first, second = edition(0, "Tram stops", "Bridge"), edition(1, "Tram stops", "Lighthouse")
    assert second.lead
    again = replace(second, lead=replace(second.lead, title="Tram goes on"))
    assert sorted(titles(gathered(again, first))) == ["Bridge", "Lighthouse", "Tram goes on"]


def test_tellings_are_the_same_when_they_have_a_post_in_common() -> None:
    first, second = edition(0, "Tram"), edition(1, "Bridge")
    assert first.lead
    joined = replace(first, lead=replace(first.lead, post_ids=("x", "harbour-news/bridge")))
    assert titles(gathered(joined, second)) == ["Bridge"]


def test_topics_keep_the_order_of_the_digest_and_the_catch_all_comes_last() -> None:
    sea, trams = topic("sea", tags=("Sea",), order=2), topic("trams", tags=("Tram",), order=1)
    both = [edition(0, "Odd news", "Sea one", "Sea two", topics=(sea, trams), lead=Lead.NONE)]
    both.append(edition(1, "Tram one", "Odd again", topics=(sea, trams), lead=Lead.NONE))
    made = gathered(*both, by=gather_input(sea, trams, lead=Lead.NONE))
    assert [(section.slug, section.title) for section in made.sections] == [
        ("trams", "Trams"),
        ("sea", "Sea"),
        ("more", "More stories"),
    ]
    assert [story.title for story in made.sections[2].stories] == ["Odd again", "Odd news"]


def test_a_topic_that_had_its_lead_alone_has_its_name() -> None:
    trams, sea = topic("trams", tags=("Tram",)), topic("sea", tags=("Sea",))
    first = edition(0, "Tram one", topics=(trams, sea))
    second = edition(1, "Sea two", "Sea one", topics=(trams, sea))
    assert first.sections == ()
    made = gathered(first, second, by=gather_input(trams, sea, lead=Lead.NONE))
    assert [section.title for section in made.sections] == ["Trams", "Sea"]
    found = gathered(first, by=gather_input(lead=Lead.NONE))  # the topic is configured no more
    assert [section.title for section in found.sections] == ["Trams"]
    earlier = gathered(replace(first, headings=()), by=gather_input(lead=Lead.NONE))  # of an earlier version
    assert [section.title for section in earlier.sections] == ["trams"]
    unclaimed = gathered(edition(0, "Tram"), by=gather_input(lead=Lead.NONE))
    assert [section.title for section in unclaimed.sections] == ["More stories"]


def test_the_most_prominent_of_the_leads_is_at_the_top() -> None:
    first, second = edition(0, "Tram", "Bridge"), edition(1, "Lighthouse")
    assert first.lead
    assert second.lead
    best = min((first.lead, second.lead), key=prominence)
    assert gathered(first, second).lead == best
    assert gathered(first, second, by=gather_input(lead=Lead.NEWEST)).lead
    assert gathered(first, second, by=gather_input(lead=Lead.NONE)).lead is None


def test_stories_over_the_quota_or_the_maximum_become_headlines() -> None:
    sea = topic("sea", tags=("Sea",), quota=2)
    days = [edition(day, f"Sea {day}a", f"Sea {day}b", topics=(sea,), lead=Lead.NONE) for day in range(3)]
    (section,) = gathered(*days, by=gather_input(sea, lead=Lead.NONE)).sections
    assert [story.title for story in section.stories] == ["Sea 2a", "Sea 2b"]
    assert [story.title for story in section.more] == ["Sea 1a", "Sea 1b", "Sea 0a", "Sea 0b"]
    (section,) = gathered(*days, by=gather_input(sea, lead=Lead.NONE, maximum=1)).sections
    assert [story.title for story in section.stories] == ["Sea 2a"]
    (section,) = gathered(*days, by=gather_input(sea, lead=Lead.NONE), full=0).sections
    assert (section.stories, len(section.more)) == ((), 6)


def test_a_headline_stays_one_while_there_are_others_to_show_in_full() -> None:
    sea = topic("sea", tags=("Sea",), quota=1)
    days = [edition(day, f"Sea {day}a", f"Sea {day}b", topics=(sea,), lead=Lead.NONE) for day in range(2)]
    (section,) = gathered(*days, by=gather_input(replace(sea, quota=2), lead=Lead.NONE)).sections
    assert [story.title for story in section.stories] == ["Sea 1a", "Sea 0a"]


# ── any editions at all ─────────────────────────────────────────────────────────────────────


@st.composite
def weeks(draw: st.DrawFn) -> list[Edition]:
    """Make editions that now and then tell a story again, or under another topic."""
    posts = st.lists(st.integers(0, 30).map(str), min_size=1, max_size=3, unique=True)

    def fresh(slug: str) -> st.SearchStrategy[Story]:
        rules = st.sampled_from(["catch-all"] if slug == "more" else ["tag: sea"])
        return st.builds(
            lambda story, ids, rule: replace(
                story, id=ids[0], post_ids=tuple(ids), topic=slug, rule=rule, published_at=story.published_at
            ),
            strategies.stories(slug),
            posts,
            rules,
        )

    found: list[Edition] = []
    for day in range(draw(st.integers(1, 4))):
        seen: set[str] = set()

        def new(story: Story | None, seen: set[str] = seen, day: int = day) -> Story | None:
            if story is None or seen & set(story.post_ids):
                return None
            seen.update(story.post_ids)
            return replace(story, title=f"{day}: {story.title}")

        lead = new(draw(st.none() | fresh("sea")))
        sections = []
        for slug in draw(st.lists(st.sampled_from(["sea", "trams", "more"]), unique=True, max_size=3)):
            full = tuple(filter(None, map(new, draw(st.lists(fresh(slug), max_size=3)))))
            more = tuple(filter(None, map(new, draw(st.lists(fresh(slug), max_size=2)))))
            if full or more:
                sections.append(Section(slug=slug, title=f"{slug} {day}", stories=full, more=more))
        made = replace(edition(day, "Tram"), lead=lead, sections=tuple(sections))
        found.append(made)
    return found


orders = st.builds(
    lambda quota, lead, maximum: gather_input(
        topic("sea", quota=quota), topic("trams"), lead=lead, maximum=maximum
    ),
    st.none() | st.integers(1, 2),
    st.sampled_from(Lead),
    st.integers(1, 6),
)


@given(weeks(), orders)
def test_every_story_appears_once_and_there_are_no_others(week: list[Edition], by: GatherInput) -> None:
    made = gather(week, by)
    stories = list(made.stories()) if made else []
    told_before = [story for each in week for story in each.stories()]
    assert all(story in told_before for story in stories)
    counted = Counter(post for story in stories for post in story.post_ids)
    assert not [post for post, count in counted.items() if count > 1]
    for number, each in enumerate(week):  # a story is there, or one told later has a post of it
        for story in each.stories():
            later = [other for one in week[number + 1 :] for other in one.stories()]
            again = any(set(story.post_ids) & set(other.post_ids) for other in later)
            assert (story in stories) != again


@given(weeks(), orders)
def test_stories_stand_under_their_topics_and_no_more_in_full_than_allowed(
    week: list[Edition], by: GatherInput
) -> None:
    made = gather(week, by)
    if made is None:
        return
    slugs = [section.slug for section in made.sections]
    assert slugs == sorted(slugs, key=["sea", "trams", "more"].index)
    assert all(story.topic == each.slug for each in made.sections for story in (*each.stories, *each.more))
    full = sum(len(section.stories) for section in made.sections) + (made.lead is not None)
    assert full <= max(by.digest.maximum, 1)
    for section in made.sections:
        quota = next((each.quota for each in by.topics if each.slug == section.slug), None)
        assert quota is None or len(section.stories) <= quota


@given(weeks(), orders, st.randoms(use_true_random=False))
def test_the_same_editions_make_the_same_one_byte_for_byte(
    week: list[Edition], by: GatherInput, chance: random.Random
) -> None:
    shuffled = chance.sample(week, len(week))
    first, second = gather(week, by), gather(shuffled, by)
    assert (first is None) == (second is None)
    if first and second:
        assert content_hash(first) == content_hash(second)


def test_a_gathered_edition_has_at_most_eight_found_topics_and_the_rest() -> None:
    names = ["Owls", "Trams", "Ships", "Books", "Walks", "Songs", "Plays", "Boats", "Cakes", "Ponds"]
    week = [
        edition(day, *(f"{name} note {day}{n}" for name in names[start : start + 5] for n in range(2)))
        for day, start in enumerate((0, 5, 0))
    ]
    made = gathered(*week)
    shown = [section.title for section in made.sections]
    assert len(shown) == 9
    assert shown[-1] == "More stories"
    assert len(titles(made)) == len({story.id for story in made.stories()}) == 30
    small = next(story.claims[0].topic for story in made.stories() if story.rule == "catch-all")
    chosen = choose(made, Choice(include=frozenset({small})))
    assert chosen is not None
    assert {story.topic for story in chosen.stories()} == {small}
