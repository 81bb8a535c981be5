"""An edit changes an edition and its posts together, and nothing else, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from digest.compose.edits.operations import (
    Add,
    Advertise,
    Defer,
    Drop,
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
)
from digest.editions.edits.correct import changes_since
from digest.editions.edits.edits import (
    EditedEdition,
    Editor,
    edit,
    picture_of,
    post_named,
    posts_of,
    read_edits,
)
from digest.model.editions import EditionState, StepCause
from digest.model.errors import (
    AmbiguousError,
    ConflictError,
    DigestError,
    EditRefusedError,
    NotFoundError,
    StateError,
)
from digest.model.posts import DESK, Candidate, Image, PostState
from digest.model.publication import Sponsor
from digest.storage.database import Database
from digest.storage.editions.steps import advance
from digest.storage.feeds import sync_feeds
from digest.storage.posts import recent_posts
from tests.compose.newsroom import FEED_LIST, Newsroom
from tests.compose.samples import DAILY, NOW, published, topic

EDITION = "daily-2026-11-22"
TITLES = ("Ferry returns", "Ferry fares rise", "Owls at dusk", "Tram opens", "Quay market", "Old lighthouse")


@pytest.fixture
def newsroom(database: Database) -> Newsroom:
    """Give a newsroom with a draft of six stories under two topics."""
    newsroom = Newsroom(database=database)
    for at, title in enumerate(TITLES):
        newsroom.publish(published(title, id=f"post-{at}", hours=1 + at, tags=("sea",) if at < 3 else ()))
    newsroom.compose(replace(DAILY, topics=("sea",)), topics=[topic("sea", tags=("sea",))])
    return newsroom


def change(
    newsroom: Newsroom, *operations: Operation, by: str = "Maren", seen: int | None = None
) -> EditedEdition:
    known = len(read_edits(newsroom.database, EDITION).edits) if seen is None else seen
    return edit(newsroom.database, EDITION, operations, Editor(name=by, seen=known, now=NOW))


def headlines(edited: EditedEdition) -> list[str]:
    return [story.title for story in edited.record.edition.stories()]


def state_of(newsroom: Newsroom, at: int) -> tuple[PostState, str]:
    state, _, reason = newsroom.states()[f"post-{at}"]
    return state, reason


def test_a_dropped_story_takes_its_posts_with_it_and_may_be_taken_back(newsroom: Newsroom) -> None:
    before = read_edits(newsroom.database, EDITION)
    after = change(newsroom, Drop(story="post-2"))
    assert "Owls at dusk" not in headlines(after)
    assert state_of(newsroom, 2) == (PostState.DROPPED, "dropped by Maren")
    back = change(newsroom, Restore(story="post-2"), by="Jonas")
    assert back.record.hash == before.record.hash
    assert state_of(newsroom, 2) == (PostState.RESERVED, "")
    assert [edited.by for edited in back.edits] == ["Maren", "Jonas"]


def test_a_duplicate_of_a_dropped_story_stays_out_for_a_week(newsroom: Newsroom) -> None:
    change(newsroom, Drop(story="post-2"))
    link = "https://harbour-news.example.org/post-2"
    newsroom.publish(published("Owls at dusk", "Coast Weekly", id="again", url=link))
    assert newsroom.compose(day=1).dropped == 1
    reason = newsroom.states()["again"][2]
    assert reason == f"it repeats a post that was dropped by Maren, out of {EDITION}"
    newsroom.publish(published("Owls at dusk", "Island Radio", id="later", hours=-24 * 9, url=link))
    composed = newsroom.compose(day=9)
    assert composed.record
    assert newsroom.states()["later"][0] is PostState.RESERVED


def test_a_deferred_story_waits_for_its_day(newsroom: Newsroom) -> None:
    change(newsroom, Defer(story="post-2", until=date(2026, 11, 24)))
    assert state_of(newsroom, 2) == (PostState.DEFERRED, "deferred by Maren to 2026-11-24")
    assert newsroom.compose(day=1).record is None
    composed = newsroom.compose(day=2)
    assert composed.record
    assert [story.id for story in composed.record.edition.stories()] == ["post-2"]
    with pytest.raises(EditRefusedError, match='"Owls at dusk" cannot come back: another edition has it'):
        change(newsroom, Restore(story="post-2"))
    assert len(read_edits(newsroom.database, EDITION).edits) == 1
    change(newsroom, Drop(story="post-2"))  # of no effect on the edition that has it
    assert state_of(newsroom, 2)[0] is PostState.RESERVED
    with pytest.raises(EditRefusedError, match="deferred to a later day than 2026-11-22"):
        change(newsroom, Defer(story="post-3", until=date(2026, 11, 22)))


def test_an_approval_is_void_after_an_edit_and_says_why(newsroom: Newsroom) -> None:
    with newsroom.database.write() as connection:
        advance(connection, EDITION, EditionState.APPROVED, StepCause(at=NOW, by="Ines", look="x"))
    record = change(newsroom, Rewrite(story="post-0", part=Part.TITLE, text="The ferry is back")).record
    assert (record.state, record.approved_by) == (EditionState.DRAFT, None)
    assert record.reason == (
        "Maren has edited it since it was approved: "
        'changed the headline of "Ferry returns": The ferry is back'
    )


@pytest.mark.parametrize("state", [EditionState.SENDING, EditionState.SENT, EditionState.CANCELLED])
def test_no_edit_is_accepted_once_sending_has_begun(newsroom: Newsroom, state: EditionState) -> None:
    steps = [EditionState.CANCELLED]
    if state is not EditionState.CANCELLED:
        steps = [EditionState.APPROVED, EditionState.SENDING, EditionState.SENT]
    with newsroom.database.write() as connection:
        for step in steps[: steps.index(state) + 1]:
            advance(connection, EDITION, step, StepCause(at=NOW))
    with pytest.raises(StateError, match=f"edition {EDITION} is {state} and cannot be edited"):
        change(newsroom, Drop(story="post-0"))
    assert read_edits(newsroom.database, EDITION).edits == ()


def test_the_last_story_cannot_be_taken_out(newsroom: Newsroom) -> None:
    with pytest.raises(StateError, match="made of nothing else and cannot be emptied"):
        change(newsroom, *(Drop(story=f"post-{at}") for at in range(6)))
    assert {state for state, _, _ in newsroom.states().values()} == {PostState.RESERVED}


def test_two_editors_conflict_only_on_the_same_field(newsroom: Newsroom) -> None:
    change(newsroom, Rewrite(story="post-0", part=Part.TITLE, text="Back at last"), by="Jonas", seen=0)
    for each in (
        Rewrite(story="post-0", part=Part.BLURB, text="Two crossings a week."),
        Rewrite(story="post-1", part=Part.TITLE, text="Dearer crossings"),
        Rewrite(story="post-0", part=Part.TITLE, text="Back at last"),
    ):
        change(newsroom, each, seen=0)
    with pytest.raises(ConflictError) as refused:
        change(newsroom, Rewrite(story="post-0", part=Part.TITLE, text="Here again"), seen=0)
    conflict = refused.value
    assert (conflict.by, conflict.theirs, conflict.yours) == ("Jonas", "Back at last", "Here again")
    assert conflict.field == 'headline of "Ferry returns"'
    with pytest.raises(ConflictError, match="Maren has changed the headline"):
        change(newsroom, Undo(number=1), by="Ines", seen=0)
    assert len(change(newsroom, Rewrite(story="post-0", part=Part.TITLE, text="Here again")).edits) == 5


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Drop(story="post-9"), "no story is called 'post-9'"),
        (Move(story="post-0", topic="moon"), "no topic of the edition is called 'moon'"),
        (Retitle(topic="moon", title="Moon"), "no topic of the edition is called 'moon'"),
        (Undo(number=7), "no edit of daily-2026-11-22 is called '7'"),
        (Subject(text="{{ lede.title }}"), "is not edited: .*lede"),
        (Subject(text="{{ 'ferry' * 999999999 }}"), "without loops and calculations"),
        (Preheader(text="{{ titles | join(titles | join('x')) }}"), "without loops and calculations"),
        (Preheader(text=f"{{{{ {'(' * 1500}1{')' * 1500} }}}}"), "without loops and calculations"),
        (Rewrite(story="post-0", part=Part.TITLE, text=" "), "a headline cannot be empty"),
        (Add(title=" ", topic="sea"), "a headline cannot be empty"),
        (Add(title="Open house", topic="moon"), "no topic of the edition is called 'moon'"),
        (Add(title="Open house", topic="sea", url="javascript:alert(1)"), "not the address of a web page"),
        (
            Add(title="Back", topic="sea", url="https://harbour-news.example.org/post-0?utm_source=x"),
            'its story "Ferry returns" has this link already',
        ),
        (Split(story="post-0"), '"Ferry returns" cannot be split, because it has no other post'),
        (Merge(story="post-0", into="post-0"), "cannot be merged into itself"),
        (Merge(story="post-0", into="post-9"), "no story is called 'post-9'"),
        (Advertise(sponsor=Sponsor(name="Q", text="Q", url="ftp://q.test")), "not the address of a web page"),
    ],
)
def test_an_edit_that_can_mean_nothing_is_refused(
    newsroom: Newsroom, operation: Operation, said: str
) -> None:
    with pytest.raises(DigestError, match=said):
        change(newsroom, operation)
    assert read_edits(newsroom.database, EDITION).edits == ()


def test_an_edit_is_undone_once_and_an_undo_can_be_undone(newsroom: Newsroom) -> None:
    change(newsroom, Note(story="post-0", text="We were *aboard*."))
    assert change(newsroom, Undo(number=1)).edits[-1].operation == Undo(number=1)
    with pytest.raises(EditRefusedError, match="edit 1 is undone already"):
        change(newsroom, Undo(number=1))
    again = change(newsroom, Undo(number=2))
    assert {story.note for story in again.record.edition.stories()} == {"", "We were *aboard*."}
    assert again.remarks() == {2: "undone"}


def test_a_story_is_named_by_its_id_or_by_words_of_its_old_or_new_headline(newsroom: Newsroom) -> None:
    edited = change(newsroom, Rewrite(story="post-2", part=Part.TITLE, text="A night with owls"))
    for name in ("post-2", "owls at", "A night", "owls dusk", "NIGHT"):
        assert edited.story(name) == "post-2"
    with pytest.raises(AmbiguousError, match=r"'ferry' may stand for .*\"Ferry returns\" \(post-0\)"):
        edited.story("ferry")
    with pytest.raises(DigestError, match="no story is called 'harvest'"):
        edited.story("harvest")


def test_a_story_may_have_another_picture_of_its_post(newsroom: Newsroom) -> None:
    fine, small = (Candidate(url=f"https://img.example.org/{name}.jpg", alt=name) for name in ("quay", "dot"))
    offered = (fine, replace(small, reason="it is too small"))
    newsroom.edit(published("Owls at dusk", id="post-2", pictures=offered))
    image = picture_of(newsroom.database, "post-2", fine.url)
    edited = change(newsroom, Picture(story="post-2", image=image))
    shown = {story.id: story.image for story in edited.record.edition.stories()}
    assert shown["post-2"] == Image(url=fine.url, alt="quay")
    with pytest.raises(NotFoundError, match="no picture of this story is called"):
        picture_of(newsroom.database, "post-2", small.url)


def test_corrections_reach_the_base_and_the_editors_words_stay(newsroom: Newsroom) -> None:
    rewrite = Rewrite(story="post-0", part=Part.TITLE, text="Ours")
    before = change(newsroom, rewrite, Drop(story="post-1"))
    assert changes_since(newsroom.database, before.record) == ()
    newsroom.edit(published("Ferry returns on Monday", id="post-0", url="https://new.example.org/0"))
    (found,) = changes_since(newsroom.database, before.record)
    assert found.text.endswith('it is now "Ferry returns on Monday"')


# ── own stories, and stories that are split and merged ──────────────────────────────────────


def own_story(newsroom: Newsroom, **fields: str) -> str:
    added = change(newsroom, Add(title="Open house", topic="sea", blurb="On Sunday.", **fields)).edits[-1]
    assert isinstance(added.operation, Add)
    return added.operation.story


def test_an_own_story_is_a_post_that_is_published_once(newsroom: Newsroom) -> None:
    link = "https://harbour.example.org/open"
    own = own_story(newsroom, url=link)
    assert newsroom.states()[own] == (PostState.RESERVED, EDITION, "")
    assert change(newsroom, Drop(story=own)).edits[-1].number == 2
    assert newsroom.states()[own] == (PostState.DROPPED, EDITION, "dropped by Maren")
    change(newsroom, Restore(story=own), Rewrite(story=own, part=Part.TITLE, text="Open on Sunday"))
    with newsroom.database.write() as connection:
        for step in (EditionState.APPROVED, EditionState.SENDING, EditionState.SENT):
            advance(connection, EDITION, step, StepCause(at=NOW))
    assert newsroom.states()[own][0] is PostState.USED
    newsroom.publish(published("Open house", id="again", url=link))
    assert newsroom.compose(day=1).dropped == 1
    assert newsroom.states()["again"][2] == f"already published in {EDITION}"


def test_an_own_story_that_is_undone_is_withdrawn_and_its_link_is_free(newsroom: Newsroom) -> None:
    before = read_edits(newsroom.database, EDITION)
    own = own_story(newsroom, url="https://harbour.example.org/open")
    undone = change(newsroom, Undo(number=1), by="Jonas")
    assert undone.record.hash == before.record.hash
    assert newsroom.states()[own] == (PostState.DROPPED, EDITION, "withdrawn by Jonas")
    newsroom.publish(published("Open house", id="feed", url="https://harbour.example.org/open"))
    assert newsroom.compose(day=1).used == 1
    assert "Open house" in headlines(change(newsroom, Undo(number=2)))
    assert newsroom.states()[own][0] is PostState.RESERVED


def test_the_next_edition_takes_an_own_story_that_did_not_go_out(newsroom: Newsroom) -> None:
    later, never = own_story(newsroom), own_story(newsroom, url="https://harbour.example.org/b")
    change(newsroom, Defer(story=later, until=date(2026, 11, 23)), Drop(story=never))
    with newsroom.database.write() as connection:
        advance(connection, EDITION, EditionState.CANCELLED, StepCause(at=NOW))
        sync_feeds(connection, FEED_LIST, NOW)
    composed = newsroom.compose(replace(DAILY, feeds=("Harbour News",)), day=1)
    assert composed.record
    story = next(each for each in composed.record.edition.stories() if each.id == later)
    assert (story.title, story.source, story.also) == ("Open house", "", ())
    assert newsroom.states()[never][0] is PostState.DROPPED
    with newsroom.database.read() as connection:
        assert {row.post.id for row in recent_posts(connection, 9) if row.post.feed_id == DESK} == {
            later,
            never,
        }


def test_a_story_of_several_posts_is_split_and_merged_again(newsroom: Newsroom) -> None:
    link = "https://harbour-news.example.org/post-6"
    newsroom.publish(published("Kites over the bay", id="post-6", url=link))
    newsroom.publish(published("Kites over the bay", "Coast Weekly", id="post-7", hours=2, url=link))
    newsroom.compose(day=1)
    second = "daily-2026-11-23"
    before = read_edits(newsroom.database, second)
    (story,) = before.applied.edition.stories()
    (shown, other) = posts_of(newsroom.database, before, story.id)
    assert post_named(other.feed_name, (shown, other)) == other.post.id

    def do(*operations: Operation) -> EditedEdition:
        seen = len(read_edits(newsroom.database, second).edits)
        return edit(newsroom.database, second, operations, Editor(name="Maren", seen=seen, now=NOW))

    with pytest.raises(EditRefusedError, match="is this post; split it into all its posts"):
        do(Split(story=story.id, post=story.id))
    split = do(Split(story=story.id, post=other.post.id))
    assert [(each.id, each.source, each.also) for each in split.applied.edition.stories()] == [
        (story.id, shown.feed_name, ()),
        (other.post.id, other.feed_name, ()),
    ]
    assert {state for state, _, _ in newsroom.states().values()} == {PostState.RESERVED}
    merged = do(Merge(story=other.post.id, into=story.id))
    (again,) = merged.applied.edition.stories()
    assert sorted(again.post_ids) == sorted(story.post_ids)
    assert [each.source for each in again.coverage] == [other.feed_name]
    with pytest.raises(EditRefusedError, match=r"was merged into .*; split that story first"):
        do(Note(story=other.post.id, text="A note"))


def test_who_merges_a_story_has_seen_what_others_did_to_it(newsroom: Newsroom) -> None:
    change(newsroom, Rewrite(story="post-1", part=Part.TITLE, text="Dearer"), by="Jonas", seen=0)
    with pytest.raises(ConflictError, match='Jonas has changed the headline of "Ferry fares rise"'):
        change(newsroom, Merge(story="post-1", into="post-0"), seen=0)
    change(newsroom, Drop(story="post-3"), by="Jonas", seen=1)
    with pytest.raises(ConflictError, match='the place in the edition of "Tram opens"'):
        change(newsroom, Merge(story="post-2", into="post-3"), seen=1)
    change(newsroom, Merge(story="post-1", into="post-0"), Note(story="post-2", text="Aboard"), seen=1)
