"""Readers get onto the list by their own confirmation, or by an operator's import."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from subscribers.address import parse_address
from subscribers.errors import ChoiceError
from subscribers.model import (
    Choice,
    ConsentAction,
    Format,
    Frequency,
    Origin,
    Preferences,
    Reader,
    SubscriberState,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.rules.decisions import (
    TO_CONFIRM,
    Change,
    Confirmation,
    Purpose,
    SignupLimits,
    SubscriptionRequest,
    applied,
)
from subscribers.rules.imports import Admission, EntryState, ImportedReader, ImportOutcome, ImportTerms, admit
from subscribers.rules.signup import (
    Confirmed,
    Signup,
    SignupRequest,
    check_requests,
    confirm,
    fresh_link,
    requests_from_json,
    requests_to_json,
    sign_up,
)
from subscribers.rules.unsubscribe import unsubscribe

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LIMITS = SignupLimits()
FORM = Origin(source="form:daily", wording="2026-11", client="192.0.2.0/24")
ANNA = parse_address("Anna@example.org")
DAILY = SubscriptionRequest(
    digest="daily",
    preferences=Preferences(
        topics=Choice.parse("-sport"), hour="07:30", zone="Europe/Berlin", frequency=Frequency.DAILY
    ),
)
WEEKEND = SubscriptionRequest(digest="weekend")
TERMS = ImportTerms(
    act=ConsentAction.IMPORTED, origin=Origin(source="the old list, double opt-in 2024"), language="de"
)


def test_a_new_reader_becomes_pending_and_gets_a_confirmation() -> None:
    answer = _sign_up(Reader())
    assert answer.confirm
    assert answer.change is not None
    assert answer.change.subscriber.state is SubscriberState.PENDING
    assert answer.change.subscriber.id == 7
    assert answer.change.subscriptions == ()
    assert answer.change.consent is not None
    assert answer.change.consent.origin == FORM
    assert answer.confirmation is not None
    assert answer.confirmation.expires_at == NOW + LIMITS.link_life


def test_an_existing_reader_gets_the_same_message_and_nothing_changes_yet() -> None:
    pending = applied(Reader(), _change(_sign_up(Reader())))
    active = _confirmed_reader()
    unsubscribed = _apply(active, unsubscribe(active, origin=FORM, now=NOW))
    for reader in (pending, active, unsubscribed):
        answer = _sign_up(reader, requests=(WEEKEND,))
        assert answer.confirm
        assert _change(answer).subscriber == reader.subscriber
        assert _change(answer).subscriptions == ()


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINT, SuppressionReason.OPERATOR])
def test_a_suppressed_address_gets_no_mail(reason: SuppressionReason) -> None:
    answer = _sign_up(_suppressed(reason))
    assert answer.withheld
    assert not answer.confirm


@pytest.mark.parametrize("reason", [SuppressionReason.ERASED, SuppressionReason.BOUNCE])
def test_an_erased_or_bounced_reader_may_sign_up_again_and_only_confirming_lifts_it(
    reason: SuppressionReason,
) -> None:
    silenced = _suppressed(reason)
    answer = _sign_up(silenced)
    assert answer.confirm
    assert not _change(answer).lift_suppression
    reader = applied(silenced, _change(answer))
    confirmed = confirm(_link(answer), reader, origin=FORM, now=LATER)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.change is not None
    assert confirmed.change.lift_suppression


def test_confirming_makes_active_with_everything_that_was_asked_for() -> None:
    answer = _sign_up(Reader(), requests=(DAILY, WEEKEND), language="de", format=Format.TEXT)
    reader = applied(Reader(), _change(answer))
    confirmed = confirm(_link(answer), reader, origin=FORM, now=LATER)
    assert isinstance(confirmed, Confirmed)
    reader = _apply(reader, confirmed.change)
    assert reader.subscriber is not None
    assert (reader.subscriber.state, reader.subscriber.confirmed_at) == (SubscriberState.ACTIVE, LATER)
    assert (reader.subscriber.language, reader.subscriber.format) == ("de", Format.TEXT)
    assert [each.preferences for each in reader.subscriptions] == [DAILY.preferences, Preferences()]
    assert reader.reads("daily")


def test_a_form_that_an_active_reader_fills_in_again_changes_only_what_it_states() -> None:
    reader = _confirmed_reader()
    assert reader.subscriber is not None
    paused = replace(reader.subscriptions[0], paused_until=LATER)
    reader = replace(
        reader,
        subscriber=replace(reader.subscriber, language="de", format=Format.TEXT),
        subscriptions=(paused,),
    )
    nothing = SubscriptionRequest(digest="daily")
    hour = SubscriptionRequest(digest="daily", preferences=Preferences(hour="18:30"))
    for request, begun in (((nothing,), ()), ((hour,), ("daily",)), ((nothing, WEEKEND), ("weekend",))):
        confirmed = confirm(_link(_sign_up(reader, requests=request)), reader, origin=FORM, now=LATER)
        assert isinstance(confirmed, Confirmed)
        assert confirmed.change is not None
        assert confirmed.change.void_links == {Purpose.SIGN_UP}
        assert tuple(each.digest for each in confirmed.change.subscriptions) == begun
        after = _apply(reader, confirmed.change)
        assert after.subscriber == reader.subscriber
        daily = after.subscription("daily")
        assert daily is not None
        assert daily.paused_until == LATER
        expected = replace(DAILY.preferences, hour=request[0].preferences.hour or "07:30")
        assert daily.preferences == expected


def test_confirming_twice_says_so_and_changes_nothing() -> None:
    reader, link = _confirmed_reader(), replace(_link(_sign_up(Reader())), used_at=NOW)
    assert confirm(link, reader, origin=FORM, now=LATER) == Confirmed(requests=(DAILY,), change=None)


def test_a_link_works_until_it_expires() -> None:
    answer = _sign_up(Reader())
    reader = applied(Reader(), _change(answer))
    last = NOW + LIMITS.link_life - timedelta(microseconds=1)
    assert isinstance(confirm(_link(answer), reader, origin=FORM, now=last), Confirmed)
    refused = confirm(_link(answer), reader, origin=FORM, now=NOW + LIMITS.link_life)
    assert not isinstance(refused, Confirmed)
    assert refused.reason == "expired"


def test_a_used_or_void_link_brings_nobody_back() -> None:
    reader = _confirmed_reader()
    unsubscribed = _apply(reader, unsubscribe(reader, origin=FORM, now=LATER))
    link = replace(_link(_sign_up(Reader())), used_at=LATER)
    for case in (unsubscribed, Reader(), _suppressed(SuppressionReason.COMPLAINT)):
        refused = confirm(link, case, origin=FORM, now=LATER)
        assert not isinstance(refused, Confirmed)
        assert refused.reason == "used"


def test_a_fresh_link_confirms_the_same_and_lives_as_long_as_the_first() -> None:
    link = _link(_sign_up(Reader()))
    later = NOW + timedelta(days=5)
    answer = fresh_link(link, _confirmed_reader(), limits=LIMITS, now=later)
    assert answer.change is None
    assert _link(answer) == replace(link, made_at=later, expires_at=later + LIMITS.link_life)


def test_there_is_no_fresh_link_for_a_used_one_or_when_suppressed() -> None:
    link, reader = _link(_sign_up(Reader())), _confirmed_reader()
    used = replace(link, used_at=NOW)
    assert fresh_link(used, reader, limits=LIMITS, now=NOW) == Signup()
    silenced = _suppressed(SuppressionReason.COMPLAINT)
    assert fresh_link(link, silenced, limits=LIMITS, now=NOW) == Signup(withheld=True)


def test_requests_can_be_stored_and_read_again() -> None:
    assert requests_from_json(requests_to_json((DAILY, WEEKEND))) == (DAILY, WEEKEND)


def test_only_offered_digests_and_topics_can_be_requested() -> None:
    offered = {"daily": frozenset({"sport", "climate"}), "weekend": None}
    check_requests(
        (DAILY, SubscriptionRequest(digest="weekend", preferences=Preferences.parse(topics="anything"))),
        offered,
    )
    check_requests((SubscriptionRequest(digest="unknown"),), None)
    for requests, at_fault in (
        ((), "digest"),
        ((SubscriptionRequest(digest="monthly"),), "digest"),
        ((SubscriptionRequest(digest="daily", preferences=Preferences.parse(topics="space")),), "topics"),
    ):
        with pytest.raises(ChoiceError) as refusal:
            check_requests(requests, offered)
        assert refusal.value.field == at_fault
    with pytest.raises(ChoiceError, match="no such topic"):
        check_requests((DAILY,), {"daily": frozenset()})


# ── by an operator's word ───────────────────────────────────────────────────────────────────


def test_a_new_address_is_active_with_the_stated_source_of_consent() -> None:
    agreed = datetime(2024, 5, 1, tzinfo=UTC)
    admission = _admit(Reader(), requests=(DAILY,), confirmed_at=agreed, paused_until=LATER)
    assert admission.outcome is ImportOutcome.NEW
    assert admission.change is not None
    assert admission.change.subscriber.confirmed_at == agreed
    assert admission.change.subscriber.language == "de"
    assert admission.change.subscriptions[0].paused_until == LATER
    assert admission.change.consent is not None
    assert admission.change.consent.origin.source == "the old list, double opt-in 2024"


def test_an_existing_reader_keeps_their_own_choices() -> None:
    other = SubscriptionRequest(digest="daily", preferences=Preferences.parse(topics="climate"))
    assert _admit(_confirmed_reader(), requests=(other,)) == _outcome(ImportOutcome.KNOWN)


def test_an_existing_reader_can_get_one_more_digest() -> None:
    admission = _admit(_confirmed_reader(), requests=(DAILY, WEEKEND))
    assert admission.outcome is ImportOutcome.ADDED
    assert admission.change is not None
    assert [each.digest for each in admission.change.subscriptions] == ["weekend"]


def test_a_pending_sign_up_becomes_active_by_the_operators_word() -> None:
    pending = applied(Reader(), _change(_sign_up(Reader())))
    admission = _admit(pending, requests=(DAILY,))
    assert admission.change is not None
    assert admission.change.subscriber.state is SubscriberState.ACTIVE
    assert admission.change.subscriber.confirmed_at == NOW


def test_a_reader_who_unsubscribed_from_one_digest_or_all_is_not_added() -> None:
    both = _apply(_confirmed_reader(), _admit(_confirmed_reader(), requests=(WEEKEND,)).change)
    one_ended = _apply(both, unsubscribe(both, "daily", origin=FORM, now=NOW))
    all_ended = _apply(both, unsubscribe(both, origin=FORM, now=NOW))
    assert _admit(one_ended, requests=(DAILY,)) == _outcome(ImportOutcome.LEFT)
    assert _admit(all_ended, requests=(DAILY, SubscriptionRequest(digest="monthly"))) == _outcome(
        ImportOutcome.LEFT
    )


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_suppressed_or_erased_address_stays_out(reason: SuppressionReason) -> None:
    assert _admit(_suppressed(reason), requests=(DAILY,)) == _outcome(ImportOutcome.SUPPRESSED)


def test_an_unsubscribe_request_made_elsewhere_counts_here() -> None:
    reader = _confirmed_reader()
    admission = _admit(reader, unsubscribed=True)
    assert admission.outcome is ImportOutcome.GONE
    assert admission.change is not None
    assert admission.change.void_links == TO_CONFIRM
    after = _apply(reader, admission.change)
    assert not after.reads("daily")
    assert after.subscriber is not None
    assert after.subscriber.state is SubscriberState.UNSUBSCRIBED


def test_an_imported_unsubscribe_request_for_one_digest_keeps_the_others() -> None:
    reader = _apply(
        _confirmed_reader(), _admit(_confirmed_reader(), unsubscribed=True, requests=(WEEKEND,)).change
    )
    assert reader.reads("daily")
    weekend = reader.subscription("weekend")
    assert weekend is not None
    assert weekend.state is SubscriptionState.UNSUBSCRIBED
    assert _admit(reader, unsubscribed=True, requests=(WEEKEND,)) == _outcome(ImportOutcome.LEFT)
    assert _admit(reader, requests=(WEEKEND,)) == _outcome(ImportOutcome.LEFT)


def test_an_imported_unsubscribe_request_does_not_make_a_removal_undoable() -> None:
    both = _apply(_confirmed_reader(), _admit(_confirmed_reader(), requests=(WEEKEND,)).change)
    removed = _apply(both, unsubscribe(both, "daily", origin=FORM, now=NOW, by_operator=True))
    after = _apply(removed, _admit(removed, unsubscribed=True, requests=(DAILY, WEEKEND)).change)
    ended = {each.digest: each.state for each in after.subscriptions}
    assert ended == {"daily": SubscriptionState.REMOVED, "weekend": SubscriptionState.UNSUBSCRIBED}


def test_an_imported_unsubscribe_request_of_an_unknown_reader_is_recorded() -> None:
    for requests in ((), (DAILY,)):
        admission = _admit(Reader(), unsubscribed=True, requests=requests)
        assert admission.outcome is ImportOutcome.GONE
        reader = _apply(Reader(), admission.change)
        assert reader.subscriber is not None
        assert reader.subscriber.confirmed_at is None
        assert _admit(reader, requests=(DAILY,)) == _outcome(ImportOutcome.LEFT)


# ── in short ────────────────────────────────────────────────────────────────────────────────


def _sign_up(
    reader: Reader,
    *,
    requests: tuple[SubscriptionRequest, ...] = (DAILY,),
    language: str = "en",
    format: Format = Format.HTML,  # noqa: A002 - the word of the table
) -> Signup:
    request = SignupRequest(
        address=ANNA,
        address_hash="hash of Anna",
        requests=requests,
        language=language,
        format=format,
        origin=FORM,
    )
    return sign_up(request, reader, new_id=7, limits=LIMITS, now=NOW)


def _admit(
    reader: Reader,
    *,
    unsubscribed: bool = False,
    requests: tuple[SubscriptionRequest, ...] = (),
    confirmed_at: datetime | None = None,
    paused_until: datetime | None = None,
) -> Admission:
    entry = ImportedReader(
        address=ANNA,
        requests=requests,
        state=EntryState.UNSUBSCRIBED if unsubscribed else EntryState.ACTIVE,
        confirmed_at=confirmed_at,
        paused_until=paused_until,
    )
    return admit(entry, reader, address_hash="hash of Anna", new_id=7, terms=TERMS, now=NOW)


def _outcome(outcome: ImportOutcome) -> Admission:
    return Admission(outcome=outcome)


def _confirmed_reader() -> Reader:
    answer = _sign_up(Reader())
    reader = applied(Reader(), _change(answer))
    confirmed = confirm(_link(answer), reader, origin=FORM, now=NOW)
    assert isinstance(confirmed, Confirmed)
    return _apply(reader, confirmed.change)


def _suppressed(reason: SuppressionReason) -> Reader:
    return replace(
        _confirmed_reader(), suppression=Suppression(address_hash="hash of Anna", reason=reason, at=NOW)
    )


def _apply(reader: Reader, change: Change | None) -> Reader:
    assert change is not None
    return applied(reader, change)


def _change(answer: Signup) -> Change:
    assert answer.change is not None
    return answer.change


def _link(answer: Signup) -> Confirmation:
    assert answer.confirmation is not None
    return answer.confirmation
