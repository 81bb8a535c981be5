from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.gather import GatherInput, gather
from digest.compose.plan import PlanInput, plan
from digest.compose.stories.covered import cover
from digest.compose.topics import place
from digest.model.editions import Claim, Coverage, Edition, Every, Heading, Section, Source, Story
from digest.model.posts import Image, Via, WaitingPost
from digest.model.publication import Lead, Site, Sponsor, Style, Topic
from digest.model.snapshot import (
    choose,
    content_hash,
    from_json,
    headings_of,
    sections_in,
    text_hash,
    to_json,
)
from subscribers.model import Choice, Frequency
from tests.compose.samples import IMAGE, groups, plan_input, published, topic, topics, waiting

text = st.text(max_size=30)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
images = st.builds(
    Image, url=text, alt=text, width=st.none() | st.integers(), height=st.none() | st.integers()
)
stories = st.builds(
    Story,
    id=text,
    title=text,
    blurb=text,
    url=st.none() | text,
    source=text,
    author=st.none() | text,
    published_at=st.none() | moments,
    image=st.none() | images,
    tags=st.lists(text, max_size=2).map(tuple),
    topic=text,
    rule=text,
    also=st.lists(st.builds(Source, name=text, url=st.none() | text), max_size=2).map(tuple),
    post_ids=st.lists(text, max_size=2).map(tuple),
    claims=st.lists(st.builds(Claim, topic=text, rule=text), max_size=2).map(tuple),
    coverage=st.lists(
        st.builds(Coverage, post_id=text, title=text, source=text, url=st.none() | text), max_size=2
    ).map(tuple),
    note=text,
)
some = st.lists(stories, max_size=2).map(tuple)
sections = st.builds(Section, slug=text, title=text, stories=some, more=some, colour=text)
editions = st.builds(
    Edition,
    id=text,
    digest=text,
    title=text,
    local_date=st.dates(date(1990, 1, 1)),
    zone=text,
    language=text,
    cutoff_at=moments,
    send_at=moments,
    site=st.builds(Site, name=text, base_url=text, postal_address=text, language=text),
    sender=text,
    reply_to=st.none() | text,
    subject_template=text,
    preheader_template=text,
    lead=st.none() | stories,
    sections=st.lists(sections, max_size=2).map(tuple),
    headings=st.lists(
        st.builds(Heading, slug=text, title=text, quota=st.none() | st.integers(), colour=text), max_size=2
    ).map(tuple),
    style=st.sampled_from(Style),
    number=st.integers(min_value=0),
    next_at=st.none() | moments,
    every=st.none() | st.sampled_from(Every),
    introduction=text,
    signed=text,
    sponsor=st.none() | st.builds(Sponsor, name=text, text=text, url=text, link=text),
)

SEA, TRAMS, OWLS = (topic(name, tags=(name,), quota=2) for name in ("sea", "trams", "owls"))


def example(lead: Lead = Lead.AUTO) -> Edition:
    """Return an edition led by an owl; two stories in full and one headline on the sea; one tram."""
    waiting = [
        published("Owl at noon", tags=("owls",), image=IMAGE, hours=9),
        published("Sea one", tags=("sea",), hours=1),
        published("Sea two", tags=("sea",), hours=2),
        published("Sea three", tags=("sea",), hours=3),
        published("Tram", tags=("trams",), image=IMAGE, hours=20),
    ]
    edition = plan(waiting, (), plan_input(SEA, TRAMS, OWLS, lead=lead)).edition
    assert edition is not None
    return edition


def outline(edition: Edition | None) -> tuple[str | None, dict[str, tuple[list[str], list[str]]]]:
    assert edition is not None
    in_sections = {
        one.slug: ([story.title for story in one.stories], [story.title for story in one.more])
        for one in edition.sections
    }
    return edition.lead.title if edition.lead else None, in_sections


# ── the snapshot ────────────────────────────────────────────────────────────────────────────


@given(editions)
def test_an_edition_comes_back_from_its_snapshot_as_it_was(edition: Edition) -> None:
    snapshot = to_json(edition)
    assert from_json(snapshot) == edition
    assert to_json(from_json(snapshot)) == snapshot
    assert content_hash(edition) == text_hash(snapshot)


