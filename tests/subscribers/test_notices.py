"""Notices are limited by mailbox and reader, and a queued notice is sent only while it makes sense."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from digest.storage.database import Database
from subscribers.model import SubscriberState, Suppression, SuppressionReason
from subscribers.rules.decisions import Purpose
from subscribers.rules.moving import Move
from subscribers.rules.notices import (
    NoticeCounts,
    NoticeKind,
    NoticeLimits,
    Standing,
    is_within,
    mailbox_of,
    obstacle,
    stays_suppressed,
)
from subscribers.rules.signup import Signup
from subscribers.rules.unsubscribe import unsubscribe
from subscribers.store import operations, signup, writing
from subscribers.store.notices import forget_strangers
from subscribers.store.tables import confirmations, notices
from subscribers.tokens import notice_token, token_hash
from tests.subscribers.actions import (
    FORM,
    LIMITS,
    NOW,
    SECRET,
    ask_move,
    confirm_link,
    count_of,
    fresh_link,
    hash_of,
    on_the_list,
    reader_of_address,
    sign_up,
)

names = st.text("abcdefghijklmnop0123456789_-", min_size=1, max_size=12)


@given(name=names, tag=names, place=st.integers(0, 12))
def test_tags_and_the_dots_of_gmail_lead_to_one_mailbox(name: str, tag: str, place: int) -> None:
    dotted = f"{name[:place]}.{name[place:]}".strip(".")
    for domain in ("gmail.com", "googlemail.com"):
        assert mailbox_of(f"{dotted}+{tag}@{domain}") == f"{name}@gmail.com"
    assert mailbox_of(f"{name}+{tag}@example.org") == f"{name}@example.org"
    assert mailbox_of(f"{dotted}@example.org") == f"{dotted}@example.org"
    assert mailbox_of(f"+{tag}@example.org") == f"+{tag}@example.org"


def test_one_more_is_allowed_below_both_limits_of_each_count() -> None:
    limits = NoticeLimits(each=3, all=6)
    few, many_of_a_kind, many = NoticeCounts(each=2, all=5), NoticeCounts(each=3), NoticeCounts(all=6)
    assert is_within(limits, few, few)
    for counts in (many_of_a_kind, many):
        assert not is_within(limits, counts)
        assert not is_within(limits, few, counts)


STANDING = Standing(
    kind=NoticeKind.CONFIRMATION,
    expires_at=NOW + timedelta(days=3),
    has_link=True,
    reader=SubscriberState.PENDING,
    suppression=None,
)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_is_sent_while_it_makes_sense(kind: NoticeKind) -> None:
    standing = replace(STANDING, kind=kind, reader=SubscriberState.ACTIVE)
    confirms = kind in (NoticeKind.CONFIRMATION, NoticeKind.NEW_ADDRESS)
    assert obstacle(standing, NOW) == ""
    assert obstacle(standing, standing.expires_at) == "its link has expired"
    for reason in SuppressionReason:
        lifted = reason in (SuppressionReason.ERASED, SuppressionReason.BOUNCE)
        found = obstacle(replace(standing, suppression=reason), NOW)
        assert found == ("" if lifted and confirms else "the address must not be mailed")
        suppression = Suppression(address_hash="hash", reason=reason, at=NOW)
        assert stays_suppressed(suppression) is not lifted
    lost = replace(standing, has_link=False, reader=SubscriberState.UNSUBSCRIBED)
    expected = {
        NoticeKind.WELCOME: "its reader has unsubscribed",
        NoticeKind.STAFF: "",  # the staff are not readers, and their links are signed
    }
    assert obstacle(lost, NOW) == expected.get(kind, "its link has been used or is void")


def ask_data(database: Database, subscriber_id: int) -> None:
    with database.write() as connection:
        operations.ask_data(connection, subscriber_id, secret=SECRET, limits=LIMITS, now=NOW)


def confirm_again(database: Database, address: str = "Anna@example.org") -> Signup:
    folded, key = address.lower(), hash_of(address)
    with database.write() as connection:
        return signup.confirm_again(
            connection, folded, key, secret=SECRET, limits=LIMITS, now=NOW + timedelta(days=4)
        )


def test_a_link_to_the_data_is_queued_within_the_limits_and_kept_as_a_hash(database: Database) -> None:
    subscriber = on_the_list(database)
    for _ in range(9):
        ask_data(database, subscriber.id)
    ask_data(database, 404)
    with database.read() as connection:
        found = connection.execute(select(notices).where(notices.c.kind == NoticeKind.DATA)).all()
        kept = connection.scalars(
            select(confirmations.c.token_hash).where(confirmations.c.purpose == Purpose.DATA)
        ).all()
    assert len(found) == LIMITS.notices.each
    assert {each.expires_at for each in found} == {NOW + LIMITS.data_life}
    assert sorted(kept) == sorted(token_hash(notice_token(SECRET, each.id)) for each in found)


def test_a_link_to_the_data_of_a_suppressed_reader_is_withheld(database: Database) -> None:
    subscriber = on_the_list(database)
    with database.write() as connection:
        writing.suppress(connection, subscriber.address_hash, SuppressionReason.BOUNCE, NOW)
    ask_data(database, subscriber.id)
    with database.read() as connection:
        row = connection.execute(select(notices).where(notices.c.kind == NoticeKind.DATA)).one()
    assert (row.state, row.address, row.due_at) == ("skipped", None, None)


def test_an_operator_repeats_a_confirmation_that_waits_whatever_the_limits_say(database: Database) -> None:
    assert confirm_again(database) == Signup()
    for number in range(LIMITS.notices.each):
        sign_up(database, f"token {number}")
    assert confirm_again(database).confirm
    confirm_link(database, "token 0")
    assert confirm_again(database) == Signup()
    with database.write() as connection:
        writing.suppress(connection, hash_of("ben@example.org"), SuppressionReason.COMPLAINT, NOW)
    assert confirm_again(database, "ben@example.org").withheld


def test_of_a_withheld_sign_up_only_hashes_are_kept_and_only_for_a_while(database: Database) -> None:
    with database.write() as connection:
        writing.suppress(connection, hash_of(), SuppressionReason.OPERATOR, NOW)
    sign_up(database, "token")
    assert reader_of_address(database).subscriber is None
    with database.write() as connection:
        row = connection.execute(select(notices)).one()
        assert (row.address, row.subscriber_id, row.address_hash) == (None, None, hash_of())
        forget_strangers(connection, NOW)
        assert count_of(connection, notices) == 1
        forget_strangers(connection, NOW + LIMITS.link_life)
        assert count_of(connection, notices) == 0


def test_erasing_a_reader_deletes_the_notices_to_the_address_whoever_caused_them(database: Database) -> None:
    on_the_list(database)
    ask_move(database, "ben@example.org")
    sign_up(database, "ben", address="ben@example.org")
    confirm_link(database, "ben")
    ben = reader_of_address(database, "ben@example.org").subscriber
    assert ben is not None
    with database.write() as connection:
        operations.erase(connection, ben.id, NOW)
        left = connection.scalars(select(notices.c.kind).order_by(notices.c.id)).all()
    assert left == ["confirmation", "welcome", "old address"]


def kinds(database: Database) -> list[str]:
    """Return the kinds of all notices, the oldest first."""
    with database.read() as connection:
        return list(connection.scalars(select(notices.c.kind).order_by(notices.c.id)))


def test_a_new_link_is_not_sent_beyond_the_limits(database: Database) -> None:
    for number in range(LIMITS.notices.each):
        sign_up(database, f"token {number}")
    assert fresh_link(database, "token 0") == Signup()
    assert kinds(database) == ["confirmation"] * LIMITS.notices.each


def test_who_confirms_again_what_is_there_already_is_not_welcomed_again(database: Database) -> None:
    on_the_list(database)
    sign_up(database, "again")
    confirm_link(database, "again")
    assert kinds(database) == ["confirmation", "welcome", "confirmation"]


def test_a_reader_who_has_unsubscribed_cannot_ask_for_another_address(database: Database) -> None:
    subscriber = on_the_list(database)
    with database.write() as connection:
        operations.change_reader(
            connection, subscriber.id, lambda reader: unsubscribe(reader, origin=FORM, now=NOW), NOW
        )
    assert ask_move(database, "new@example.org") == Move()
    assert kinds(database) == ["confirmation", "welcome"]


def test_the_old_address_is_asked_even_if_the_new_one_has_had_too_many_notices(database: Database) -> None:
    on_the_list(database)
    for name in ("ben", "cem", "dia"):
        sign_up(database, name, address=f"{name}@example.org")
        confirm_link(database, name)
        ask_move(database, "new@example.org", of=f"{name}@example.org")
    before = kinds(database)
    ask_move(database, "new+tag@example.org")
    assert kinds(database) == [*before, "old address"]
