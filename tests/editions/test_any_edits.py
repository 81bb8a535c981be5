"""Whatever editors do, in any order and at once, an edition and its posts stay right, on both databases."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from digest.app import App
from digest.compose.edits.apply import fates
from digest.compose.edits.operations import (
    Add,
    Defer,
    Drop,
    Introduce,
    MakeLead,
    Merge,
    Move,
    Note,
    Operation,
    Part,
    Restore,
    Rewrite,
    Split,
    Subject,
    Undo,
)
from digest.editions.editions import approve
from digest.editions.edits.edits import EditedEdition, Editor, edit, read_edits
from digest.editions.preview import write_preview
from digest.editions.send import send_edition
from digest.model.editions import EditionState, StepCause
from digest.model.errors import DigestError, StateError
from digest.model.posts import DESK, PostState
from digest.model.run_context import RunContext
from digest.model.snapshot import content_hash
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, advance_seen
from digest.storage.tables.editions import editions, edits, steps
from digest.storage.tables.posts import digest_posts, posts
from tests.compose.newsroom import Newsroom
from tests.compose.samples import NOW
from tests.editions.test_edits import EDITION, change
from tests.editions.test_edits import newsroom as newsroom
from tests.scheduler.installation import Place, at
from tests.strategies import few

_stories = st.integers(0, 5).map("post-{}".format)
_operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Add, title=st.just("Open house"), topic=st.sampled_from(("sea", "more"))),
    st.builds(Merge, story=_stories, into=_stories),
    st.builds(Split, story=_stories),
    st.builds(Drop, story=_stories),
    st.builds(Restore, story=_stories),
    st.builds(Defer, story=_stories, until=st.just(date(2026, 11, 24))),
    st.builds(Move, story=_stories, topic=st.sampled_from(("sea", "more")), before=st.none() | _stories),
    st.builds(MakeLead, story=st.none() | _stories),
    st.builds(Rewrite, story=_stories, part=st.sampled_from(Part), text=st.sampled_from(("A", "B"))),
    st.builds(Note, story=_stories, text=st.sampled_from(("", "A note"))),
    st.builds(Introduce, text=st.sampled_from(("", "Good morning"))),
    st.builds(Undo, number=st.integers(1, 8)),
)


_lists = st.lists(st.tuples(_operations, st.sampled_from(("Maren", "Jonas"))), max_size=8)


@given(_lists)
@few(6, shared=True)
def test_after_any_edits_each_post_is_where_its_story_is(
    newsroom: Newsroom, listed: Sequence[tuple[Operation, str]]
) -> None:
    first = read_edits(newsroom.database, EDITION)
    accepted = 0
    for operation, by in listed:
        try:
            accepted = len(change(newsroom, operation, by=by).edits)
        except DigestError:
            continue
        after = read_edits(newsroom.database, EDITION)
        assert (len(after.edits), after.record.edition) == (accepted, after.applied.edition)
        assert after.record.hash == content_hash(after.applied.edition)
        wanted = {post_id: fate.state for post_id, fate in fates(after.applied).items()}
        assert {post_id: state for post_id, (state, _, _) in newsroom.states().items()} == wanted
    assert len(read_edits(newsroom.database, EDITION).edits) == accepted
    refuse_edits_while_it_is_sent(newsroom, [operation for operation, _ in listed])
    start_again(newsroom, first)


def refuse_edits_while_it_is_sent(newsroom: Newsroom, operations: Sequence[Operation]) -> None:
    """Begin to send the edition, try to edit it, and take it back to a draft for the next example."""
    before = read_edits(newsroom.database, EDITION)
    with newsroom.database.write() as connection:
        for step in (EditionState.APPROVED, EditionState.SENDING):
            advance(connection, EDITION, step, StepCause(at=NOW, look="x"))
    for operation in operations:
        with pytest.raises(StateError):
            change(newsroom, operation)
    after = read_edits(newsroom.database, EDITION)
    assert (after.record.hash, after.edits) == (before.record.hash, before.edits)
    with newsroom.database.write() as connection:
        draft = {"state": EditionState.DRAFT, "started_at": None, "look": None, "approved_at": None}
        connection.execute(update(editions).values(draft))
        connection.execute(delete(steps))


def start_again(newsroom: Newsroom, first: EditedEdition) -> None:
    """Undo everything, which gives the hash of the base, and empty the list for the next example."""
    edited = read_edits(newsroom.database, EDITION)
    while (number := edited.last_in_force()) is not None:
        edited = change(newsroom, Undo(number=number))
    assert edited.record.hash == first.record.hash
    with newsroom.database.write() as connection:
        connection.execute(delete(edits))
        connection.execute(update(editions).values(base=None))
        connection.execute(update(digest_posts).values(held_until=None, reason=""))
        connection.execute(delete(posts).where(posts.c.feed_id == DESK))


# ── the bytes that are sent ─────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Give a publication with a draft of five stories and one reader."""
    place = Place(tmp_path_factory.mktemp("edits"))
    place.publish("Ferry returns", "Tram opens", "Owls at dusk")
    place.publish("Apples", "Cider", feed="orchard")
    place.subscribe("ada")
    place.run("23 06:30")
    return place