def test_a_snapshot_is_canonical() -> None:
    snapshot = to_json(replace(example(), title="Für alle – 灯台"))
    assert "Für alle – 灯台" in snapshot
    assert '"local_date":"2026-11-22"' in snapshot
    assert '"cutoff_at":"2026-11-22T06:30:00+00:00"' in snapshot
    data = json.loads(snapshot)
    assert snapshot == json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def test_a_stored_snapshot_of_an_earlier_version_keeps_its_bytes_and_its_hash() -> None:
    snapshot = (Path(__file__).parent / "earlier.json").read_text(encoding="utf-8")
    edition = from_json(snapshot)
    assert to_json(edition) == snapshot
    assert content_hash(edition) == "cbdb24f131d10f66d865183842391ea6abfd72e661a2c048fd9db2fb07e944a0"
    assert (edition.style, edition.number, edition.next_at) == (Style.NEWSPAPER, 0, None)
    assert '"headings":[]' in to_json(replace(edition, headings=()))


def test_a_story_without_coverage_is_written_as_earlier_versions_wrote_it() -> None:
    edition = example()
    assert '"coverage"' not in to_json(edition)
    assert edition.lead
    other = Coverage(post_id="b", title="Ferry is back", source="Coast Weekly")
    covered = replace(edition, lead=replace(edition.lead, coverage=(other,)))
    assert '"coverage":[{"post_id":"b"' in to_json(covered)


def test_the_hash_changes_with_every_word() -> None:
    edition = example()
    assert len(content_hash(edition)) == 64
    assert content_hash(edition) != content_hash(replace(edition, title="Another"))


@pytest.mark.parametrize("snapshot", ["", "[]", "null", '"edition"', '{"id":"x"}', '{"local_date":7}'])
def test_a_text_that_is_no_snapshot_is_refused(snapshot: str) -> None:
    with pytest.raises(ValueError, match="not the snapshot of an edition"):
        from_json(snapshot)


def test_a_snapshot_with_a_field_of_another_version_is_refused() -> None:
    data = json.loads(to_json(example())) | {"mood": "calm"}
    with pytest.raises(ValueError, match="mood"):
        from_json(json.dumps(data))


def test_a_snapshot_of_an_earlier_version_is_read_and_each_story_has_one_topic() -> None:
    data = json.loads(to_json(example()))
    del data["headings"]
    for story in [
        data["lead"],
        *(each for one in data["sections"] for each in (*one["stories"], *one["more"])),
    ]:
        del story["claims"]
    edition = from_json(json.dumps(data))
    assert edition == replace(example(), headings=())
    for text in ("sea", "trams,owls", "-sea", "books"):
        chosen = choose(example(), Choice.parse(text))
        assert choose(edition, Choice.parse(text)) == (replace(chosen, headings=()) if chosen else None)


def test_what_earlier_versions_did_not_know_is_left_out_where_it_is_empty() -> None:
    assert '"via"' not in to_json(example())
    lead = example().lead
    assert lead
    with_source = replace(example(), lead=replace(lead, via=Via(name="Wire News")))
    assert '"via":{"name":"Wire News","url":null}' in to_json(with_source)
    assert from_json(to_json(with_source)) == with_source


# ── one reader's edition ────────────────────────────────────────────────────────────────────


def test_a_reader_who_wants_everything_gets_the_whole_edition() -> None:
    assert choose(example(), Choice()) == example()


def test_a_reader_gets_only_the_chosen_topics() -> None:
    assert outline(choose(example(), Choice.parse("owls,trams"))) == (
        "Owl at noon",
        {"trams": (["Tram"], [])},
    )
    assert outline(choose(example(), Choice.parse("-sea"))) == ("Owl at noon", {"trams": (["Tram"], [])})


def test_without_the_lead_s_topic_the_most_prominent_other_story_is_at_the_top() -> None:
    assert outline(choose(example(), Choice.parse("-owls"))) == (
        "Tram",
        {"sea": (["Sea one", "Sea two"], ["Sea three"])},
    )


