"""Bounces as they are kept: once each, on both engines, and what follows for the address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digest.storage.database import Database
from subscribers.bounced import bounces_of, list_bounces, take_bounce
from subscribers.bounces import Bounce, BounceKind
from subscribers.model import SuppressionReason
from subscribers.record import unsuppress
from subscribers.store import read_suppressions

NOW = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)


def bounce(kind: BounceKind, days: float = 0) -> Bounce:
    at = NOW + timedelta(days=days)
    return Bounce(kind=kind, at=at, source="mail", edition="daily-2026-11-23", reason="550 no such user")


def suppressed(database: Database, address: str = "hash") -> SuppressionReason | None:
    with database.read() as connection:
        found = read_suppressions(connection, [address])
    return found[address].reason if found else None


def test_a_bounce_is_kept_once_and_a_hard_one_ends_it(database: Database) -> None:
    hard = bounce(BounceKind.HARD)
    with database.write() as connection:
        taken = take_bounce(connection, "hash", hard, report="one")
        assert taken is not None
        assert taken.suppressed is SuppressionReason.BOUNCE
        assert take_bounce(connection, "hash", hard, report="one") is None
        assert bounces_of(connection, "hash") == (hard,)
        assert bounces_of(connection, "another") == ()
        assert read_suppressions(connection, ["hash"])["hash"].note == "550"


def test_soft_bounces_of_five_days_end_it_and_those_of_somebody_else_do_not(database: Database) -> None:
    with database.write() as connection:
        for day in range(5):
            assert take_bounce(connection, "other", bounce(BounceKind.SOFT, day), report=f"other {day}")
        for day in range(4):
            taken = take_bounce(connection, "hash", bounce(BounceKind.SOFT, day), report=f"{day}")
            assert taken is not None
            assert (taken.suppressed, taken.days) == (None, day + 1)
    assert suppressed(database) is None
    with database.write() as connection:
        take_bounce(connection, "hash", bounce(BounceKind.SOFT, 9), report="9")
    assert suppressed(database) is SuppressionReason.BOUNCE
    assert suppressed(database, "other") is SuppressionReason.BOUNCE


def test_a_complaint_holds_more_firmly_than_a_bounce(database: Database) -> None:
    for number, kind in enumerate((BounceKind.HARD, BounceKind.COMPLAINT, BounceKind.HARD)):
        with database.write() as connection:
            take_bounce(connection, "hash", bounce(kind, number), report=f"{number}")
    assert suppressed(database) is SuppressionReason.COMPLAINT


def test_what_came_back_last_is_listed_first_and_no_address_where_there_is_none(database: Database) -> None:
    kinds = (BounceKind.SOFT, BounceKind.HARD, BounceKind.OTHER)
    with database.write() as connection:
        for number, kind in enumerate(kinds):
            take_bounce(connection, f"hash {number}", bounce(kind, number), report=f"{number}")
        listed = list_bounces(connection)
        assert [each.bounce.kind for each in listed] == list(reversed(kinds))
        assert [each.suppressed for each in listed] == [None, SuppressionReason.BOUNCE, None]
        assert {each.address for each in listed} == {None}
        assert [each.bounce.kind for each in list_bounces(connection, limit=1)] == [BounceKind.OTHER]
        assert [each.bounce.at for each in list_bounces(connection, kind=BounceKind.SOFT)] == [NOW]


def test_lifting_and_forgetting_begin_anew(database: Database) -> None:
    with database.write() as connection:
        for day in range(5):
            take_bounce(connection, "hash", bounce(BounceKind.SOFT, day), report=f"{day}")
        assert unsuppress(connection, "hash")
        taken = take_bounce(connection, "hash", bounce(BounceKind.SOFT, 6), report="6")
        assert taken is not None
        assert (taken.suppressed, taken.days) == (None, 1)
