"""Readers unsubscribe, undo it, pause, choose and change their address by signed links."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from subscribers.address import parse_address
from subscribers.errors import ChoiceError
from subscribers.model import (
    ConsentAction,
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
from subscribers.rules.decisions import (
    TO_CONFIRM,
    Change,
    Confirmation,
    Purpose,
    Refused,
    SignupLimits,
    SubscriptionRequest,
    applied,
)
from subscribers.rules.moving import Move, Moved, MoveRequest, ask_move, confirm_move
from subscribers.rules.preferences import choose, pause, resume
from subscribers.rules.unsubscribe import undo_unsubscribe, unsubscribe

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LIMITS = SignupLimits()
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
    change = unsubscribe(READER, "daily", origin=LINK, now=LATER, reason="too many")
    after = _apply(READER, change)
    assert (after.reads("daily"), after.reads("weekend")) == (False, True)
    assert change is not None
    assert change.void_links == TO_CONFIRM
    assert change.consent is not None
    assert change.consent.act is ConsentAction.LEFT
    assert change.consent.detail == {"digests": ["daily"], "reason": "too many"}


def test_leaving_the_last_digest_is_leaving() -> None:
    after = _unsubscribe(_unsubscribe(READER, "daily"), "weekend")
    assert after.subscriber is not None
    assert (after.subscriber.state, after.subscriber.left_at) == (SubscriberState.UNSUBSCRIBED, LATER)


def test_leaving_all_ends_every_digest() -> None:
    after = _unsubscribe(READER)
    assert {each.state for each in after.subscriptions} == {SubscriptionState.UNSUBSCRIBED}


@pytest.mark.parametrize("digest", ["daily", None])
def test_leaving_twice_is_leaving_once_but_links_on_their_way_die(digest: str | None) -> None:
    unsubscribed = _unsubscribe(READER, digest)
    again = unsubscribe(unsubscribed, digest, origin=LINK, now=LATER + timedelta(hours=1))
    assert again == Change(subscriber=_subscriber(unsubscribed), void_links=TO_CONFIRM)


def test_an_unknown_reader_cannot_unsubscribe() -> None:
    assert unsubscribe(Reader(), "daily", origin=LINK, now=NOW) is None


def test_an_unconfirmed_reader_can_unsubscribe_too() -> None:
    assert _subscriber(_unsubscribe(PENDING)).state is SubscriberState.UNSUBSCRIBED
    assert unsubscribe(PENDING, "daily", origin=LINK, now=NOW) == Change(
        subscriber=_subscriber(PENDING), void_links=TO_CONFIRM
    )


# ── taking it back ──────────────────────────────────────────────────────────────────────────


def test_an_unsubscribe_request_can_be_undone_for_a_day() -> None:
    paused = _apply(READER, pause(READER, NOW + timedelta(days=9), limits=LIMITS, origin=LINK, now=NOW))
    back = _undo_unsubscribe(_unsubscribe(paused), None, LATER + LIMITS.undo - timedelta(seconds=1))
    assert back is not None
    after = _apply(_unsubscribe(paused), back)
    assert (after.reads("daily"), after.reads("weekend")) == (True, True)
    assert after.subscriptions[0].paused_until == NOW + timedelta(days=9)
    assert _subscriber(after).left_at is None


def test_after_a_day_it_is_too_late() -> None:
    assert _undo_unsubscribe(_unsubscribe(READER), None, LATER + LIMITS.undo) is None


def test_a_single_digest_can_be_restored() -> None:
    unsubscribed = _unsubscribe(READER)
    after = _apply(unsubscribed, _undo_unsubscribe(unsubscribed, "daily", LATER))
    assert (after.reads("daily"), after.reads("weekend")) == (True, False)


def test_undoing_everything_restores_only_digests_that_ended_together() -> None:
    first = _apply(READER, unsubscribe(READER, "weekend", origin=LINK, now=NOW))
    unsubscribed = _unsubscribe(first)
    after = _apply(unsubscribed, _undo_unsubscribe(unsubscribed, None, LATER))
    assert (after.reads("daily"), after.reads("weekend")) == (True, False)


def test_an_operator_s_removal_cannot_be_undone_by_link() -> None:
    removed = _apply(READER, unsubscribe(READER, origin=LINK, now=LATER, by_operator=True))
    assert _undo_unsubscribe(removed, "daily", LATER) is None
    assert _undo_unsubscribe(removed, None, LATER) is None


def test_an_operator_can_remove_a_reader_who_has_unsubscribed() -> None:
    unsubscribed = _unsubscribe(READER)
    change = unsubscribe(unsubscribed, origin=LINK, now=LATER, by_operator=True)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is ConsentAction.REMOVED
    assert _undo_unsubscribe(_apply(unsubscribed, change), "daily", LATER) is None


def test_unconfirmed_suppressed_and_unknown_readers_cannot_be_restored() -> None:
    never = replace(
        _unsubscribe(READER), subscriber=replace(_subscriber(_unsubscribe(READER)), confirmed_at=None)
    )
    for reader in (never, replace(_unsubscribe(READER), suppression=SUPPRESSED.suppression), Reader()):
        assert _undo_unsubscribe(reader, "daily", LATER) is None


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


def test_an_unsubscribed_reader_has_nothing_to_pause() -> None:
    for reader in (_unsubscribe(READER), Reader()):
        assert pause(reader, LATER + timedelta(days=1), limits=LIMITS, origin=LINK, now=LATER) is None


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=367)])
def test_a_pause_ends_within_a_year_to_come(until: datetime) -> None:
    with pytest.raises(ChoiceError) as refusal:
        pause(READER, until, limits=LIMITS, origin=LINK, now=NOW)
    assert refusal.value.field == "paused_until"


# ── choosing ────────────────────────────────────────────────────────────────────────────────


def test_preferences_change_for_one_digest_and_the_pause_stays() -> None:
    paused = _apply(READER, pause(READER, NOW + timedelta(days=9), limits=LIMITS, origin=LINK, now=NOW))
    requested = SubscriptionRequest(
        digest="daily", preferences=Preferences.parse(topics="climate", hour="06:00")
    )
    change = choose(paused, (requested,), format=Format.TEXT, language="de", origin=LINK, now=LATER)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is ConsentAction.CHANGED
    assert (change.subscriber.format, change.subscriber.language) == (Format.TEXT, "de")
    assert [(each.digest, each.preferences, each.paused_until) for each in change.subscriptions] == [
        ("daily", requested.preferences, NOW + timedelta(days=9))
    ]


def test_saving_the_same_preferences_changes_nothing() -> None:
    assert choose(READER, (SubscriptionRequest(digest="daily"),), origin=LINK, now=LATER) is None


def test_a_reader_can_add_a_digest_or_take_one_up_again() -> None:
    reader = _unsubscribe(READER, "weekend")
    change = choose(
        reader,
        (SubscriptionRequest(digest="weekend"), SubscriptionRequest(digest="monthly")),
        origin=LINK,
        now=LATER,
    )
    after = _apply(reader, change)
    assert (after.reads("weekend"), after.reads("monthly")) == (True, True)
    assert change is not None
    assert change.consent is not None
    assert change.consent.act is ConsentAction.SUBSCRIBED


def test_an_old_link_to_the_preferences_brings_nobody_back() -> None:
    for reader in (_unsubscribe(READER), SUPPRESSED, PENDING, Reader()):
        assert choose(reader, (SubscriptionRequest(digest="monthly"),), origin=LINK, now=LATER) is None


def test_a_subscription_that_an_operator_ended_cannot_be_chosen_again() -> None:
    removed = _apply(READER, unsubscribe(READER, "daily", origin=LINK, now=LATER, by_operator=True))
    with pytest.raises(ChoiceError) as refusal:
        choose(removed, (SubscriptionRequest(digest="daily"),), origin=LINK, now=LATER)
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


def test_both_addresses_are_asked_whoever_has_the_new_one() -> None:
    other = replace(READER, subscriber=replace(ANNA, id=8))
    for taken_by in (Reader(), other, _unsubscribe(other), SUPPRESSED):
        move = _ask_move(READER, taken_by)
        assert move.to_old
        assert move.to_new
        assert move.withheld is (taken_by is SUPPRESSED)


def test_an_unconfirmed_sign_up_does_not_reserve_an_address() -> None:
    squatter = replace(PENDING, subscriber=replace(ANNA, id=8, state=SubscriberState.PENDING))
    assert _ask_move(READER, squatter).to_new is not None


def test_a_reader_may_change_the_spelling_of_the_address() -> None:
    assert _ask_move(READER, READER).to_new is not None


def test_only_an_active_reader_moves() -> None:
    for reader in (_unsubscribe(READER), SUPPRESSED, PENDING, Reader()):
        assert _ask_move(reader, Reader()) == Move()


def test_a_change_of_address_is_refused_if_used_expired_or_incomplete() -> None:
    move = _ask_move(READER, Reader())
    old, new = _link(move.to_old), _link(move.to_new)
    used = replace(new, used_at=NOW)
    assert _confirm_move(replace(old, used_at=NOW), new) == Refused(reason="used")
    assert _confirm_move(old, None) == Refused(reason="used")
    assert _confirm_move(old, new, reader=_unsubscribe(READER)) == Refused(reason="used")
    assert _confirm_move(old, new, reader=Reader()) == Refused(reason="used")
    assert _confirm_move(old, used, taken_by=SUPPRESSED) == Refused(reason="used")
    assert _confirm_move(old, new, taken_by=SUPPRESSED) == Moved(change=None), "tells nothing about the new"
    assert _confirm_move(old, new, now=NOW + LIMITS.link_life) == Refused(reason="expired")


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _unsubscribe(reader: Reader, digest: str | None = None) -> Reader:
    return _apply(reader, unsubscribe(reader, digest, origin=LINK, now=LATER))


def _undo_unsubscribe(reader: Reader, digest: str | None, now: datetime) -> Change | None:
    return undo_unsubscribe(reader, digest, limits=LIMITS, origin=LINK, now=now)


def _ask_move(reader: Reader, taken_by: Reader) -> Move:
    request = MoveRequest(address=NEW, address_hash="new hash", origin=LINK)
    return ask_move(reader, request, taken_by, limits=LIMITS, now=NOW)


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