def test_a_story_on_a_topic_is_promoted_before_one_under_the_catch_all() -> None:
    loose = [published(f"Loose {word}", image=IMAGE, id=word, hours=0) for word in "ab"]
    waiting = [
        published("Owl at noon", tags=("owls",), image=IMAGE),
        published("Sea one", tags=("sea",), hours=5),
    ]
    edition = plan([*waiting, *loose], (), plan_input(SEA, OWLS)).edition
    assert edition is not None
    assert outline(choose(edition, Choice.parse("sea,more")))[0] == "Sea one"


def test_the_story_promoted_leaves_its_place_to_the_next_headline() -> None:
    assert outline(choose(example(), Choice.parse("sea"))) == (
        "Sea one",
        {"sea": (["Sea two", "Sea three"], [])},
    )


def test_the_lead_alone_can_be_all_a_reader_chose() -> None:
    assert outline(choose(example(), Choice.parse("owls"))) == ("Owl at noon", {})


def test_an_edition_without_a_lead_stays_without() -> None:
    assert outline(choose(example(Lead.NONE), Choice.parse("trams"))) == (None, {"trams": (["Tram"], [])})


@pytest.mark.parametrize("lead", Lead)
def test_nothing_is_left_for_a_reader_of_other_topics(lead: Lead) -> None:
    assert choose(example(lead), Choice.parse("books")) is None


@given(
    st.frozensets(st.sampled_from(["sea", "trams", "owls", "books"])), st.booleans(), st.sampled_from(Lead)
)
def test_a_reader_gets_every_story_of_the_chosen_topics_once_and_no_other(
    slugs: frozenset[str], include: bool, lead: Lead
) -> None:
    choice = Choice(include=slugs) if include else Choice(exclude=slugs)
    edition = example(lead)
    chosen = choose(edition, choice)
    wanted = sorted(story.id for story in edition.stories() if choice.wants(story.topic))
    assert sorted(story.id for story in chosen.stories()) == wanted if chosen else not wanted
    assert chosen is None or (chosen.lead is None) == (lead is Lead.NONE)


# ── stories of several topics ───────────────────────────────────────────────────────────────


def test_a_story_of_two_topics_stands_under_the_first_that_the_reader_chose() -> None:
    ferry = published("Tram to the ferry", tags=("trams", "sea"), hours=2)
    edition = plan(
        [ferry, published("Owl", tags=("owls",), hours=1)], (), plan_input(SEA, TRAMS, OWLS)
    ).edition
    assert edition is not None
    assert outline(choose(edition, Choice())) == ("Owl", {"sea": (["Tram to the ferry"], [])})
    chosen = choose(edition, Choice.parse("owls,trams"))
    assert chosen is not None
    assert outline(chosen) == ("Owl", {"trams": (["Tram to the ferry"], [])})
    assert [(story.topic, story.rule) for story in chosen.sections[0].stories] == [("trams", "tag: trams")]
    assert chosen.sections[0].title == "Trams"
    assert outline(choose(edition, Choice.parse("trams"))) == ("Tram to the ferry", {})
    assert outline(choose(edition, Choice.parse("-sea,-owls"))) == ("Tram to the ferry", {})
    assert choose(edition, Choice.parse("books")) is None


def test_the_lead_stays_at_the_top_for_a_reader_of_its_second_topic() -> None:
    lead = published("Owls ride the tram", tags=("owls", "trams"), image=IMAGE, hours=9)
    edition = plan([lead, published("Line four", tags=("trams",))], (), plan_input(OWLS, TRAMS)).edition
    assert edition is not None
    assert edition.lead is not None
    assert edition.lead.topic == "owls"
    chosen = choose(edition, Choice.parse("trams"))
    assert outline(chosen) == ("Owls ride the tram", {"trams": (["Line four"], [])})
    assert chosen is not None
    assert chosen.lead is not None
    assert chosen.lead.topic == "trams"


def test_a_moved_story_keeps_the_order_and_the_quota_of_the_section() -> None:
    posts = [
        published("Tram one", tags=("trams",), hours=1),
        published("Tram by the sea", tags=("trams", "sea"), hours=2),
        published("Tram three", tags=("trams",), hours=3),
        published("Tram four", tags=("trams",), hours=4),
    ]
    edition = plan(posts, (), plan_input(SEA, TRAMS, lead=Lead.NONE)).edition
    assert outline(choose(edition, Choice.parse("trams"))) == (  # type: ignore[arg-type]
        None,
        {"trams": (["Tram one", "Tram by the sea"], ["Tram three", "Tram four"])},
    )


