"""Two operations on the list at the same time, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Select, select, text

from digest.storage.database import Database, open_database
from subscribers.model import (
    Consent,
    ConsentAction,
    SubscriberState,
)
from subscribers.rules.decisions import Change, Refused
from subscribers.rules.moving import Moved
from subscribers.rules.preferences import pause
from subscribers.rules.signup import Confirmed
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store import operations, readers, writing
from subscribers.store.confirmations import count_attempt, expire
from subscribers.store.tables import attempts, confirmations, consents, subscribers
from tests.databases import create_tables
from tests.subscribers.actions import (
    FORM,
    LIMITS,
    NOW,
    ask_move,
    at_the_new_address,
    confirm_link,
    confirm_move,
    count_of,
    expire_by,
    half_moved,
    hash_of,
    mailable_now,
    meanwhile,
    on_the_list,
    reader_of_address,
    sign_up,
    somebody,
)


def test_many_sign_ups_of_one_address_at_once_give_one_reader_and_few_emails(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: sign_up(database, f"token {number}"), range(24)))
    assert sum(answer.confirm for answer in answers) == LIMITS.notices.each
    with database.read() as connection:
        assert count_of(connection, subscribers) == 1


def test_a_link_pressed_by_many_at_once_confirms_once(database: Database) -> None:
    sign_up(database, "token")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: confirm_link(database, "token"), range(16)))
    confirmed = [answer for answer in answers if isinstance(answer, Confirmed)]
    assert len(confirmed) == 16
    assert sum(answer.change is not None for answer in confirmed) == 1


def test_a_sign_up_decides_again_if_its_reader_was_added_in_the_meantime(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        writing.insert_subscriber(connection, somebody())

    database, answer = meanwhile(postgresql_url, add, lambda database: sign_up(database, "token"))
    assert answer.change is not None
    assert answer.change.subscriber == somebody()
    assert isinstance(confirm_link(database, "token"), Confirmed)
    database.close()


@pytest.mark.parametrize("met", ["folded", "address_hash", "id"])
def test_an_existing_reader_with_the_same_key_is_not_changed(database: Database, met: str) -> None:
    other = {"id": 2, "folded": "ben@example.org", "address_hash": "another"}
    newcomer = replace(somebody(), **{**other, met: getattr(somebody(), met)})
    with database.write() as connection:
        assert writing.insert_subscriber(connection, somebody())
        assert not writing.insert_subscriber(connection, newcomer)
        writing.insert_subscribers(connection, [newcomer])
        assert readers.ids_at(connection, ["anna@example.org", "ben@example.org"]) == {"anna@example.org": 1}


def test_a_link_whose_reader_is_erased_while_it_waits_confirms_nothing(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        sign_up(database, "token")

    def erase(connection: Connection) -> None:
        reader = readers.reader_at(connection, "anna@example.org", hash_of(), hold=True)
        assert reader.subscriber is not None
        writing.erase(connection, reader.subscriber, NOW)

    database, answer = meanwhile(
        postgresql_url, erase, lambda database: confirm_link(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="expired")
    database.close()


def test_a_link_used_while_its_reader_unsubscribes_brings_nobody_back(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        sign_up(database, "token")

    def unsubscribe_by_link(connection: Connection) -> None:
        reader = readers.reader_at(connection, "anna@example.org", hash_of(), hold=True)
        change = unsubscribe(reader, origin=FORM, now=NOW)
        assert change is not None
        writing.write_change(connection, change, NOW)

    database, answer = meanwhile(
        postgresql_url, unsubscribe_by_link, lambda database: confirm_link(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="used")
    assert mailable_now(database) == []
    database.close()


def test_a_mover_who_is_erased_while_the_link_waits_moves_nowhere(postgresql_url: str) -> None:
    def erase(connection: Connection) -> None:
        reader = readers.reader_at(connection, "anna@example.org", hash_of(), hold=True)
        assert reader.subscriber is not None
        writing.erase(connection, reader.subscriber, NOW)

    database, answer = meanwhile(
        postgresql_url, erase, lambda database: confirm_move(database, "new"), prepare=half_moved
    )
    assert answer == Refused(reason="expired")
    assert mailable_now(database) == []
    database.close()


def test_a_mover_does_not_wait_for_a_sign_up_of_this_very_moment_to_be_confirmed(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        assert writing.insert_subscriber(connection, at_the_new_address())

    database, answer = meanwhile(
        postgresql_url, add, lambda database: confirm_move(database, "new"), prepare=half_moved
    )
    assert isinstance(answer, Moved)
    assert mailable_now(database) == ["new@example.org"]
    assert confirm_move(database, "new") == Refused(reason="used")
    database.close()


def test_a_mover_takes_over_from_a_reader_who_is_added_at_the_new_address_in_this_very_moment(
    postgresql_url: str,
) -> None:
    newcomer = replace(at_the_new_address(), state=SubscriberState.ACTIVE)

    def add(connection: Connection) -> None:
        assert writing.insert_subscriber(connection, newcomer)

    database, answer = meanwhile(
        postgresql_url, add, lambda database: confirm_move(database, "new"), prepare=half_moved
    )
    assert isinstance(answer, Moved)
    assert mailable_now(database) == ["new@example.org"]
    with database.read() as connection:
        assert readers.reader_of(connection, newcomer.id) == reader_of_address(database, "new@example.org")
    database.close()


def test_two_readers_who_swap_their_addresses_at_once_do_not_wait_for_each_other(database: Database) -> None:
    on_the_list(database)
    sign_up(database, "ben", address="ben@example.org")
    confirm_link(database, "ben")
    ask_move(database, "ben@example.org", names=("old 1", "new 1"))
    ask_move(database, "Anna@example.org", names=("old 2", "new 2"), of="ben@example.org")
    for name in ("new 1", "new 2"):
        assert confirm_move(database, name) == Moved(change=None)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: confirm_move(database, name), ("old 1", "old 2")))
    assert len(mailable_now(database)) == 1


def test_of_a_move_to_where_somebody_has_just_signed_up_nothing_stays(database: Database) -> None:
    subscriber = on_the_list(database)
    taken = replace(at_the_new_address(), state=SubscriberState.ACTIVE)
    moved = replace(subscriber, address=taken.address, folded=taken.folded, address_hash=taken.address_hash)
    change = Change(subscriber=moved, consent=Consent(act=ConsentAction.MOVED, at=NOW, origin=FORM))
    with database.write() as connection:
        writing.insert_subscriber(connection, taken)
        before = count_of(connection, consents)
        assert not writing.move(connection, change, None, NOW)
        assert count_of(connection, consents) == before
    assert reader_of_address(database).subscriber == subscriber


@pytest.mark.parametrize(
    "busy",
    [
        select(subscribers.c.id).where(subscribers.c.folded == "ben@example.org"),
        select(confirmations.c.token_hash).where(confirmations.c.used_at.is_not(None)),
        select(attempts.c.key),
    ],
    ids=["a reader", "a link", "a count"],
)
def test_rows_that_another_transaction_holds_are_skipped_and_erased_the_next_time(
    postgresql_url: str, busy: Select[tuple[int]] | Select[tuple[str]]
) -> None:
    database = open_database(postgresql_url)
    with database.write() as connection:
        create_tables(connection)
    last = NOW + LIMITS.link_life + LIMITS.grace
    on_the_list(database)
    sign_up(database, "ben", address="ben@example.org")
    with database.write() as connection:
        count_attempt(connection, "client:hash", window=LIMITS.request_window, now=NOW)
    with database.write() as other:
        assert other.execute(busy.with_for_update()).all()
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))  # waiting fails, and does not hang
            erased = expire(connection, LIMITS, last)
    assert erased + expire_by(database, last) == 1
    with database.read() as connection:
        assert [count_of(connection, each) for each in (subscribers, confirmations, attempts)] == [1, 0, 0]
    database.close()


def test_a_pause_is_kept_with_its_day(database: Database) -> None:
    subscriber = on_the_list(database)
    until = NOW + timedelta(days=3)
    with database.write() as connection:
        operations.change_reader(
            connection,
            subscriber.id,
            lambda reader: pause(reader, until, limits=LIMITS, origin=FORM, now=NOW),
            NOW,
        )
    assert mailable_now(database) == []
    assert mailable_now(database, until) == ["Anna@example.org"]
