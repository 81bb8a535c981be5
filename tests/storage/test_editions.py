from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import select, text, update

from digest.compose.plan import plan
from digest.model.editions import Edition, EditionRecord, EditionState, StepCause
from digest.model.errors import DatabaseError, NotFoundError, StateError
from digest.model.posts import PostState
from digest.model.snapshot import content_hash
from digest.storage.database import Database, open_database
from digest.storage.editions.drafts import insert_edition, next_number, taken_ids
from digest.storage.editions.due import due_editions, open_edition
from digest.storage.editions.lists import last_edition, list_editions
from digest.storage.editions.published import published_posts
from digest.storage.editions.records import load_edition
from digest.storage.editions.steps import advance, advance_seen
from digest.storage.migrate import migrate, upgrade
from digest.storage.tables.editions import editions
from subscribers.model import Frequency
from tests.compose.newsroom import Newsroom
from tests.compose.samples import DUE, NOW, plan_input, published

state = EditionState


def edition(day: int = 0, digest: str = "daily") -> Edition:
    planned = plan([published("Tram")], (), plan_input(slug=digest)).edition
    assert planned
    later = timedelta(days=day)
    date = DUE.local_date + later
    return replace(planned, id=f"{digest}-{date}", local_date=date, send_at=DUE.send_at + later)


def keep(database: Database, *kept: Edition) -> None:
    with database.write() as connection:
        for each in kept:
            insert_edition(connection, each)


def step(database: Database, *states: EditionState, of: Edition) -> EditionRecord:
    with database.write() as connection:
        return [
            advance(connection, of.id, each, StepCause(at=NOW, by="Ada", why=f"{each} it is"))
            for each in states
        ][-1]


# ── one statement decides ───────────────────────────────────────────────────────────────────


def approved(database: Database) -> EditionRecord:
    keep(database, edition())
    with database.write() as connection:
        return advance(connection, edition().id, state.APPROVED, StepCause(at=NOW, by="Ada", look="a" * 64))


@pytest.mark.parametrize("change", ["hash", "look", "paused_at", "state"])
def test_an_edition_begins_only_as_it_was_seen(database: Database, change: str) -> None:
    seen = approved(database)
    values = {"hash": "b" * 64, "look": "b" * 64, "paused_at": NOW, "state": state.CANCELLED}
    with database.write() as connection:
        statement = update(editions).values({change: values[change]})
        connection.execute(statement.where(editions.c.id == edition().id))
    with database.write() as connection, pytest.raises((StateError, DatabaseError)):
        advance_seen(connection, seen, state.SENDING, StepCause(at=NOW))
    with database.read() as connection:
        assert connection.scalar(select(editions.c.started_at)) is None


def test_of_two_connections_one_begins_an_edition_and_none_begins_one_that_is_changed_first(
    database: Database,
) -> None:
    seen = approved(database)
    barrier = Barrier(3)

    def begin() -> bool:
        barrier.wait()
        with database.write() as connection:
            try:
                advance_seen(connection, seen, state.SENDING, StepCause(at=NOW))
            except StateError:
                return False
        return True

    def approve_anew() -> bool:
        barrier.wait()
        with database.write() as connection:
            try:
                draft = advance_seen(connection, seen, state.DRAFT, StepCause(at=NOW))
                advance_seen(connection, draft, state.APPROVED, StepCause(at=NOW, by="Jo", look="c" * 64))
            except StateError:
                return False
        return True

    with ThreadPoolExecutor(3) as pool:
        done = [each.result() for each in [pool.submit(begin), pool.submit(begin), pool.submit(approve_anew)]]
    assert done.count(True) == 1
    with database.read() as connection:
        record = load_edition(connection, edition().id)
    expected = (state.APPROVED, "c" * 64) if done[2] else (state.SENDING, seen.look)
    assert (record.state, record.look) == expected


# ── keeping ─────────────────────────────────────────────────────────────────────────────────


def test_an_edition_is_loaded_as_it_was_frozen(database: Database) -> None:
    keep(database, edition())
    with database.read() as connection:
        record = load_edition(connection, edition().id)
    assert record == EditionRecord(edition=edition(), hash=content_hash(edition()), state=state.DRAFT)


def test_an_unknown_edition_is_not_found(database: Database) -> None:
    with (
        database.write() as connection,
        pytest.raises(NotFoundError, match="no edition is called 'weekly-1'"),
    ):
        advance(connection, "weekly-1", state.APPROVED, StepCause(at=NOW))