_numbers = st.integers(0, 4)
_texts = st.sampled_from(("", "Good *morning*", "<b>&amp; {{ x }}", "مرحبا", "A line " * 30))


@st.composite
def _named(draw: st.DrawFn) -> tuple[type[Operation], int, int, str]:
    kind = draw(st.sampled_from((Add, Merge, Drop, Rewrite, Note, MakeLead, Introduce, Subject)))
    return kind, draw(_numbers), draw(_numbers), draw(_texts)


def _operation(ids: Sequence[str], drawn: tuple[type[Operation], int, int, str]) -> Operation:
    kind, one, two, text = drawn
    if kind is Add:
        return Add(title=text or "Own", blurb=text, topic="green", url="https://own.example.org/1")
    if kind is Merge:
        return Merge(story=ids[one], into=ids[two])
    if kind is Rewrite:
        return Rewrite(story=ids[one], part=Part.TITLE, text=text)
    if kind is Note:
        return Note(story=ids[one], text=text)
    if kind is Introduce:
        return Introduce(text=text)
    if kind is Subject:
        return Subject(text=text)
    return Drop(story=ids[one]) if kind is Drop else MakeLead(story=ids[one])


@given(st.lists(_named(), max_size=8))
@few(2, most=1_000)
def test_the_bytes_that_are_sent_are_those_of_the_preview(
    place: Place, listed: list[tuple[type[Operation], int, int, str]]
) -> None:
    database, mail = place.folder / "data/digest.db", place.folder / "data/mail"
    kept = shutil.copy(database, place.folder / "kept.db")
    edition_id = "daily-2026-11-23"
    with place.app() as app:
        _edit_all(app, edition_id, listed)
        record, look = approve(app, edition_id, by="Ines", now=at("23 06:40"))
        out = place.folder / "look"
        written = write_preview(app, record, out, address="ada@example.org")
        assert written.hash == record.look == look.kept().hash
        sent = send_edition(app, edition_id, RunContext(clock=lambda: at("23 07:00")))
        assert sent.record.look == record.look
    (message,) = mail.glob("*.eml")
    assert message.read_bytes() == (out / f"{edition_id}.eml").read_bytes()
    message.unlink()
    shutil.copy(kept, database)


def _edit_all(app: App, edition_id: str, listed: list[tuple[type[Operation], int, int, str]]) -> None:
    ids = [story.id for story in read_edits(app.database, edition_id).base.stories()]
    for seen, drawn in enumerate(listed):
        with suppress(DigestError):  # edits that can mean nothing are refused
            edit(
                app.database,
                edition_id,
                [_operation(ids, drawn)],
                Editor(name="Maren", seen=seen, now=at("23 06:35")),
            )


# ── at once ─────────────────────────────────────────────────────────────────────────────────


def test_editors_an_approver_and_a_sender_at_once(newsroom: Newsroom) -> None:
    """The edition that goes out has the hash that was approved, however the three are interleaved."""
    ready = threading.Barrier(4)
    seen: list[str] = []

    def edit_often(by: str, story: str) -> None:
        ready.wait()
        for number in range(8):
            try:
                change(newsroom, Rewrite(story=story, part=Part.TITLE, text=f"{by} {number}"), by=by)
            except StateError:
                return

    def approve_and_send() -> None:
        ready.wait()
        for _ in range(400):
            try:
                with newsroom.database.read() as connection:
                    record = load_edition(connection, EDITION)
                with newsroom.database.write() as connection:
                    step = EditionState.APPROVED
                    approved = advance_seen(connection, record, step, StepCause(at=NOW, look=record.hash))
                with newsroom.database.write() as connection:
                    sent = advance_seen(connection, approved, EditionState.SENDING, StepCause(at=NOW))
            except StateError:
                continue
            seen.append(sent.hash)
            return

    threads = [
        threading.Thread(target=edit_often, args=("Maren", "post-0")),
        threading.Thread(target=edit_often, args=("Jonas", "post-1")),
        threading.Thread(target=approve_and_send),
        threading.Thread(target=approve_and_send),
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with newsroom.database.read() as connection:
        record = load_edition(connection, EDITION)
    assert seen == [record.hash]  # one of the two began, and nobody has edited after that
    assert record.hash == record.look == content_hash(record.edition)
    assert read_edits(newsroom.database, EDITION).applied.edition == record.edition


def test_processes_that_edit_approve_and_send_agree_on_one_hash(newsroom: Newsroom) -> None:
    url = newsroom.database.engine.url.render_as_string(hide_password=False)
    work = [
        # A process has no memory in common with another, so only the database can keep them apart.
        subprocess.Popen([sys.executable, "-m", "tests.editions.at_once", url, EDITION, *words])
        for words in (("edit", "post-0"), ("send",))
    ]
    assert [each.wait(timeout=120) for each in work] == [0, 0]
    after = read_edits(newsroom.database, EDITION)
    assert after.record.state is EditionState.SENDING
    assert after.record.hash == after.record.look == content_hash(after.applied.edition)
    assert {state for state, _, _ in newsroom.states().values()} == {PostState.RESERVED}
