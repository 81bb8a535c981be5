"""Decide what a reader changes by signed link: pauses, preferences, more digests, language and format."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from subscribers.errors import ChoiceError
from subscribers.model import (
    Consent,
    ConsentAction,
    Format,
    Origin,
    Reader,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from subscribers.rules.decisions import Change, SignupLimits, SubscriptionRequest
from subscribers.rules.signup import requests_to_json, started


def pause(
    reader: Reader,
    until: datetime,
    digest: str | None = None,
    *,
    limits: SignupLimits,
    origin: Origin,
    now: datetime,
) -> Change | None:
    """Decide what a pause until `until` changes in one digest or, with None, in all.

    Returns None if there is nothing to pause, as for a reader who has unsubscribed. Raises ChoiceError if
    `until` is not in the future, or further away than `limits.longest_pause`.
    """
    if until <= now:
        raise ChoiceError("paused_until", "choose a day in the future")
    if until > now + limits.longest_pause:
        raise ChoiceError("paused_until", f"a pause lasts at most {limits.longest_pause.days} days")
    return _with_pause(reader, digest, until, Consent(act=ConsentAction.PAUSED, at=now, origin=origin))


def resume(reader: Reader, digest: str | None = None, *, origin: Origin, now: datetime) -> Change | None:
    """Decide what ending a pause at once changes in one digest or, with None, in all.

    Returns None if nothing is paused.
    """
    return _with_pause(reader, digest, None, Consent(act=ConsentAction.RESUMED, at=now, origin=origin))


def choose(
    reader: Reader,
    requests: tuple[SubscriptionRequest, ...],
    *,
    language: str | None = None,
    format: Format | None = None,  # noqa: A002 - the word of the table, the form and the API
    origin: Origin,
    now: datetime,
) -> Change | None:
    """Decide what saving the preferences page does: it sets `requests` and leaves other digests as they are.

    A new digest begins at once and needs no confirmation, because the link is the reader's own. Returns None
    if nothing changes. The caller calls `signup.check_requests` first. Raises ChoiceError for a digest that
    an operator has ended for this reader.
    """
    subscriber = reader.subscriber
    # An old link must not bring back readers who have unsubscribed from everything or are suppressed.
    if subscriber is None or subscriber.state is not SubscriberState.ACTIVE or reader.suppression is not None:
        return None
    subscriptions = tuple(
        change
        for requested in requests
        if (change := _with_requests(reader, requested, now)) != reader.subscription(requested.digest)
    )
    subscriber = replace(
        subscriber, language=language or subscriber.language, format=format or subscriber.format
    )
    if not subscriptions and subscriber == reader.subscriber:
        return None
    more = any(not reader.reads(each.digest) for each in subscriptions)
    consent = Consent(
        act=ConsentAction.SUBSCRIBED if more else ConsentAction.CHANGED,
        at=now,
        origin=origin,
        detail={
            "wishes": requests_to_json(requests),
            "language": subscriber.language,
            "format": subscriber.format.value,
        },
    )
    return Change(subscriber=subscriber, subscriptions=subscriptions, consent=consent)


def _with_requests(reader: Reader, requested: SubscriptionRequest, now: datetime) -> Subscription:
    subscription = reader.subscription(requested.digest)
    if subscription is None or subscription.state is SubscriptionState.UNSUBSCRIBED:
        return started(requested, now)
    if subscription.state is SubscriptionState.REMOVED:
        raise ChoiceError("digest", "the publisher has ended this subscription; please ask the publisher")
    if subscription.preferences == requested.preferences:
        return subscription
    return replace(subscription, preferences=requested.preferences, changed_at=now)


def _with_pause(
    reader: Reader, digest: str | None, until: datetime | None, consent: Consent
) -> Change | None:
    if reader.subscriber is None:
        return None
    changed = tuple(
        replace(each, paused_until=until, changed_at=consent.at)
        for each in reader.subscriptions
        if digest in (None, each.digest) and reader.reads(each.digest) and each.paused_until != until
    )
    if not changed:
        return None
    detail = {"digests": [each.digest for each in changed], "until": until.isoformat() if until else None}
    return Change(
        subscriber=reader.subscriber, subscriptions=changed, consent=replace(consent, detail=detail)
    )
