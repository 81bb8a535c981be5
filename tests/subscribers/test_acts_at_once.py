"""What is done to the list by two at the same moment, on both engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Select, select, text

from digest.storage.database import Database, open_database
from digest.storage.tables import metadata
from subscribers import acts, pending, record, store
from subscribers.changes import pause
from subscribers.decisions import Change, Refused
from subscribers.leaving import leave
from subscribers.model import (
    Act,
    Consent,
    SubscriberState,
)
from subscribers.moving import Moved
from subscribers.signup import Confirmed
from subscribers.tables import attempts, confirmations, consents, subscribers
from tests.subscribers.doings import (
    FORM,
    LIMITS,
    NOW,
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


def test_many_sign_ups_of_one_address_at_once_give_one_reader_and_few_mails(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: sign_up(database, f"token {number}"), range(24)))
    assert sum(answer.confirm for answer in answers) == LIMITS.mails
    with database.read() as connection:
        assert count_of(connection, subscribers) == 1


def test_a_link_pressed_by_many_at_once_confirms_once(database: Database) -> None:
    sign_up(database, "token")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: confirm_link(database, "token"), range(16)))
    confirmed = [answer for answer in answers if isinstance(answer, Confirmed)]
    assert len(confirmed) == 16
    assert sum(answer.change is not None for answer in confirmed) == 1


def test_a_sign_up_meets_somebody_who_was_added_while_it_was_deciding(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        record.insert_subscriber(connection, somebody())

    database, answer = meanwhile(postgresql_url, add, lambda database: sign_up(database, "token"))
    assert answer.change is not None
    assert answer.change.subscriber == somebody()
    assert isinstance(confirm_link(database, "token"), Confirmed)
    database.close()


@pytest.mark.parametrize("met", ["folded", "address_hash", "id"])
def test_whoever_is_met_by_whatever_of_theirs_is_left_as_they_are(database: Database, met: str) -> None:
    other = {"id": 2, "folded": "ben@example.org", "address_hash": "another"}
    newcomer = replace(somebody(), **{**other, met: getattr(somebody(), met)})
    with database.write() as connection:
        assert record.insert_subscriber(connection, somebody())
        assert not record.insert_subscriber(connection, newcomer)
        record.insert_subscribers(connection, [newcomer])
        assert store.ids_at(connection, ["anna@example.org", "ben@example.org"]) == {"anna@example.org": 1}


def test_a_link_whose_reader_is_erased_while_it_waits_confirms_nothing(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        sign_up(database, "token")

    def erase(connection: Connection) -> None:
        reader = store.reader_at(connection, "anna@example.org", hash_of(), hold=True)
        assert reader.subscriber is not None
        record.erase(connection, reader.subscriber, NOW)

    database, answer = meanwhile(
        postgresql_url, erase, lambda database: confirm_link(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="expired")
    database.close()


def test_a_link_pressed_while_its_reader_leaves_brings_nobody_back(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        sign_up(database, "token")

    def say_goodbye(connection: Connection) -> None:
        reader = store.reader_at(connection, "anna@example.org", hash_of(), hold=True)
        change = leave(reader, origin=FORM, now=NOW)
        assert change is not None
        record.write_change(connection, change, NOW)

    database, answer = meanwhile(
        postgresql_url, say_goodbye, lambda database: confirm_link(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="used")
    assert mailable_now(database) == []
    database.close()


def test_a_mover_does_not_wait_for_a_sign_up_of_this_very_moment_to_be_confirmed(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        assert record.insert_subscriber(connection, at_the_new_address())

    database, answer = meanwhile(
        postgresql_url, add, lambda database: confirm_move(database, "new"), prepare=half_moved
    )
    assert isinstance(answer, Moved)
    assert mailable_now(database) == ["new@example.org"]
    assert confirm_move(database, "new") == Refused(reason="used")
    database.close()


def test_a_mover_stays_when_somebody_is_added_at_the_new_address_in_this_very_moment(
    postgresql_url: str,
) -> None:
    newcomer = replace(at_the_new_address(), state=SubscriberState.ACTIVE)

    def add(connection: Connection) -> None:
        assert record.insert_subscriber(connection, newcomer)

    database, answer = meanwhile(
        postgresql_url, add, lambda database: confirm_move(database, "new"), prepare=half_moved
    )
    assert answer == Refused(reason="used")
    assert mailable_now(database) == ["Anna@example.org"]
    assert reader_of_address(database, "new@example.org").subscriber == newcomer
    database.close()


def test_of_a_move_to_where_somebody_is_nothing_stays(database: Database) -> None:
    subscriber = on_the_list(database)
    taken = replace(at_the_new_address(), state=SubscriberState.ACTIVE)
    moved = replace(subscriber, address=taken.address, folded=taken.folded, address_hash=taken.address_hash)
    change = Change(subscriber=moved, consent=Consent(act=Act.MOVED, at=NOW, origin=FORM))
    with database.write() as connection:
        record.insert_subscriber(connection, taken)
        before = count_of(connection, consents)
        assert not record.move(connection, change, NOW)
        assert count_of(connection, consents) == before
    assert reader_of_address(database).subscriber == subscriber


@pytest.mark.parametrize(
    "busy",
    [
        select(subscribers.c.id).where(subscribers.c.folded == "ben@example.org"),
        select(confirmations.c.token_hash).where(confirmations.c.token_hash == "token"),
        select(attempts.c.key),
    ],
    ids=["a reader", "a link", "a count"],
)
def test_what_somebody_is_at_work_on_is_not_waited_for_and_erased_the_next_time(
    postgresql_url: str, busy: Select[tuple[int]] | Select[tuple[str]]
) -> None:
    database = open_database(postgresql_url)
    with database.write() as connection:
        metadata.create_all(connection)
    last = NOW + LIMITS.link_life + LIMITS.grace
    on_the_list(database)
    sign_up(database, "ben", address="ben@example.org")
    with database.write() as other:
        assert other.execute(busy.with_for_update()).all()
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))  # who waits fails, and does not hang
            erased = pending.expire(connection, LIMITS, last)
    assert erased + expire_by(database, last) == 1
    with database.read() as connection:
        assert [count_of(connection, each) for each in (subscribers, confirmations, attempts)] == [1, 0, 0]
    database.close()


def test_a_pause_is_kept_with_its_day(database: Database) -> None:
    subscriber = on_the_list(database)
    until = NOW + timedelta(days=3)
    with database.write() as connection:
        acts.change_reader(
            connection,
            subscriber.id,
            lambda reader: pause(reader, until, limits=LIMITS, origin=FORM, now=NOW),
            NOW,
        )
    assert mailable_now(database) == []
    assert mailable_now(database, until) == ["Anna@example.org"]
