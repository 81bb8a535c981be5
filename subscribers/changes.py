"""Decide what a reader changes by signed link: a pause, preferences, one digest more, the address."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from subscribers.decisions import Change, Limits, Wish
from subscribers.errors import ChoiceError
from subscribers.model import (
    Act,
    Consent,
    Format,
    Origin,
    Reader,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from subscribers.signup import started, wishes_to_json


def pause(
    reader: Reader,
    until: datetime,
    digest: str | None = None,
    *,
    limits: Limits,
    origin: Origin,
    now: datetime,
) -> Change | None:
    """Decide what a pause until `until` does to one digest or, with None, to all; None for who left.

    Raises ChoiceError when `until` is not ahead, or further than `limits.longest_pause`.
    """
    if until <= now:
        raise ChoiceError("paused_until", "choose a day to come")
    if until > now + limits.longest_pause:
        raise ChoiceError("paused_until", f"a pause lasts at most {limits.longest_pause.days} days")
    return _with_pause(reader, digest, until, Consent(act=Act.PAUSED, at=now, origin=origin))


def resume(reader: Reader, digest: str | None = None, *, origin: Origin, now: datetime) -> Change | None:
    """Decide what ending a pause at once does to one digest or, with None, to all; None for who left."""
    return _with_pause(reader, digest, None, Consent(act=Act.RESUMED, at=now, origin=origin))


def choose(
    reader: Reader,
    wishes: tuple[Wish, ...],
    *,
    language: str | None = None,
    format: Format | None = None,  # noqa: A002 - the word of the table, the form and the API
    origin: Origin,
    now: datetime,
) -> Change | None:
    """Decide what saving the preferences page does: `wishes` are set, other digests stay as they are.

    A digest not read so far begins at once, for the link is the reader's own; but None for who has left
    altogether or must not be mailed: an old link brings nobody back. `signup.check_wishes` comes first.
    Raises ChoiceError for a digest that an operator has ended for this reader.
    """
    subscriber = reader.subscriber
    if subscriber is None or subscriber.state is not SubscriberState.ACTIVE or reader.suppression is not None:
        return None
    subscriptions = tuple(
        change
        for wish in wishes
        if (change := _wished(reader, wish, now)) != reader.subscription(wish.digest)
    )
    subscriber = replace(
        subscriber, language=language or subscriber.language, format=format or subscriber.format
    )
    if not subscriptions and subscriber == reader.subscriber:
        return None
    more = any(not reader.reads(each.digest) for each in subscriptions)
    consent = Consent(
        act=Act.SUBSCRIBED if more else Act.CHANGED,
        at=now,
        origin=origin,
        detail={
            "wishes": wishes_to_json(wishes),
            "language": subscriber.language,
            "format": subscriber.format.value,
        },
    )
    return Change(subscriber=subscriber, subscriptions=subscriptions, consent=consent)


def _wished(reader: Reader, wish: Wish, now: datetime) -> Subscription:
    subscription = reader.subscription(wish.digest)
    if subscription is None or subscription.state is SubscriptionState.UNSUBSCRIBED:
        return started(wish, now)
    if subscription.state is SubscriptionState.REMOVED:
        raise ChoiceError("digest", "the publisher has ended it for this address; ask there")
    if subscription.preferences == wish.preferences:
        return subscription
    return replace(subscription, preferences=wish.preferences, changed_at=now)


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
