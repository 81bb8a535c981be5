"""What is done to the list in a database, on both engines, also by two at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Select, Table, func, select, text

from digest.storage.database import Database, open_database
from digest.storage.tables import metadata
from subscribers import acts, pending, record, store
from subscribers.address import parse_address
from subscribers.changes import pause
from subscribers.decisions import Change, Limits, Refused, Wish
from subscribers.leaving import leave
from subscribers.model import (
    Act,
    Consent,
    Format,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from subscribers.moving import Move, Moved
from subscribers.signup import Confirmed, Request, Signup
from subscribers.tables import attempts, confirmations, consents, subscribers, subscriptions, suppressions
from subscribers.tokens import address_hash

SECRET = b"a secret of the tests, long enough"
NOW = datetime(2026, 11, 22, 7, 30, 0, 123456, tzinfo=UTC)
LIMITS = Limits()
Answer = TypeVar("Answer")
FORM = Origin(source="form:daily", wording="2026-11", client="192.0.2.0/24")
DAILY = Wish(
    digest="daily", preferences=Preferences.parse(topics="-sport", hour="7:30", zone="Europe/Berlin")
)


def test_from_the_box_to_the_list(database: Database) -> None:
    assert _sign_up(database, "token").confirm
    assert _mailable(database) == []
    confirmed = _confirm(database, "token")
    assert isinstance(confirmed, Confirmed)
    assert _mailable(database) == ["Anna@example.org"]
    reader = _reader(database)
    assert reader.subscriptions[0].preferences == DAILY.preferences
    assert reader.subscriber is not None
    assert (reader.subscriber.language, reader.subscriber.format) == ("de", Format.TEXT)
    with database.read() as connection:
        told = store.history(connection, reader.subscriber.id)
    assert [(each.act, each.at, each.origin) for each in told] == [
        (Act.SIGNED_UP, NOW, FORM),
        (Act.CONFIRMED, NOW, FORM),
    ]
    assert told[0].detail["wishes"][0]["topics"] == "-sport"


def test_confirming_twice_is_confirming_once(database: Database) -> None:
    _sign_up(database, "token")
    _confirm(database, "token")
    again = _confirm(database, "token")
    assert isinstance(again, Confirmed)
    assert again.change is None


def test_an_unknown_link_or_one_for_something_else_confirms_nothing(database: Database) -> None:
    _on_the_list(database)
    _ask_move(database, "new@example.org")
    assert _confirm(database, "no such token") == Refused(reason="expired")
    assert _confirm(database, "old") == Refused(reason="expired")
    assert _fresh_link(database, "old") == Signup()
    assert _confirm_move(database, "token") == Refused(reason="expired")
    assert _confirm_move(database, "no such token") == Refused(reason="expired")


def test_sign_ups_beyond_the_limit_write_nothing_but_a_count(database: Database) -> None:
    answers = [_sign_up(database, f"token {number}").confirm for number in range(10)]
    assert answers == [True] * LIMITS.mails + [False] * (10 - LIMITS.mails)
    with database.read() as connection:
        assert _count(connection, confirmations) == LIMITS.mails
        assert _count(connection, consents) == LIMITS.mails
        assert _count(connection, attempts) == 1
    assert _sign_up(database, "the day after", now=NOW + LIMITS.window).confirm


def test_a_count_begins_anew_when_its_window_is_over(database: Database) -> None:
    window = timedelta(hours=1)
    with database.write() as connection:
        for minutes, count in ((0, 1), (59, 2), (60, 1), (61, 2)):
            now = NOW + timedelta(minutes=minutes)
            assert pending.count_attempt(connection, "client:hash", window=window, now=now) == count


def test_a_suppressed_address_is_not_even_kept_as_pending(database: Database) -> None:
    with database.write() as connection:
        record.suppress(connection, _hash(), SuppressionReason.COMPLAINT, NOW)
    assert not _sign_up(database, "token").confirm
    assert _reader(database).subscriber is None


def test_an_erased_reader_leaves_only_a_keyed_hash(database: Database) -> None:
    subscriber = _on_the_list(database)
    with database.write() as connection:
        assert acts.erase(connection, subscriber.id, NOW)
        assert not acts.erase(connection, subscriber.id, NOW)
    with database.read() as connection:
        assert [
            _count(connection, each) for each in (subscribers, subscriptions, consents, confirmations)
        ] == [0] * 4
        kept = connection.execute(select(suppressions)).one()
    assert (kept.address_hash, kept.reason, kept.note) == (_hash(), "erased", "")


def test_an_erased_reader_can_come_back_by_their_own_confirmation(database: Database) -> None:
    subscriber = _on_the_list(database)
    with database.write() as connection:
        acts.erase(connection, subscriber.id, NOW)
    _sign_up(database, "again")
    assert _mailable(database) == []
    _confirm(database, "again")
    assert _mailable(database) == ["Anna@example.org"]


def test_a_fresh_link_confirms_where_the_first_has_expired(database: Database) -> None:
    _sign_up(database, "token")
    later = NOW + timedelta(days=4)
    assert _confirm(database, "token", now=later) == Refused(reason="expired")
    assert _fresh_link(database, "token", now=later).confirm
    assert isinstance(_confirm(database, "fresh", now=later), Confirmed)
    assert _fresh_link(database, "no such token") == Signup()


def test_leaving_makes_a_link_on_its_way_void(database: Database) -> None:
    subscriber = _on_the_list(database)
    _sign_up(database, "on its way")
    with database.write() as connection:
        acts.change_reader(
            connection, subscriber.id, lambda reader: leave(reader, "daily", origin=FORM, now=NOW), NOW
        )
    assert _confirm(database, "on its way") == Refused(reason="used")
    assert _fresh_link(database, "on its way") == Signup()
    assert _mailable(database) == []


def test_suppressing_makes_a_link_on_its_way_void_even_when_it_is_lifted(database: Database) -> None:
    _sign_up(database, "on its way")
    with database.write() as connection:
        record.suppress(connection, _hash(), SuppressionReason.OPERATOR, NOW)
        assert record.unsuppress(connection, _hash())
        assert not record.unsuppress(connection, _hash())
    assert _confirm(database, "on its way") == Refused(reason="used")


def test_a_decision_that_changes_nothing_writes_nothing(database: Database) -> None:
    subscriber = _on_the_list(database)
    with database.write() as connection:
        before = _count(connection, consents)
        assert acts.change_reader(connection, subscriber.id, lambda reader: None, NOW) is None
        assert (
            acts.change_reader(connection, 404, lambda reader: leave(reader, origin=FORM, now=NOW), NOW)
            is None
        )
        assert _count(connection, consents) == before


def test_a_firmer_reason_replaces_a_weaker_one_and_never_the_other_way(database: Database) -> None:
    reasons = SuppressionReason
    steps = (
        (reasons.BOUNCE, reasons.BOUNCE),
        (reasons.ERASED, reasons.BOUNCE),
        (reasons.COMPLAINT, reasons.COMPLAINT),
        (reasons.OPERATOR, reasons.COMPLAINT),
    )
    with database.write() as connection:
        for given, kept in steps:
            record.suppress(connection, "hash", given, NOW, note=f"because of {given}")
            suppression = store.read_suppressions(connection, ["hash"])["hash"]
            assert (suppression.reason, suppression.note) == (kept, f"because of {kept}")


# ── moving ──────────────────────────────────────────────────────────────────────────────────


def test_a_reader_moves_with_everything_when_both_ends_agree(database: Database) -> None:
    subscriber = _on_the_list(database)
    assert _ask_move(database, "new@example.org").to_new is not None
    assert _confirm_move(database, "new") == Moved(change=None)
    assert _mailable(database) == ["Anna@example.org"]
    assert isinstance(_confirm_move(database, "old"), Moved)
    assert _mailable(database) == ["new@example.org"]
    assert _confirm_move(database, "old") == Refused(reason="used")
    moved = _reader(database, "new@example.org").subscriber
    assert moved is not None
    assert (moved.id, moved.address_hash) == (subscriber.id, _hash("new@example.org"))


def test_a_sign_up_nobody_confirmed_makes_way_for_the_mover(database: Database) -> None:
    _on_the_list(database)
    _sign_up(database, "squatter", address="new@example.org")
    _ask_move(database, "new@example.org")
    _confirm_move(database, "old")
    _confirm_move(database, "new")
    assert _mailable(database) == ["new@example.org"]


def test_a_second_wish_to_move_makes_the_first_void(database: Database) -> None:
    _on_the_list(database)
    _ask_move(database, "first@example.org")
    _ask_move(database, "second@example.org", names=("old 2", "new 2"))
    assert _confirm_move(database, "old") == Refused(reason="used")
    assert _confirm_move(database, "old 2") == Moved(change=None)


def test_nobody_learns_that_an_address_is_taken(database: Database) -> None:
    _on_the_list(database)
    _sign_up(database, "ben", address="ben@example.org")
    _confirm(database, "ben")
    move = _ask_move(database, "ben@example.org")
    assert (move.to_old is not None, move.to_new) == (True, None)
    assert _confirm_move(database, "old") == Refused(reason="used")


def test_who_is_not_on_the_list_cannot_move(database: Database) -> None:
    with database.write() as connection:
        request = _move_request("new@example.org", ("old", "new"))
        assert acts.ask_move(connection, 404, request, limits=LIMITS, now=NOW) == Move()


# ── time ────────────────────────────────────────────────────────────────────────────────────


def test_a_sign_up_nobody_confirmed_is_erased_with_its_links(database: Database) -> None:
    _on_the_list(database)
    _sign_up(database, "ben", address="ben@example.org")
    last = NOW + LIMITS.link_life + LIMITS.grace
    assert _expire(database, last - timedelta(seconds=1)) == 0
    assert _expire(database, last) == 1
    with database.read() as connection:
        assert _count(connection, confirmations) == 0
        assert _count(connection, attempts) == 0
    assert _mailable(database) == ["Anna@example.org"]
    assert _reader(database, "ben@example.org") == Reader()


def test_a_fresh_link_keeps_a_pending_sign_up_alive(database: Database) -> None:
    _sign_up(database, "token")
    later = NOW + LIMITS.link_life
    _fresh_link(database, "token", now=later)
    assert _expire(database, NOW + LIMITS.link_life + LIMITS.grace) == 0
    assert _expire(database, later + LIMITS.link_life + LIMITS.grace) == 1


# ── looking ─────────────────────────────────────────────────────────────────────────────────


def test_readers_are_listed_in_pages_by_digest_state_and_beginning(database: Database) -> None:
    for name in ("anna", "anton", "ben", "a%c"):
        _sign_up(database, name, address=f"{name}@example.org")
    for name in ("anna", "ben"):
        _confirm(database, name)
    with database.read() as connection:
        look = partial(store.list_readers, connection)
        assert _names(look()) == ["anna", "anton", "ben", "a%c"]
        assert _names(look(prefix="AN")) == ["anna", "anton"]
        assert _names(look(prefix="a%")) == ["a%c"]
        assert _names(look(digest="daily")) == ["anna", "ben"]
        assert _names(look(state=SubscriberState.PENDING)) == ["anton", "a%c"]
        third = look(limit=3)[-1].subscriber
        assert third is not None
        assert _names(look(after=third.id)) == ["a%c"]


# ── two at once ─────────────────────────────────────────────────────────────────────────────


def test_many_sign_ups_of_one_address_at_once_give_one_reader_and_few_mails(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: _sign_up(database, f"token {number}"), range(24)))
    assert sum(answer.confirm for answer in answers) == LIMITS.mails
    with database.read() as connection:
        assert _count(connection, subscribers) == 1


def test_a_link_pressed_by_many_at_once_confirms_once(database: Database) -> None:
    _sign_up(database, "token")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _confirm(database, "token"), range(16)))
    confirmed = [answer for answer in answers if isinstance(answer, Confirmed)]
    assert len(confirmed) == 16
    assert sum(answer.change is not None for answer in confirmed) == 1


def test_a_sign_up_meets_somebody_who_was_added_while_it_was_deciding(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        record.insert_subscriber(connection, _somebody())

    database, answer = _meanwhile(postgresql_url, add, lambda database: _sign_up(database, "token"))
    assert answer.change is not None
    assert answer.change.subscriber == _somebody()
    assert isinstance(_confirm(database, "token"), Confirmed)
    database.close()


@pytest.mark.parametrize("met", ["folded", "address_hash", "id"])
def test_whoever_is_met_by_whatever_of_theirs_is_left_as_they_are(database: Database, met: str) -> None:
    other = {"id": 2, "folded": "ben@example.org", "address_hash": "another"}
    newcomer = replace(_somebody(), **{**other, met: getattr(_somebody(), met)})
    with database.write() as connection:
        assert record.insert_subscriber(connection, _somebody())
        assert not record.insert_subscriber(connection, newcomer)
        record.insert_subscribers(connection, [newcomer])
        assert store.ids_at(connection, ["anna@example.org", "ben@example.org"]) == {"anna@example.org": 1}


def test_a_link_whose_reader_is_erased_while_it_waits_confirms_nothing(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        _sign_up(database, "token")

    def erase(connection: Connection) -> None:
        reader = store.reader_at(connection, "anna@example.org", _hash(), hold=True)
        assert reader.subscriber is not None
        record.erase(connection, reader.subscriber, NOW)

    database, answer = _meanwhile(
        postgresql_url, erase, lambda database: _confirm(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="expired")
    database.close()


def test_a_link_pressed_while_its_reader_leaves_brings_nobody_back(postgresql_url: str) -> None:
    def prepare(database: Database) -> None:
        _sign_up(database, "token")

    def say_goodbye(connection: Connection) -> None:
        reader = store.reader_at(connection, "anna@example.org", _hash(), hold=True)
        change = leave(reader, origin=FORM, now=NOW)
        assert change is not None
        record.write_change(connection, change, NOW)

    database, answer = _meanwhile(
        postgresql_url, say_goodbye, lambda database: _confirm(database, "token"), prepare=prepare
    )
    assert answer == Refused(reason="used")
    assert _mailable(database) == []
    database.close()


def test_a_mover_does_not_wait_for_a_sign_up_of_this_very_moment_to_be_confirmed(postgresql_url: str) -> None:
    def add(connection: Connection) -> None:
        assert record.insert_subscriber(connection, _at_the_new_address())

    database, answer = _meanwhile(
        postgresql_url, add, lambda database: _confirm_move(database, "new"), prepare=_half_moved
    )
    assert isinstance(answer, Moved)
    assert _mailable(database) == ["new@example.org"]
    assert _confirm_move(database, "new") == Refused(reason="used")
    database.close()


def test_a_mover_stays_when_somebody_is_added_at_the_new_address_in_this_very_moment(
    postgresql_url: str,
) -> None:
    newcomer = replace(_at_the_new_address(), state=SubscriberState.ACTIVE)

    def add(connection: Connection) -> None:
        assert record.insert_subscriber(connection, newcomer)

    database, answer = _meanwhile(
        postgresql_url, add, lambda database: _confirm_move(database, "new"), prepare=_half_moved
    )
    assert answer == Refused(reason="used")
    assert _mailable(database) == ["Anna@example.org"]
    assert _reader(database, "new@example.org").subscriber == newcomer
    database.close()


def test_of_a_move_to_where_somebody_is_nothing_stays(database: Database) -> None:
    subscriber = _on_the_list(database)
    taken = replace(_at_the_new_address(), state=SubscriberState.ACTIVE)
    moved = replace(subscriber, address=taken.address, folded=taken.folded, address_hash=taken.address_hash)
    change = Change(subscriber=moved, consent=Consent(act=Act.MOVED, at=NOW, origin=FORM))
    with database.write() as connection:
        record.insert_subscriber(connection, taken)
        before = _count(connection, consents)
        assert not record.move(connection, change, NOW)
        assert _count(connection, consents) == before
    assert _reader(database).subscriber == subscriber


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
    _on_the_list(database)
    _sign_up(database, "ben", address="ben@example.org")
    with database.write() as other:
        assert other.execute(busy.with_for_update()).all()
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))  # who waits fails, and does not hang
            erased = pending.expire(connection, LIMITS, last)
    assert erased + _expire(database, last) == 1
    with database.read() as connection:
        assert [_count(connection, each) for each in (subscribers, confirmations, attempts)] == [1, 0, 0]
    database.close()


def test_a_pause_is_kept_with_its_day(database: Database) -> None:
    subscriber = _on_the_list(database)
    until = NOW + timedelta(days=3)
    with database.write() as connection:
        acts.change_reader(
            connection,
            subscriber.id,
            lambda reader: pause(reader, until, limits=LIMITS, origin=FORM, now=NOW),
            NOW,
        )
    assert _mailable(database) == []
    assert _mailable(database, until) == ["Anna@example.org"]


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _sign_up(
    database: Database, token: str, *, address: str = "Anna@example.org", now: datetime = NOW
) -> Signup:
    request = Request(
        address=parse_address(address),
        address_hash=_hash(address),
        wishes=(DAILY,),
        language="de",
        format=Format.TEXT,
        origin=FORM,
    )
    with database.write() as connection:
        return acts.sign_up(connection, request, token_hash=token, limits=LIMITS, now=now)


def _confirm(database: Database, token: str, now: datetime = NOW) -> Confirmed | Refused:
    with database.write() as connection:
        return acts.confirm(connection, token, origin=FORM, now=now)


def _fresh_link(database: Database, token: str, now: datetime = NOW) -> Signup:
    with database.write() as connection:
        return acts.fresh_link(connection, token, token_hash="fresh", limits=LIMITS, now=now)


def _on_the_list(database: Database) -> Subscriber:
    _sign_up(database, "token")
    _confirm(database, "token")
    subscriber = _reader(database).subscriber
    assert subscriber is not None
    return subscriber


def _move_request(address: str, names: tuple[str, str]) -> acts.MoveRequest:
    return acts.MoveRequest(
        address=parse_address(address),
        address_hash=_hash(address),
        old_token_hash=names[0],
        new_token_hash=names[1],
        origin=FORM,
    )


def _ask_move(database: Database, address: str, names: tuple[str, str] = ("old", "new")) -> Move:
    subscriber = _reader(database).subscriber
    assert subscriber is not None
    with database.write() as connection:
        return acts.ask_move(connection, subscriber.id, _move_request(address, names), limits=LIMITS, now=NOW)


def _confirm_move(database: Database, token: str) -> Moved | Refused:
    with database.write() as connection:
        return acts.confirm_move(connection, token, origin=FORM, now=NOW)


def _expire(database: Database, now: datetime) -> int:
    with database.write() as connection:
        return pending.expire(connection, LIMITS, now)


def _reader(database: Database, address: str = "Anna@example.org") -> Reader:
    with database.read() as connection:
        return store.reader_at(connection, parse_address(address).folded, _hash(address))


def _mailable(database: Database, now: datetime = NOW) -> list[str]:
    with database.read() as connection:
        return [row.address for row in connection.execute(store.mailable("daily", now))]


def _hash(address: str = "Anna@example.org") -> str:
    return address_hash(SECRET, parse_address(address).folded)


def _names(readers: tuple[Reader, ...]) -> list[str]:
    return [reader.subscriber.folded.partition("@")[0] for reader in readers if reader.subscriber]


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _half_moved(database: Database) -> None:
    _on_the_list(database)
    _ask_move(database, "new@example.org")
    assert _confirm_move(database, "old") == Moved(change=None)


def _at_the_new_address() -> Subscriber:
    new = "new@example.org"
    return replace(_somebody(), address=new, folded=new, address_hash=_hash(new))


def _somebody() -> Subscriber:
    return Subscriber(
        id=1,
        address="anna@EXAMPLE.org",
        folded="anna@example.org",
        address_hash=_hash(),
        state=SubscriberState.PENDING,
        language="en",
        created_at=NOW,
    )


def _meanwhile(
    url: str,
    first: Callable[[Connection], None],
    second: Callable[[Database], Answer],
    prepare: Callable[[Database], object] = lambda database: None,
) -> tuple[Database, Answer]:
    """Let `second` begin while `first` is not committed, commit when it waits, and return its answer."""
    database = open_database(url)
    with database.write() as connection:
        metadata.create_all(connection)
    prepare(database)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            first(connection)
            answer = pool.submit(second, database)
            while not _somebody_waits(database):
                assert not answer.done(), answer.exception()
        return database, answer.result()


def _somebody_waits(database: Database) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.read() as connection:
        return int(connection.execute(waiting).scalar_one()) > 0
