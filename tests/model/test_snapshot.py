from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose.plan import plan
from digest.model.editions import Edition, Section, Source, Story
from digest.model.posts import Image
from digest.model.publication import Lead, Site
from digest.model.snapshot import choose, content_hash, from_json, text_hash, to_json
from subscribers.model import Choice
from tests.compose.samples import IMAGE, plan_input, published, topic

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
)
some = st.lists(stories, max_size=2).map(tuple)
sections = st.builds(Section, slug=text, title=text, stories=some, more=some)
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
