"""The model of edits: an edition is its base with a list of edits, whatever the list is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from digest.compose.edits.apply import apply, fates
from digest.compose.edits.operations import (
    Add,
    Advertise,
    Defer,
    Drop,
    Edit,
    Introduce,
    MakeLead,
    Merge,
    Move,
    Note,
    Operation,
    Part,
    Picture,
    Preheader,
    Restore,
    Retitle,
    Rewrite,
    Split,
    Subject,
    Undo,
    all_touched,
    from_values,
    to_values,
)
from digest.model.editions import Coverage, Edition, Heading, Section, Source, Story
from digest.model.posts import PostState
from digest.model.publication import CATCH_ALL, CATCH_ALL_RULE, Sponsor
from digest.model.snapshot import content_hash
from digest.render.sample import sample_edition
from tests.strategies import SEND_AT, few, images

IDS = tuple(f"story-{number}" for number in range(9))
TOPICS = ("sea", "town", CATCH_ALL)


def story(story_id: str, topic: str, **fields: Any) -> Story:
    values: dict[str, Any] = {"url": None, "author": None, "published_at": None, "image": None, "tags": ()}
    rule = CATCH_ALL_RULE if topic == CATCH_ALL else f"tag: {topic}"
    own = {"title": story_id, "blurb": "Calm.", "source": "Harbour News", "rule": rule, "topic": topic}
    posts = {"post_ids": (story_id, f"{story_id}-b", f"{story_id}-c")}
    return Story(id=story_id, **(values | own | posts | fields))


def part(post_id: str, source: str = "Coast Weekly") -> Story:
    """Return the story that a post makes when it is split off."""
    return story(
        post_id, "", post_ids=(post_id,), source=source, rule="", url=f"https://coast.test/{post_id}"
    )


def base_edition(lead: bool = True, more: bool = True) -> Edition:
    """Return an edition with nine stories under three topics; the second topic has a quota of two."""
    stories = [story(each, TOPICS[at // 3]) for at, each in enumerate(IDS)]
    first = stories.pop(0) if lead else None
    listed = {slug: [each for each in stories if each.topic == slug] for slug in TOPICS}
    sections = tuple(
        Section(slug=slug, title=slug.title(), stories=tuple(each[:2]), more=tuple(each[2:]))
        if more
        else Section(slug=slug, title=slug.title(), stories=tuple(each))
        for slug, each in listed.items()
    )
    quotas = {"town": 2 if more else None}
    headings = (
        *(Heading(slug=slug, title=slug.title(), quota=quotas.get(slug)) for slug in TOPICS),
        Heading(slug="island", title="Island"),
    )
    return replace(sample_edition(), lead=first, sections=sections, headings=headings)


PARTS = tuple(f"{story_id}-{post}" for story_id in IDS[:4] for post in "bc")
OWN = ("own-1", "own-2")
stories = st.sampled_from((*IDS, *PARTS, *OWN, "gone"))
topics = st.sampled_from((*TOPICS, "island", "nowhere"))
texts = st.sampled_from(("", "The *ferry* is back", "Owls", "{{ lead.title }}"))
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Add, story=st.sampled_from(OWN), title=texts, topic=topics),
    st.builds(Split, story=stories, parts=st.lists(st.sampled_from(PARTS).map(part), max_size=3).map(tuple)),
    st.builds(Merge, story=stories, into=stories),
    st.builds(Drop, story=stories),
    st.builds(Restore, story=stories),
    st.builds(Defer, story=stories, until=st.dates(date(2026, 12, 1), date(2026, 12, 9))),
    st.builds(Move, story=stories, topic=topics, before=st.none() | stories),
    st.builds(MakeLead, story=st.none() | stories),
    st.builds(Rewrite, story=stories, part=st.sampled_from(Part), text=texts, was=texts),
    st.builds(Picture, story=stories, image=st.none() | images),
    st.builds(Note, story=stories, text=texts),
    st.builds(Introduce, text=texts),
    st.builds(
        Advertise, sponsor=st.none() | st.just(Sponsor(name="Quay Books", text="Maps", url="https://q.test"))
    ),
    st.builds(Subject, text=texts),
    st.builds(Preheader, text=texts),
    st.builds(Retitle, topic=topics, title=texts),
    st.builds(Undo, number=st.integers(1, 30)),
)
bases = st.builds(base_edition, lead=st.booleans(), more=st.booleans())
lists = st.lists(operations, max_size=30)


def edits_of(listed: Sequence[Operation], by: str = "Maren") -> tuple[Edit, ...]:
    return tuple(
        Edit(number=number, by=by, at=SEND_AT, operation=each) for number, each in enumerate(listed, start=1)
    )


def apply_all(base: Edition, *listed: Operation) -> Edition:
    return apply(base, edits_of(listed)).edition


@given(bases, lists)
@few(40)
def test_no_list_of_edits_loses_or_repeats_a_story(base: Edition, listed: list[Operation]) -> None:
    edits = edits_of(listed)
    applied = apply(base, edits)
    own = {each.operation.story for each in edits if isinstance(each.operation, Add)}
    withdrawn = applied.withdrawn.keys() - applied.sources.keys()
    posts = [post_id for each in base.stories() for post_id in each.post_ids]
    everywhere = (*applied.edition.stories(), *(each.story for each in applied.taken_out))
    found = [post_id for each in everywhere for post_id in each.post_ids]
    assert Counter(found) == Counter((*posts, *(own - withdrawn)))
    assert fates(applied).keys() == {*posts, *own}
    shown = [each.id for each in applied.edition.stories()]
    assert sorted((*shown, *(each.story.id for each in applied.taken_out))) == sorted(
        applied.sources.keys() - applied.merged.keys()
    )
    for each in everywhere:
        assert {other.post_id for other in each.coverage} <= set(each.post_ids)
    for section in applied.edition.sections:
        assert all(each.topic == section.slug for each in (*section.stories, *section.more))
    slugs = [section.slug for section in applied.edition.sections]
    assert slugs == [slug for slug in (*TOPICS, "island") if slug in slugs]


@given(bases, lists)
@few(40)
def test_a_replay_on_another_base_loses_nothing_silently(base: Edition, listed: list[Operation]) -> None:
    """Each edit is in force in the new edition, or was undone, or is listed as stale with a reason."""
    fewer = apply(base, edits_of([Drop(story=IDS[1]), Drop(story=IDS[4]), Drop(story=IDS[7])])).edition
    applied = apply(fewer, edits_of(listed))
    stale = {each.edit.number: each.reason for each in applied.stale}
    assert all(stale.values())
    for each in edits_of(listed):
        named = getattr(each.operation, "story", None)
        if each.number not in (*applied.undone, *stale) and named is not None:
            assert named in applied.sources


def numbers_in_force(base: Edition, edits: tuple[Edit, ...]) -> list[int]:
    undone = apply(base, edits).undone
    return [
        each.number for each in edits if each.number not in undone and not isinstance(each.operation, Undo)
    ]


@given(bases, lists)
@few(40)
def test_undoing_every_edit_gives_the_hash_of_the_base(base: Edition, listed: list[Operation]) -> None:
    edits = edits_of(listed)
    while in_force := numbers_in_force(base, edits):
        undo = Undo(number=in_force[-1])
        edits = (*edits, Edit(number=len(edits) + 1, by="Jonas", at=SEND_AT, operation=undo))
    assert content_hash(apply(base, edits).edition) == content_hash(base)


@given(bases, lists)
@few(20)
def test_an_undone_list_that_is_redone_gives_the_same_edition(base: Edition, listed: list[Operation]) -> None:
    edits = edits_of(listed)
    last = len(edits) + 1
    for number in (len(edits), last):  # undo the last edit, then that undo
        edits = (*edits, Edit(number=len(edits) + 1, by="J", at=SEND_AT, operation=Undo(number=number)))
    assert apply(base, edits).edition == apply(base, edits[: last - 1]).edition


def named(operation: Operation) -> set[object]:
    """Return the fields that an edit sets, the places at which it puts stories, and the stories it needs."""
    names: set[object] = {*all_touched(operation)}
    match operation:
        case Add():
            names |= {("end", operation.topic), ("end", TOPICS[-1]), ("exists", operation.story)}
        case Move():
            # A story that does not stand under the topic is no place; the story goes to the end then.
            names |= {("topic", operation.before), ("end", operation.topic), ("exists", operation.before)}
        case MakeLead():
            names |= {("exists", operation.story)}
        case Split():
            names |= {("topic", operation.story)}  # the parts stand after the story, wherever it is
            names |= {("exists", each.id) for each in operation.parts}
        case Merge():
            names |= {("exists", operation.into)}
    return names


@given(bases, lists, lists, st.randoms(use_true_random=False))
@few(40)
def test_the_edits_of_two_editors_give_the_same_edition_in_any_order(
    base: Edition, ours: list[Operation], theirs: list[Operation], random: Any
) -> None:
    taken = set().union(*map(named, ours)) if ours else set()
    mine = [each for each in ours if not isinstance(each, Undo)]
    others = [each for each in theirs if not isinstance(each, Undo) and taken.isdisjoint(named(each))]
    mixed: list[Operation] = []
    queues = [list(mine), list(others)]
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))
    assert apply_all(base, *mixed) == apply_all(base, *mine, *others) == apply_all(base, *others, *mine)


@given(operations)
def test_an_operation_is_read_as_it_was_stored(operation: Operation) -> None:
    assert from_values(to_values(operation)) == operation


def test_a_topic_shows_as_many_stories_in_full_as_before_and_as_its_quota_says() -> None:
    base = base_edition()
    town = apply_all(base, Drop(story=IDS[3])).sections[1]
    assert ([each.id for each in town.stories], town.more) == ([IDS[4], IDS[5]], ())
    town = apply_all(base, Move(story=IDS[8], topic="town", before=IDS[3])).sections[1]
    assert [each.id for each in (*town.stories, *town.more)] == [IDS[8], IDS[3], IDS[4], IDS[5]]
    assert len(town.stories) == 2


def test_a_story_that_is_moved_stays_with_those_who_chose_its_topic() -> None:
    moved = apply_all(base_edition(), Move(story=IDS[3], topic="sea"))
    found = next(each for each in moved.stories() if each.id == IDS[3])
    assert (found.topics, found.rule) == (("sea", "town"), "an editor")
    back = apply_all(
        base_edition(), Move(story=IDS[3], topic="sea"), Move(story=IDS[3], topic="town", before=IDS[4])
    )
    assert back == base_edition()


def test_another_lead_puts_the_first_one_back_under_its_topic() -> None:
    edition = apply_all(base_edition(), MakeLead(story=IDS[4]))
    assert edition.lead
    assert (edition.lead.id, edition.sections[0].stories[0].id) == (IDS[4], IDS[0])
    assert apply_all(base_edition(), MakeLead(story=None)).lead is None
    # A lead that was dropped leaves its place to the first one, or to the most prominent story.
    edition = apply_all(base_edition(), MakeLead(story=IDS[4]), Drop(story=IDS[4]))
    assert edition.lead == base_edition().lead
    assert apply_all(base_edition(), Drop(story=IDS[0])).lead is not None


def test_edits_whose_story_or_topic_is_gone_are_listed_and_change_nothing() -> None:
    base = base_edition()
    listed = Drop(story="gone"), Move(story=IDS[1], topic="nowhere"), Retitle(topic="nowhere", title="X")
    applied = apply(base, edits_of(listed))
    assert applied.edition == base
    assert [each.edit.number for each in applied.stale] == [1, 2, 3]
    assert applied.stale[0].reason == "its story is not in the edition"


def test_a_rewrite_of_a_text_that_has_changed_since_is_listed() -> None:
    edits = edits_of((Rewrite(story=IDS[1], part=Part.TITLE, text="Owls", was="Old"),))
    (outdated,) = apply(base_edition(), edits).outdated
    assert (outdated.edit.number, outdated.source) == (1, IDS[1])
    assert (
        apply(base_edition(), (*edits, replace(edits[0], number=2, operation=Undo(number=1)))).outdated == ()
    )


def test_posts_are_reserved_dropped_by_a_person_or_deferred_to_a_day() -> None:
    listed = Drop(story=IDS[1]), Defer(story=IDS[2], until=date(2026, 12, 3))
    found = fates(apply(base_edition(), edits_of(listed)))
    assert found[f"{IDS[0]}-c"].state is PostState.RESERVED
    dropped, deferred = found[f"{IDS[1]}-b"], found[f"{IDS[2]}-c"]
    assert (dropped.state, dropped.reason) == (PostState.DROPPED, "dropped by Maren")
    assert (deferred.state, deferred.until) == (PostState.DEFERRED, datetime(2026, 12, 3, tzinfo=UTC))


# ── own stories, and stories that are split and merged ──────────────────────────────────────


def test_an_own_story_is_the_last_of_its_topic_and_never_lost() -> None:
    add = Add(story="own-1", title="Open house", topic="town", blurb="On Sunday.", url="https://town.test/")
    town = apply_all(base_edition(), add).sections[1]
    (own,) = town.more[-1:]
    assert (own.title, own.source, own.rule, own.post_ids) == ("Open house", "", "an editor", ("own-1",))
    # If its topic is not found again when the edition is planned again, it stands under the last one.
    applied = apply(base_edition(), edits_of([replace(add, topic="nowhere")]))
    assert ("own-1", CATCH_ALL) in [(each.id, each.topic) for each in applied.edition.stories()]
    assert applied.stale == ()
    undone = apply(base_edition(), edits_of([add, Undo(number=1)]))
    assert fates(undone)["own-1"].reason == "withdrawn by Maren"


def test_a_post_that_is_split_off_stands_after_its_story() -> None:
    listed = story(IDS[1], "sea", also=(Source(name="Coast Weekly", url=f"https://coast.test/{IDS[1]}-b"),))
    base = base_edition()
    sea = replace(base.sections[0], stories=(listed, base.sections[0].stories[1]))
    base = replace(base, sections=(sea, *base.sections[1:]))
    edition = apply_all(base, Split(story=IDS[1], parts=(part(f"{IDS[1]}-b"),)))
    first, second = edition.sections[0].stories[:2]
    assert (first.also, first.post_ids) == ((), (IDS[1], f"{IDS[1]}-c"))
    assert (second.id, second.topic, second.rule) == (f"{IDS[1]}-b", "sea", "tag: sea")
    again = Split(story=IDS[1], parts=(part(f"{IDS[1]}-b"),))
    twice = apply(base, edits_of([again, again]))
    assert [each.reason for each in twice.stale] == ["its posts are not in one story any more"]


def test_a_story_that_is_merged_stands_as_a_headline_under_the_other_and_its_readers_get_it() -> None:
    base = base_edition()
    merge = Merge(story=IDS[3], into=IDS[1])
    applied = apply(base, edits_of([MakeLead(story=IDS[3]), merge, Drop(story=IDS[3])]))
    assert applied.edition.lead
    lead = applied.edition.lead
    assert (lead.id, lead.topics) == (IDS[1], ("sea", "town"))
    assert lead.coverage == (Coverage(post_id=IDS[3], title=IDS[3], source="Harbour News", url=None),)
    assert [each.reason for each in applied.stale] == ["its story was merged into another"]
    # To split it is to take the story out again; it stands where it stood.
    assert apply_all(base, merge, Split(story=IDS[1], parts=(part(IDS[3]),))) == base
    assert apply(base, edits_of([merge, Merge(story=IDS[1], into=IDS[3])])).stale[0].edit.number == 2


def test_who_takes_a_story_out_takes_out_what_was_merged_into_it() -> None:
    found = fates(apply(base_edition(), edits_of([Merge(story=IDS[3], into=IDS[1]), Drop(story=IDS[1])])))
    assert found[f"{IDS[3]}-b"].state is PostState.DROPPED
