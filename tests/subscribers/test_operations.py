"""The operations on the list, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from digest.storage.database import Database
from subscribers.model import (
    ConsentAction,
    Format,
    Frequency,
    Reader,
    SubscriberState,
    SuppressionReason,
)
from subscribers.rules.decisions import Change, Refused
from subscribers.rules.moving import Move, Moved
from subscribers.rules.signup import Confirmed, Signup
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store import moving, operations, readers, writing
from subscribers.store.confirmations import count_attempt
from subscribers.store.tables import (
    attempts,
    confirmations,
    consents,
    notices,
    subscribers,
    subscriptions,
    suppressions,
)
from tests.subscribers.actions import (
    DAILY,
    FORM,
    LIMITS,
    NOW,
    SECRET,
    ask_move,
    confirm_link,
    confirm_move,
    count_of,
    expire_by,
    fresh_link,
    hash_of,
    mailable_now,
    move_request,
    names_of,
    on_the_list,
    reader_of_address,
    sign_up,
)


def test_from_the_box_to_the_list(database: Database) -> None:
    assert sign_up(database, "token").confirm
    assert mailable_now(database) == []
    confirmed = confirm_link(database, "token")
    assert isinstance(confirmed, Confirmed)
    assert mailable_now(database) == ["Anna@example.org"]
    reader = reader_of_address(database)
    assert reader.subscriptions[0].preferences == DAILY.preferences
    assert reader.subscriber is not None
    assert (reader.subscriber.language, reader.subscriber.format) == ("de", Format.TEXT)
    with database.read() as connection:
        consents_kept = readers.history(connection, reader.subscriber.id)
    assert [(each.act, each.at, each.origin) for each in consents_kept] == [
        (ConsentAction.SIGNED_UP, NOW, FORM),
        (ConsentAction.CONFIRMED, NOW, FORM),
    ]
    assert consents_kept[0].detail["wishes"][0]["topics"] == "-sport"


def test_confirming_twice_is_confirming_once(database: Database) -> None:
    sign_up(database, "token")
    confirm_link(database, "token")
    again = confirm_link(database, "token")
    assert isinstance(again, Confirmed)
    assert again.change is None


def test_an_unknown_link_or_one_for_something_else_confirms_nothing(database: Database) -> None:
    on_the_list(database)
    ask_move(database, "new@example.org")
    assert confirm_link(database, "no such token") == Refused(reason="expired")
    assert confirm_link(database, "old") == Refused(reason="expired")
    assert fresh_link(database, "old") == Signup()
    assert confirm_move(database, "token") == Refused(reason="expired")
    assert confirm_move(database, "no such token") == Refused(reason="expired")


def test_sign_ups_beyond_the_limit_write_nothing_but_a_count(database: Database) -> None:
    answers = [sign_up(database, f"token {number}").confirm for number in range(10)]
    assert answers == [True] * LIMITS.notices.each + [False] * (10 - LIMITS.notices.each)
    with database.read() as connection:
        assert count_of(connection, confirmations) == LIMITS.notices.each
        assert count_of(connection, consents) == LIMITS.notices.each
        assert count_of(connection, notices) == LIMITS.notices.each
    assert sign_up(database, "the day after", now=NOW + LIMITS.notices.window).confirm


def test_a_count_starts_again_when_its_window_is_over(database: Database) -> None:
    window = timedelta(hours=1)
    with database.write() as connection:
        for minutes, count in ((0, 1), (59, 2), (60, 1), (61, 2)):
            now = NOW + timedelta(minutes=minutes)
            assert count_attempt(connection, "client:hash", window=window, now=now) == count


def test_a_suppressed_address_is_not_even_kept_as_pending(database: Database) -> None:
    with database.write() as connection:
        writing.suppress(connection, hash_of(), SuppressionReason.COMPLAINT, NOW)
    assert not sign_up(database, "token").confirm
    assert reader_of_address(database).subscriber is None


def test_an_erased_reader_leaves_only_a_keyed_hash(database: Database) -> None:
    subscriber = on_the_list(database)
    with database.write() as connection:
        assert operations.erase(connection, subscriber.id, NOW)
        assert not operations.erase(connection, subscriber.id, NOW)
    with database.read() as connection:
        assert [
            count_of(connection, each) for each in (subscribers, subscriptions, consents, confirmations)
        ] == [0] * 4
        kept = connection.execute(select(suppressions)).one()
    assert (kept.address_hash, kept.reason, kept.note) == (hash_of(), "erased", "")


def test_an_erased_reader_can_sign_up_and_confirm_again(database: Database) -> None:
    subscriber = on_the_list(database)
    with database.write() as connection:
        operations.erase(connection, subscriber.id, NOW)
    sign_up(database, "again")
    assert mailable_now(database) == []
    confirm_link(database, "again")
    assert mailable_now(database) == ["Anna@example.org"]


def test_a_fresh_link_confirms_where_the_first_has_expired(database: Database) -> None:
    sign_up(database, "token")
    later = NOW + timedelta(days=4)
    assert confirm_link(database, "token", now=later) == Refused(reason="expired")
    assert fresh_link(database, "token", now=later).confirm
    assert isinstance(confirm_link(database, "fresh", now=later), Confirmed)
    assert fresh_link(database, "no such token") == Signup()


def test_leaving_makes_a_link_on_its_way_void(database: Database) -> None:
    subscriber = on_the_list(database)
    sign_up(database, "on its way")
    with database.write() as connection:
        operations.change_reader(
            connection, subscriber.id, lambda reader: unsubscribe(reader, "daily", origin=FORM, now=NOW), NOW
        )
    assert confirm_link(database, "on its way") == Refused(reason="used")
    assert fresh_link(database, "on its way") == Signup()
    assert mailable_now(database) == []


def test_suppressing_makes_a_link_on_its_way_void_even_when_it_is_lifted(database: Database) -> None:
    sign_up(database, "on its way")
    with database.write() as connection:
        writing.suppress(connection, hash_of(), SuppressionReason.OPERATOR, NOW)
        assert writing.unsuppress(connection, hash_of())
        assert not writing.unsuppress(connection, hash_of())
    assert confirm_link(database, "on its way") == Refused(reason="used")


def test_a_decision_that_changes_nothing_writes_nothing(database: Database) -> None:
    subscriber = on_the_list(database)
    with database.write() as connection:
        before = count_of(connection, consents)
        assert operations.change_reader(connection, subscriber.id, lambda reader: None, NOW) is None
        assert (
            operations.change_reader(
                connection, 404, lambda reader: unsubscribe(reader, origin=FORM, now=NOW), NOW
            )
            is None
        )
        assert count_of(connection, consents) == before


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
            writing.suppress(connection, "hash", given, NOW, note=f"because of {given}")
            suppression = readers.read_suppressions(connection, ["hash"])["hash"]
            assert (suppression.reason, suppression.note) == (kept, f"because of {kept}")


# ── moving ──────────────────────────────────────────────────────────────────────────────────


def test_a_reader_moves_with_everything_when_both_ends_agree(database: Database) -> None:
    subscriber = on_the_list(database)
    assert ask_move(database, "new@example.org").to_new is not None
    assert confirm_move(database, "new") == Moved(change=None)
    assert mailable_now(database) == ["Anna@example.org"]
    assert isinstance(confirm_move(database, "old"), Moved)
    assert mailable_now(database) == ["new@example.org"]
    assert confirm_move(database, "old") == Refused(reason="used")
    moved = reader_of_address(database, "new@example.org").subscriber
    assert moved is not None
    assert (moved.id, moved.address_hash) == (subscriber.id, hash_of("new@example.org"))


def test_an_unconfirmed_sign_up_does_not_prevent_a_change_of_address(database: Database) -> None:
    on_the_list(database)
    sign_up(database, "squatter", address="new@example.org")
    ask_move(database, "new@example.org")
    confirm_move(database, "old")
    confirm_move(database, "new")
    assert mailable_now(database) == ["new@example.org"]


def test_a_second_change_of_address_makes_the_first_void(database: Database) -> None:
    on_the_list(database)
    ask_move(database, "first@example.org")
    ask_move(database, "second@example.org", names=("old 2", "new 2"))
    assert confirm_move(database, "old") == Refused(reason="used")
    assert confirm_move(database, "old 2") == Moved(change=None)


def test_an_address_that_is_taken_is_asked_like_any_other_and_its_owner_keeps_all_choices(
    database: Database,
) -> None:
    mover = on_the_list(database)
    sign_up(database, "ben", address="ben@example.org")
    confirm_link(database, "ben")
    holder = reader_of_address(database, "ben@example.org")
    assert holder.subscriber is not None
    weekly = replace(holder.subscriptions[0].preferences, frequency=Frequency.WEEKLY)
    kept = replace(holder.subscriptions[0], preferences=weekly)
    with database.write() as connection:
        writing.write_change(connection, Change(subscriber=holder.subscriber, subscriptions=(kept,)), NOW)
    move = ask_move(database, "ben@example.org")
    assert move.to_old
    assert move.to_new
    assert confirm_move(database, "old") == Moved(change=None)
    assert mailable_now(database) == ["Anna@example.org", "ben@example.org"]
    assert isinstance(confirm_move(database, "new"), Moved)
    assert mailable_now(database) == ["ben@example.org"]
    joined = reader_of_address(database, "ben@example.org")
    assert joined.subscriber is not None
    assert joined.subscriber.id == mover.id
    assert joined.subscriptions == (kept,)
    with database.read() as connection:
        assert readers.reader_of(connection, holder.subscriber.id) == joined, "earlier links still work"
        acts = [each.act for each in readers.history(connection, mover.id)]
    assert acts.count(ConsentAction.CONFIRMED) == 2


def test_the_old_address_learns_nothing_about_an_address_that_must_not_be_mailed(database: Database) -> None:
    on_the_list(database)
    with database.write() as connection:
        writing.suppress(connection, hash_of("ben@example.org"), SuppressionReason.COMPLAINT, NOW)
    assert ask_move(database, "ben@example.org").withheld
    assert confirm_move(database, "old") == Moved(change=None)
    assert confirm_move(database, "new") == Refused(reason="used")
    assert mailable_now(database) == ["Anna@example.org"]


def test_an_address_that_unsubscribed_is_used_again_when_its_owner_confirms(database: Database) -> None:
    sign_up(database, "ben", address="ben@example.org")
    confirm_link(database, "ben")
    holder = reader_of_address(database, "ben@example.org").subscriber
    assert holder is not None
    on_the_list(database)
    with database.write() as connection:
        operations.change_reader(
            connection, holder.id, lambda reader: unsubscribe(reader, origin=FORM, now=NOW), NOW
        )
    ask_move(database, "ben@example.org")
    confirm_move(database, "new")
    confirm_move(database, "old")
    assert mailable_now(database) == ["ben@example.org"]


@pytest.mark.parametrize("count", [30])
def test_a_reader_causes_few_notices_however_many_addresses_are_asked_for(
    database: Database, count: int
) -> None:
    on_the_list(database)
    for number in range(count):
        ask_move(database, f"new{number}@example.org")
    with database.read() as connection:
        assert count_of(connection, notices) <= LIMITS.notices.all + 1  # the welcome is not refused


def test_an_unknown_reader_cannot_change_the_address(database: Database) -> None:
    with database.write() as connection:
        request = move_request("new@example.org")
        moved = moving.ask_move(connection, 404, request, secret=SECRET, limits=LIMITS, now=NOW)
    assert moved == Move()


# ── time ────────────────────────────────────────────────────────────────────────────────────


def test_an_unconfirmed_sign_up_is_erased_with_its_links(database: Database) -> None:
    on_the_list(database)
    sign_up(database, "ben", address="ben@example.org")
    last = NOW + LIMITS.link_life + LIMITS.grace
    assert expire_by(database, last - timedelta(seconds=1)) == 0
    assert expire_by(database, last) == 1
    with database.read() as connection:
        assert count_of(connection, confirmations) == 0
        assert count_of(connection, attempts) == 0
    assert mailable_now(database) == ["Anna@example.org"]
    assert reader_of_address(database, "ben@example.org") == Reader()


def test_a_fresh_link_keeps_a_pending_sign_up_alive(database: Database) -> None:
    sign_up(database, "token")
    later = NOW + LIMITS.link_life
    fresh_link(database, "token", now=later)
    assert expire_by(database, NOW + LIMITS.link_life + LIMITS.grace) == 0
    assert expire_by(database, later + LIMITS.link_life + LIMITS.grace) == 1


# ── looking ─────────────────────────────────────────────────────────────────────────────────


def test_readers_are_listed_in_pages_by_digest_state_and_beginning(database: Database) -> None:
    for name in ("anna", "anton", "ben", "a%c"):
        sign_up(database, name, address=f"{name}@example.org")
    for name in ("anna", "ben"):
        confirm_link(database, name)
    with database.read() as connection:
        look = partial(readers.list_readers, connection)
        assert names_of(look()) == ["anna", "anton", "ben", "a%c"]
        assert names_of(look(prefix="AN")) == ["anna", "anton"]
        assert names_of(look(prefix="a%")) == ["a%c"]
        assert names_of(look(digest="daily")) == ["anna", "ben"]
        assert names_of(look(state=SubscriberState.PENDING)) == ["anton", "a%c"]
        third = look(limit=3)[-1].subscriber
        assert third is not None
        assert names_of(look(after=third.id)) == ["a%c"]
