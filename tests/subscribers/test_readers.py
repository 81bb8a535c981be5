"""What readers do by signed link: leave, take it back, pause, choose, move to another address."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from subscribers.address import parse_address
from subscribers.changes import choose, pause, resume
from subscribers.decisions import Change, Confirmation, Limits, Purpose, Refused, Wish, applied
from subscribers.errors import ChoiceError
from subscribers.leaving import come_back, leave
from subscribers.model import (
    Act,
    Format,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.moving import Move, Moved, ask_move, confirm_move

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LIMITS = Limits()
LINK = Origin(source="link")
ANNA = Subscriber(
    id=7,
    address="anna@example.org",
    folded="anna@example.org",
    address_hash="hash of Anna",
    state=SubscriberState.ACTIVE,
    language="en",
    created_at=NOW,
    confirmed_at=NOW,
)
READER = Reader(
    subscriber=ANNA,
    subscriptions=tuple(
        Subscription(digest=digest, state=SubscriptionState.ACTIVE, changed_at=NOW)
        for digest in ("daily", "weekend")
    ),
)
PENDING = Reader(subscriber=replace(ANNA, state=SubscriberState.PENDING, confirmed_at=None))
SUPPRESSED = replace(
    READER,
    suppression=Suppression(address_hash="hash of Anna", reason=SuppressionReason.COMPLAINT, at=NOW),
)
NEW = parse_address("anna@example.com")


# ── leaving ─────────────────────────────────────────────────────────────────────────────────


def test_leaving_one_digest_keeps_the_others() -> None:
    change = leave(READER, "daily", origin=LINK, now=LATER, reason="too many")
    after = _apply(READER, change)
    assert (after.reads("daily"), after.reads("weekend")) == (False, True)
    assert change is not None
    assert change.void_links
    assert change.consent is not None
    assert change.consent.act is Act.LEFT
    assert change.consent.detail == {"digests": ["daily"], "reason": "too many"}


def test_leaving_the_last_digest_is_leaving() -> None:
    after = _leave(_leave(READER, "daily"), "weekend")
    assert after.subscriber is not None
    assert (after.subscriber.state, after.subscriber.left_at) == (SubscriberState.UNSUBSCRIBED, LATER)


def test_leaving_all_ends_every_digest() -> None:
    after = _leave(READER)
    assert {each.state for each in after.subscriptions} == {SubscriptionState.UNSUBSCRIBED}


@pytest.mark.parametrize("digest", ["daily", None])
def test_leaving_twice_is_leaving_once_but_links_on_their_way_die(digest: str | None) -> None:
    left = _leave(READER, digest)
    again = leave(left, digest, origin=LINK, now=LATER + timedelta(hours=1))
    assert again == Change(subscriber=_subscriber(left), void_links=True)


def test_who_is_not_on_the_list_cannot_leave_it() -> None:
    assert leave(Reader(), "daily", origin=LINK, now=NOW) is None


def test_who_has_not_confirmed_can_say_goodbye_all_the_same() -> None:
    assert _subscriber(_leave(PENDING)).state is SubscriberState.UNSUBSCRIBED
    assert leave(PENDING, "daily", origin=LINK, now=NOW) == Change(
        subscriber=_subscriber(PENDING), void_links=True
    )


# ── taking it back ──────────────────────────────────────────────────────────────────────────


def test_a_slip_can_be_taken_back_for_a_day_with_everything_as_it_was() -> None:
    paused = _apply(READER, pause(READER, NOW + timedelta(days=9), limits=LIMITS, origin=LINK, now=NOW))
    back = _come_back(_leave(paused), None, LATER + LIMITS.undo - timedelta(seconds=1))
    assert back is not None
    after = _apply(_leave(paused), back)
    assert (after.reads("daily"), after.reads("weekend")) == (True, True)
    assert after.subscriptions[0].paused_until == NOW + timedelta(days=9)
    assert _subscriber(after).left_at is None


def test_after_a_day_it_is_too_late() -> None:
    assert _come_back(_leave(READER), None, LATER + LIMITS.undo) is None


def test_one_digest_can_be_taken_back_alone() -> None:
    left = _leave(READER)
    after = _apply(left, _come_back(left, "daily", LATER))
    assert (after.reads("daily"), after.reads("weekend")) == (True, False)


def test_taking_all_back_gives_only_what_ended_in_that_moment() -> None:
    first = _apply(READER, leave(READER, "weekend", origin=LINK, now=NOW))
    left = _leave(first)
    after = _apply(left, _come_back(left, None, LATER))
    assert (after.reads("daily"), after.reads("weekend")) == (True, False)


def test_what_an_operator_ended_cannot_be_taken_back_by_link() -> None:
    removed = _apply(READER, leave(READER, origin=LINK, now=LATER, by_operator=True))
    assert _come_back(removed, "daily", LATER) is None
    assert _come_back(removed, None, LATER) is None


def test_an_operator_can_end_for_good_what_the_reader_ended_before() -> None:
    left = _leave(READER)
    change = leave(left, origin=LINK, now=LATER, by_operator=True)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is Act.REMOVED
    assert _come_back(_apply(left, change), "daily", LATER) is None


def test_nothing_brings_back_who_never_confirmed_is_suppressed_or_unknown() -> None:
    never = replace(_leave(READER), subscriber=replace(_subscriber(_leave(READER)), confirmed_at=None))
    for reader in (never, replace(_leave(READER), suppression=SUPPRESSED.suppression), Reader()):
        assert _come_back(reader, "daily", LATER) is None


# ── pausing ─────────────────────────────────────────────────────────────────────────────────


def test_a_pause_holds_for_all_digests_or_one_and_can_end_early() -> None:
    until = NOW + timedelta(days=14)
    paused = _apply(READER, pause(READER, until, limits=LIMITS, origin=LINK, now=NOW))
    assert [each.paused_until for each in paused.subscriptions] == [until, until]
    one = _apply(READER, pause(READER, until, "weekend", limits=LIMITS, origin=LINK, now=NOW))
    assert [each.paused_until for each in one.subscriptions] == [None, until]
    resumed = _apply(paused, resume(paused, "daily", origin=LINK, now=LATER))
    assert {each.digest: each.paused_until for each in resumed.subscriptions} == {
        "daily": None,
        "weekend": until,
    }


def test_pausing_to_the_same_day_again_changes_nothing() -> None:
    until = NOW + timedelta(days=14)
    paused = _apply(READER, pause(READER, until, limits=LIMITS, origin=LINK, now=NOW))
    assert pause(paused, until, limits=LIMITS, origin=LINK, now=NOW) is None
    assert resume(READER, origin=LINK, now=NOW) is None


def test_who_left_has_nothing_to_pause() -> None:
    for reader in (_leave(READER), Reader()):
        assert pause(reader, LATER + timedelta(days=1), limits=LIMITS, origin=LINK, now=LATER) is None


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=367)])
def test_a_pause_ends_within_a_year_to_come(until: datetime) -> None:
    with pytest.raises(ChoiceError) as refusal:
        pause(READER, until, limits=LIMITS, origin=LINK, now=NOW)
    assert refusal.value.field == "paused_until"


# ── choosing ────────────────────────────────────────────────────────────────────────────────


def test_preferences_change_for_one_digest_and_the_pause_stays() -> None:
    paused = _apply(READER, pause(READER, NOW + timedelta(days=9), limits=LIMITS, origin=LINK, now=NOW))
    wish = Wish(digest="daily", preferences=Preferences.parse(topics="climate", hour="06:00"))
    change = choose(paused, (wish,), format=Format.TEXT, language="de", origin=LINK, now=LATER)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is Act.CHANGED
    assert (change.subscriber.format, change.subscriber.language) == (Format.TEXT, "de")
    assert [(each.digest, each.preferences, each.paused_until) for each in change.subscriptions] == [
        ("daily", wish.preferences, NOW + timedelta(days=9))
    ]


def test_saving_what_was_there_changes_nothing() -> None:
    assert choose(READER, (Wish(digest="daily"),), origin=LINK, now=LATER) is None


def test_a_reader_can_add_a_digest_or_take_one_up_again() -> None:
    reader = _leave(READER, "weekend")
    change = choose(reader, (Wish(digest="weekend"), Wish(digest="monthly")), origin=LINK, now=LATER)
    after = _apply(reader, change)
    assert (after.reads("weekend"), after.reads("monthly")) == (True, True)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is Act.SUBSCRIBED


def test_an_old_link_to_the_preferences_brings_nobody_back() -> None:
    for reader in (_leave(READER), SUPPRESSED, PENDING, Reader()):
        assert choose(reader, (Wish(digest="monthly"),), origin=LINK, now=LATER) is None


def test_what_an_operator_ended_cannot_be_chosen_again() -> None:
    removed = _apply(READER, leave(READER, "daily", origin=LINK, now=LATER, by_operator=True))
    with pytest.raises(ChoiceError) as refusal:
        choose(removed, (Wish(digest="daily"),), origin=LINK, now=LATER)
    assert refusal.value.field == "digest"


# ── moving ──────────────────────────────────────────────────────────────────────────────────


def test_a_move_is_confirmed_at_both_ends_in_either_order() -> None:
    move = _ask_move(READER, Reader())
    ends = (_link(move.to_old), _link(move.to_new))
    assert [end.purpose for end in ends] == [Purpose.OLD_ADDRESS, Purpose.NEW_ADDRESS]
    for first, second in (ends, ends[::-1]):
        assert _confirm_move(first, second) == Moved(change=None)
        done = _confirm_move(second, replace(first, used_at=NOW))
        assert isinstance(done, Moved)
        after = _apply(READER, done.change)
        assert (_subscriber(after).id, _subscriber(after).address) == (7, "anna@example.com")
        assert after.reads("daily")


def test_a_taken_or_suppressed_new_address_gets_no_mail_and_the_old_one_does() -> None:
    other = replace(READER, subscriber=replace(ANNA, id=8))
    for taken_by in (other, SUPPRESSED):
        move = _ask_move(READER, taken_by)
        assert (move.to_old is not None, move.to_new) == (True, None)


def test_a_sign_up_nobody_confirmed_does_not_hold_an_address() -> None:
    squatter = replace(PENDING, subscriber=replace(ANNA, id=8, state=SubscriberState.PENDING))
    assert _ask_move(READER, squatter).to_new is not None


def test_an_own_address_may_be_written_anew() -> None:
    assert _ask_move(READER, READER).to_new is not None


def test_only_an_active_reader_moves_and_not_too_often() -> None:
    for reader in (_leave(READER), SUPPRESSED, PENDING, Reader()):
        assert _ask_move(reader, Reader()) == Move()
    assert _ask_move(READER, Reader(), attempts=LIMITS.mails + 1) == Move()


def test_a_move_is_off_when_it_was_used_expired_alone_or_overtaken() -> None:
    move = _ask_move(READER, Reader())
    old, new = _link(move.to_old), _link(move.to_new)
    other = replace(READER, subscriber=replace(ANNA, id=8))
    assert _confirm_move(replace(old, used_at=NOW), new) == Refused(reason="used")
    assert _confirm_move(old, None) == Refused(reason="used")
    assert _confirm_move(old, new, reader=_leave(READER)) == Refused(reason="used")
    assert _confirm_move(old, new, reader=Reader()) == Refused(reason="used")
    assert _confirm_move(old, new, taken_by=other) == Refused(reason="used")
    assert _confirm_move(old, new, now=NOW + LIMITS.link_life) == Refused(reason="expired")


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _leave(reader: Reader, digest: str | None = None) -> Reader:
    return _apply(reader, leave(reader, digest, origin=LINK, now=LATER))


def _come_back(reader: Reader, digest: str | None, now: datetime) -> Change | None:
    return come_back(reader, digest, limits=LIMITS, origin=LINK, now=now)


def _ask_move(reader: Reader, taken_by: Reader, attempts: int = 1) -> Move:
    return ask_move(
        reader, NEW, taken_by, new_hash="new hash", attempts=attempts, limits=LIMITS, origin=LINK, now=NOW
    )


def _confirm_move(
    link: Confirmation,
    other: Confirmation | None,
    *,
    reader: Reader = READER,
    taken_by: Reader | None = None,
    now: datetime = LATER,
) -> Moved | Refused:
    return confirm_move(link, other, reader, taken_by or Reader(), origin=LINK, now=now)


def _apply(reader: Reader, change: Change | None) -> Reader:
    assert change is not None
    return applied(reader, change)


def _subscriber(reader: Reader) -> Subscriber:
    assert reader.subscriber is not None
    return reader.subscriber


def _link(confirmation: Confirmation | None) -> Confirmation:
    assert confirmation is not None
    return confirmation