_SLUGS = st.frozensets(st.sampled_from(["trams", "sea", "climate", "island", "more", "elsewhere"]))


@given(
    waiting,
    topics,
    st.sampled_from(Lead),
    st.builds(Choice, include=_SLUGS) | st.builds(Choice, exclude=_SLUGS),
)
def test_every_reader_gets_all_stories_of_the_chosen_topics_once_under_the_first(
    posts: list[WaitingPost], configured: list[Topic], lead: Lead, choice: Choice
) -> None:
    rules = plan_input(*configured or [SEA], lead=lead, maximum=100, minimum=1)
    edition = plan(posts, (), rules).edition
    if edition is None:
        return
    expected = _expected(posts, rules, choice)
    for each in (edition, from_json(to_json(edition)), _gathered(edition, rules)):
        chosen = choose(each, choice)
        assert (_placed(chosen) if chosen else []) == sorted(expected.items())
        if chosen:
            assert len(_full(chosen)) <= len(_full(each))
            quotas = {heading.slug: heading.quota for heading in headings_of(each)}
            for section in chosen.sections:
                quota = quotas[section.slug]
                assert quota is None or len(section.stories) <= quota
                assert all(story.topic == section.slug for story in (*section.stories, *section.more))
            assert choose(chosen, choice) == chosen


def _expected(posts: list[WaitingPost], rules: PlanInput, choice: Choice) -> dict[str, str]:
    """Return where each story of a reader stands: each topic is asked alone which stories it claims."""
    found = cover(groups(*posts), (), "en")
    in_order = sorted(rules.topics, key=lambda each: each.order)
    claimed = {
        each.slug: {
            placed.group.id
            for one in place(found, [each], catch_all="")
            for placed in one.placed
            if one.slug == each.slug
        }
        for each in in_order
    }
    expected = {}
    for group in found:
        claiming = [slug for slug, ids in claimed.items() if group.id in ids] or ["more"]
        if wanted := [slug for slug in claiming if choice.wants(slug)]:
            expected[group.id] = wanted[0]
    return expected


def _placed(chosen: Edition) -> list[tuple[str, str]]:
    lead = [(chosen.lead.id, chosen.lead.topic)] if chosen.lead else []
    stories = [(story.id, one.slug) for one in chosen.sections for story in (*one.stories, *one.more)]
    return sorted([*lead, *stories])


def _full(edition: Edition) -> list[Story]:
    lead = [edition.lead] if edition.lead else []
    return [*lead, *(story for section in edition.sections for story in section.stories)]


def _gathered(edition: Edition, rules: PlanInput) -> Edition:
    gathered = gather(
        [edition],
        GatherInput(
            digest=rules.digest,
            site=rules.site,
            due=rules.due,
            frequency=Frequency.WEEKLY,
            title="The week",
            topics=rules.topics,
        ),
    )
    assert gathered is not None
    return gathered


def test_a_reader_chooses_a_section_and_gets_all_of_its_parts() -> None:
    town = [published(f"Note {n}", id=f"t{n}", tags=("Town", ("council", "trams")[n % 2])) for n in range(12)]
    sport = [published(f"Race {n}", id=f"s{n}", tags=("Sport", "quay")) for n in range(2)]
    edition = plan([*town, *sport], (), plan_input()).edition
    assert edition is not None
    assert {section.title for section in edition.sections} == {"Council", "Trams", "Sport"}
    assert from_json(to_json(edition)) == edition
    chosen = choose(edition, Choice(include=frozenset({"town"})))
    assert chosen is not None
    assert {section.title for section in chosen.sections} == {"Council", "Trams"}
    assert sum(1 for _ in chosen.stories()) == 12
    without = choose(edition, Choice(exclude=frozenset({"town"})))
    assert without is not None
    assert {story.topic for story in without.stories()} == {"sport"}
    assert sections_in(edition) == (("town", "Town", 12), ("sport", "Sport", 2))


def test_a_heading_that_is_no_part_leaves_no_trace_in_the_snapshot() -> None:
    edition = plan([published("A calm day", tags=("Sea",))], (), plan_input()).edition
    assert edition is not None
    assert "section" not in json.loads(to_json(edition))["headings"][0]
