from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from digest.schedule.seen import OUT, SeenSchedule, last_seen, offered_since
from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate, upgrade
from digest.storage.occurrences import learn_rule, note_schedule, seen_schedules

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seen(rule: str | None, hours: int) -> SeenSchedule:
    return SeenSchedule(rule=rule, seen_at=NOON + hours * HOUR)


def note(database: Database, *found: SeenSchedule, schedule: str = "compose:daily") -> list[bool]:
    with database.write() as connection:
        return [
            note_schedule(connection, schedule, each, number=number)
            for number, each in enumerate(found, start=1)
        ]


def kept(database: Database) -> dict[str, tuple[SeenSchedule, ...]]:
    with database.read() as connection:
        return dict(seen_schedules(connection))


def test_seen_schedules_are_kept_oldest_first(database: Database) -> None:
    assert note(database, seen("b", 1), seen("a", 0)) == [True, True]
    assert note(database, seen("c", 2), schedule="compose:weekend") == [True]
    assert kept(database) == {
        "compose:daily": (seen("a", 0), seen("b", 1)),
        "compose:weekend": (seen("c", 2),),
    }


def test_of_two_processes_that_note_the_same_change_one_does(database: Database) -> None:
    assert note(database, seen("a", 0)) == [True]
    assert note(database, seen("a", 1)) == [False]


def test_a_missing_rule_is_learnt(database: Database) -> None:
    note(database, seen(None, 0), seen("b", 1))
    with database.write() as connection:
        learn_rule(connection, "compose:daily", "a")
    assert kept(database) == {"compose:daily": (seen("a", 0), seen("b", 1))}


def test_the_schedule_in_force_is_the_last_one_seen_by_then() -> None:
    known = (seen("a", 0), seen("b", 2))
    stands = [last_seen(known, NOON + hours * HOUR) for hours in (-1, 0, 1, 2, 3)]
    assert stands == [None, known[0], known[0], known[1], known[1]]


def test_a_frequency_is_offered_since_it_was_added_whatever_changed() -> None:
    known = (seen("a", 0), seen("b", 1), seen(OUT, 2), seen("b", 3))
    since = [offered_since(known, NOON + hours * HOUR) for hours in (-1, 0, 1, 2, 3)]
    assert since == [None, NOON, NOON, None, NOON + 3 * HOUR]


def test_an_older_database_continues_where_it_was(empty_url: str) -> None:
    database = open_database(empty_url)
    upgrade(database, "0003")
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO occurrences (schedule, local_date, due_at, done_at, outcome)"
                " VALUES ('compose:daily', '2026-11-23', :due, :due, 'nothing new')"
            ),
            {"due": "2026-11-23 07:00:00+00:00"},
        )
    migrate(database)
    (only,) = kept(database)["compose:daily"]
    assert only.rule is None
    database.close()
