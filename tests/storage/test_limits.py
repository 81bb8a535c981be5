from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from digest.limits.allowances import take_ahead
from digest.limits.limits import Meter, Rules, parse_limit, room, slow, take
from digest.storage.database import Database
from digest.storage.limits import forget_meters, lock_meters, read_meters, save_meters

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
RULES = Rules(scope="server", limits=(parse_limit("9 per second"), parse_limit("500 per day")))


def read(database: Database, *scopes: str) -> dict[str, Meter]:
    with database.read() as connection:
        return read_meters(connection, scopes)


def save(database: Database, changed: dict[str, Meter]) -> None:
    with database.write() as connection:
        lock_meters(connection, sorted(changed), NOW)
        save_meters(connection, changed, NOW)


def test_used_meters_are_kept(database: Database) -> None:
    meter = slow(take(RULES, Meter(), 3, NOW), "421 4.7.0 try later", NOW, pace=700)
    save(database, {"server": meter})
    assert read(database, "server") == {"server": meter}


def test_shares_of_senders_are_kept(database: Database) -> None:
    _, meter = take_ahead(RULES, Meter(), 5, NOW)
    assert meter.shares
    save(database, {"server": slow(meter, "421 4.7.0 try later", NOW)})
    assert read(database, "server")["server"].shares == meter.shares


def test_an_unused_scope_is_locked_as_new(database: Database) -> None:
    with database.write() as connection:
        assert lock_meters(connection, ["domain a.example.org", "server"], NOW) == {
            "domain a.example.org": Meter(),
            "server": Meter(),
        }


def test_a_failed_transaction_counts_nothing(database: Database) -> None:
    save(database, {"server": take(RULES, Meter(), 3, NOW)})
    before = read(database, "server")
    try:
        with database.write() as connection:
            save_meters(connection, {"server": take(RULES, Meter(), 400, NOW)}, NOW)
            raise InterruptedError
    except InterruptedError:
        assert read(database, "server") == before


def test_many_senders_at_once_never_take_more_than_is_free(database: Database) -> None:
    def take_some(_: int) -> int:
        taken = 0
        for _ in range(10):
            with database.write() as connection:
                meter = lock_meters(connection, ["server"], NOW)["server"]
                count = min(7, room(daily, meter, NOW))
                save_meters(connection, {"server": take(daily, meter, count, NOW)}, NOW)
                taken += count
        return taken

    daily = Rules(scope="server", limits=(parse_limit("200 per day"),))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take_some, range(4))) == 200


def test_a_meter_is_deleted_when_nothing_in_it_counts_any_more(database: Database) -> None:
    daily = Rules(scope="server", limits=(parse_limit("200 per day"),))
    used, slowed = take(daily, Meter(), 200, NOW), slow(Meter(), "421 4.7.0 try later", NOW)
    save(database, {"server": used, "domain gmail.com": slowed})
    with database.write() as connection:
        assert forget_meters(connection, NOW + timedelta(days=1)) == 0
        assert forget_meters(connection, NOW + timedelta(hours=25, seconds=1)) == 2
    assert read(database, "server", "domain gmail.com") == {}