@pytest.mark.parametrize("damage", [{"snapshot": "{}"}, {"hash": "0" * 64}])
def test_a_damaged_snapshot_is_never_shown(sqlite: Database, damage: dict[str, str]) -> None:
    keep(sqlite, edition())
    with sqlite.write() as connection:
        connection.execute(update(editions).values(damage))
    with sqlite.read() as connection, pytest.raises(DatabaseError, match="daily-2026-11-22 is damaged"):
        load_edition(connection, edition().id)


def test_editions_are_listed_newest_first_of_one_digest_or_all(database: Database) -> None:
    keep(database, edition(0), edition(2), edition(1), edition(1, "weekend"))
    with database.read() as connection:
        daily = [record.edition.id for record in list_editions(connection, "daily", limit=2)]
        everything = [record.edition.id for record in list_editions(connection)]
        last = last_edition(connection, "daily")
        assert last_edition(connection, "monthly") is None
    assert daily == ["daily-2026-11-24", "daily-2026-11-23"]
    assert everything == ["daily-2026-11-24", "weekend-2026-11-23", "daily-2026-11-23", "daily-2026-11-22"]
    assert last
    assert last.edition.id == "daily-2026-11-24"


def test_editions_are_due_from_their_send_time_or_their_sending_until_they_are_done(
    database: Database,
) -> None:
    early, late, sending, sent = (edition(0, name) for name in ("early", "late", "sending", "sent"))
    keep(database, early, replace(late, send_at=DUE.send_at + timedelta(seconds=1)), sending, sent)
    step(database, state.APPROVED, state.SENDING, of=sending)
    step(database, state.APPROVED, state.SENDING, state.SENT, of=sent)
    with database.read() as connection:
        before = [slug for _, slug in due_editions(connection, DUE.send_at - timedelta(seconds=1))]
        due = [slug for _, slug in due_editions(connection, DUE.send_at)]
    assert (before, due) == (["sending"], ["early", "sending"])


def test_a_day_is_open_while_its_edition_may_still_go_out(database: Database) -> None:
    keep(database, edition())
    day = edition().local_date
    with database.read() as connection:
        assert open_edition(connection, "daily", day)
        assert open_edition(connection, "weekend", day) is None
        assert open_edition(connection, "daily", day + timedelta(days=1)) is None
        assert taken_ids(connection, "daily-2026-11-22") == {"daily-2026-11-22"}
    step(database, state.CANCELLED, of=edition())
    with database.read() as connection:
        assert open_edition(connection, "daily", day) is None
        assert taken_ids(connection, "daily-2026-11-22") == {"daily-2026-11-22"}


# ── states ──────────────────────────────────────────────────────────────────────────────────

WAYS = {
    state.DRAFT: (),
    state.APPROVED: (state.APPROVED,),
    state.SENDING: (state.APPROVED, state.SENDING),
    state.SENT: (state.APPROVED, state.SENDING, state.SENT),
    state.SKIPPED: (state.SKIPPED,),
    state.CANCELLED: (state.CANCELLED,),
}
ARROWS = {
    (state.DRAFT, state.APPROVED),
    (state.DRAFT, state.SKIPPED),
    (state.DRAFT, state.CANCELLED),
    (state.APPROVED, state.DRAFT),
    (state.APPROVED, state.SENDING),
    (state.APPROVED, state.SKIPPED),
    (state.APPROVED, state.CANCELLED),
    (state.SENDING, state.SENT),
    (state.SENDING, state.CANCELLED),
}


@pytest.mark.parametrize("source", EditionState)
@pytest.mark.parametrize("target", EditionState)
def test_states_change_only_along_their_arrows(
    sqlite: Database, source: EditionState, target: EditionState
) -> None:
    keep(sqlite, edition())
    if WAYS[source]:
        step(sqlite, *WAYS[source], of=edition())
    if (source, target) in ARROWS:
        assert step(sqlite, target, of=edition()).state is target
    else:
        with pytest.raises(StateError, match=rf"daily-2026-11-22 is (a )?{source} and cannot be "):
            step(sqlite, target, of=edition())
        with sqlite.read() as connection:
            assert load_edition(connection, edition().id).state is source


def test_a_record_has_the_approver_and_the_time_of_each_step(database: Database) -> None:
    keep(database, edition())
    record = step(database, *WAYS[state.SENT], of=edition())
    assert (record.approved_by, record.approved_at, record.started_at, record.finished_at) == (
        "Ada",
        *[NOW] * 3,
    )


