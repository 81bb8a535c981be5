"""Bounces are kept once each, on both engines, and suppress their addresses when they must."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from digest.storage.database import Database
from subscribers.model import SuppressionReason
from subscribers.rules.bounces import Bounce, BounceKind
from subscribers.store.bounces import CountedBounce, bounces_of, list_bounces, receive_bounce, take_bounce
from subscribers.store.readers import read_suppressions
from subscribers.store.writing import unsuppress
from tests.subscribers.actions import NOW as MOVED_AT
from tests.subscribers.actions import confirm_move, half_moved, on_the_list, reader_of_address

NOW = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)


def bounce(kind: BounceKind, days: float = 0) -> Bounce:
    at = NOW + timedelta(days=days)
    return Bounce(kind=kind, at=at, source="mail", edition="daily-2026-11-23", reason="550 no such user")


def suppressed(database: Database, address: str = "hash") -> SuppressionReason | None:
    with database.read() as connection:
        found = read_suppressions(connection, [address])
    return found[address].reason if found else None


def test_a_bounce_is_kept_once_and_a_hard_bounce_suppresses_the_address(database: Database) -> None:
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


def test_the_latest_bounce_is_listed_first_and_without_an_unknown_address(database: Database) -> None:
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


def test_after_lifting_or_erasing_bounces_are_counted_from_zero(database: Database) -> None:
    with database.write() as connection:
        for day in range(5):
            take_bounce(connection, "hash", bounce(BounceKind.SOFT, day), report=f"{day}")
        assert unsuppress(connection, "hash")
        taken = take_bounce(connection, "hash", bounce(BounceKind.SOFT, 6), report="6")
        assert taken is not None
        assert (taken.suppressed, taken.days) == (None, 1)


def receive(database: Database, subscriber_id: int, kind: BounceKind, days: float = 0) -> CountedBounce | str:
    with database.write() as connection:
        return receive_bounce(connection, subscriber_id, bounce(kind, days), report=f"{kind} {days}")


def test_a_bounce_counts_for_the_reader_it_is_about_once(database: Database) -> None:
    reader = on_the_list(database)
    taken = receive(database, reader.id, BounceKind.HARD)
    assert isinstance(taken, CountedBounce)
    assert taken.suppressed is SuppressionReason.BOUNCE
    assert receive(database, reader.id, BounceKind.HARD) == "already known"


def test_a_bounce_of_an_erased_reader_says_nothing(database: Database) -> None:
    assert receive(database, 12345, BounceKind.HARD) == "the reader's data has been erased"


def test_after_a_move_a_late_bounce_is_about_the_old_address_but_a_complaint_is_about_us(
    database: Database,
) -> None:
    half_moved(database)
    confirm_move(database, "new")
    reader = reader_of_address(database, "new@example.org").subscriber
    assert reader is not None
    since = (MOVED_AT - NOW) / timedelta(days=1)
    assert (
        receive(database, reader.id, BounceKind.HARD, since + 6) == "the reader has changed the address since"
    )
    assert isinstance(receive(database, reader.id, BounceKind.HARD, since + 8), CountedBounce)
    assert isinstance(receive(database, reader.id, BounceKind.COMPLAINT, since + 1), CountedBounce)