def test_a_skipped_edition_has_a_reason(database: Database) -> None:
    keep(database, edition())
    assert step(database, state.SKIPPED, of=edition()).reason == "skipped it is"


def test_of_two_steps_at_once_one_wins(database: Database) -> None:
    keep(database, edition())
    start = Barrier(2)

    def attempt(to: EditionState) -> str:
        start.wait()
        try:
            return step(database, to, of=edition()).state
        except StateError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        skipped, cancelled = pool.map(attempt, [state.SKIPPED, state.CANCELLED])
    assert sorted(each.partition(";")[0] for each in (skipped, cancelled)) in (
        [f"edition {edition().id} is skipped and cannot be cancelled", "skipped"],
        ["cancelled", f"edition {edition().id} is cancelled and cannot be skipped"],
    )


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (WAYS[state.SENT], PostState.USED),
        (WAYS[state.SKIPPED], PostState.WAITING),
        (WAYS[state.CANCELLED], PostState.WAITING),
        ((state.APPROVED, state.CANCELLED), PostState.WAITING),
        ((*WAYS[state.SENDING], state.CANCELLED), PostState.USED),
    ],
)
def test_posts_go_with_their_edition(
    database: Database, steps: tuple[EditionState, ...], expected: PostState
) -> None:
    newsroom = Newsroom(database=database)
    newsroom.publish(published("Tram", id="tram"))
    composed = newsroom.compose()
    assert composed.record
    step(database, *steps, of=composed.record.edition)
    kept = None if expected is PostState.WAITING else composed.record.edition.id
    assert newsroom.states() == {"tram": (expected, kept, "")}


# ── posts published before ───────────────────────────────────────────────────────────────────────


def test_published_posts_are_found_by_link_at_any_age_and_otherwise_while_they_are_recent(
    database: Database,
) -> None:
    newsroom = Newsroom(database=database)
    newsroom.publish(
        published("Old, linked", id="linked", url="https://www.trams.example.org/9?utm_source=x", hours=900),
        published("Old", id="old", hours=900),
        published("Fresh", id="fresh", url=None, hours=2),
    )
    newsroom.compose()
    newsroom.publish(published("Waiting", id="waiting", url="https://trams.example.org/9"))
    with database.read() as connection:
        links = {"https://trams.example.org/9", *(f"https://many.example.org/{n}" for n in range(1200))}
        found = published_posts(connection, "daily", links, NOW - timedelta(days=7))
        assert published_posts(connection, "weekend", links, NOW - timedelta(days=7)) == ()
    assert [(each.waiting.post.id, each.waiting.feed_name, each.edition_id) for each in found] == [
        ("fresh", "Harbour News", "daily-2026-11-22"),
        ("linked", "Harbour News", "daily-2026-11-22"),
    ]


def test_editions_of_earlier_versions_are_numbered_by_digest_and_frequency(empty_url: str) -> None:
    database = open_database(empty_url)
    upgrade(database, "0020")
    columns = "id, digest, frequency, state, local_date, cutoff_at, send_at, snapshot, hash, started_at"
    begun = "'2026-11-20 07:00'"
    kept = [
        ("one", "daily", "each", "sent", 1, begun),
        ("two", "daily", "each", "skipped", 2, "NULL"),
        ("three", "daily", "each", "cancelled", 3, begun),
        ("four", "daily", "each", "draft", 4, "NULL"),
        ("week", "daily", "weekly", "sent", 2, begun),
        ("other", "weekend", "each", "sent", 3, begun),
    ]
    with database.write() as connection:
        for name, digest, frequency, state, day, started in kept:
            at = f"'2026-11-0{day} 07:00'"
            values = f"'{name}', '{digest}', '{frequency}', '{state}', '2026-11-0{day}', {at}, {at}, '', ''"
            connection.execute(text(f"INSERT INTO editions ({columns}) VALUES ({values}, {started})"))
    migrate(database)
    with database.read() as connection:
        rows = connection.execute(text("SELECT id, number FROM editions ORDER BY id"))
        expected = [("four", 3), ("one", 1), ("other", 1), ("three", 2), ("two", 0), ("week", 1)]
        assert [tuple(row) for row in rows] == expected
        assert next_number(connection, "daily") == 4
        assert next_number(connection, "weekend", Frequency.WEEKLY) == 1
    database.close()
