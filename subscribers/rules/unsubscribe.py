"""Decide what an unsubscribe request changes, and what undoes it if it was a mistake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from subscribers.model import (
    Consent,
    ConsentAction,
    Origin,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from subscribers.rules.decisions import TO_CONFIRM, Change, SignupLimits


def unsubscribe(
    reader: Reader,
    digest: str | None = None,
    *,
    origin: Origin,
    now: datetime,
    reason: str = "",
    by_operator: bool = False,
) -> Change | None:
    """Decide what unsubscribing from one digest changes, or from all when `digest` is None.

    A reader with no active subscription left is unsubscribed altogether. A second request changes nothing.
    Returns None if there is no such reader. Open confirmation links become void, so that a message opened
    later brings nobody back. With `by_operator` the reader's links cannot undo it. `reason` is the reader's
    own.
    """
    if reader.subscriber is None:
        return None
    ends = (
        {SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED}
        if by_operator
        else {SubscriptionState.ACTIVE}
    )
    ending = [
        each.digest for each in reader.subscriptions if each.state in ends and digest in (None, each.digest)
    ]
    if not ending and (digest is not None or reader.subscriber.state is SubscriberState.UNSUBSCRIBED):
        return Change(subscriber=reader.subscriber, void_links=TO_CONFIRM)
    state = SubscriptionState.REMOVED if by_operator else SubscriptionState.UNSUBSCRIBED
    subscriber, subscriptions = ended(reader, reader.subscriber, ending, state=state, now=now)
    consent = Consent(
        act=ConsentAction.REMOVED if by_operator else ConsentAction.LEFT,
        at=now,
        origin=origin,
        detail={"digests": ending, "reason": reason},
    )
    return Change(subscriber=subscriber, subscriptions=subscriptions, consent=consent, void_links=TO_CONFIRM)


def undo_unsubscribe(
    reader: Reader, digest: str | None = None, *, limits: SignupLimits, origin: Origin, now: datetime
) -> Change | None:
    """Decide what undoing an unsubscribe request restores; None if there is nothing, or it is too late.

    Within `limits.undo` it restores exactly what the reader ended: one digest or, with None, all digests that
    ended at the same moment. It never restores a sign-up that was not confirmed, a subscription that an
    operator ended, or a suppressed address.
    """
    subscriber = reader.subscriber
    if subscriber is None or subscriber.confirmed_at is None or reader.suppression is not None:
        return None
    back = tuple(
        replace(each, state=SubscriptionState.ACTIVE, changed_at=now)
        for each in reader.subscriptions
        if each.state is SubscriptionState.UNSUBSCRIBED
        and now < each.changed_at + limits.undo
        and (each.digest == digest or (digest is None and each.changed_at == subscriber.left_at))
    )
    if not back:
        return None
    consent = Consent(
        act=ConsentAction.CAME_BACK, at=now, origin=origin, detail={"digests": [each.digest for each in back]}
    )
    return Change(
        subscriber=replace(subscriber, state=SubscriberState.ACTIVE, left_at=None),
        subscriptions=back,
        consent=consent,
    )


def ended(
    reader: Reader, subscriber: Subscriber, digests: Iterable[str], *, state: SubscriptionState, now: datetime
) -> tuple[Subscriber, tuple[Subscription, ...]]:
    """Return the subscriber and the subscriptions after `digests` have ended.

    The subscriber is unsubscribed if no active subscription remains. A subscription that an operator has
    ended stays as it is.
    """
    ending = frozenset(digests)
    # A digest without a subscription is recorded as ended too, so that a later import does not add it.
    before = (
        reader.subscription(digest) or Subscription(digest=digest, state=state, changed_at=now)
        for digest in sorted(ending)
    )
    subscriptions = tuple(
        each if each.state is SubscriptionState.REMOVED else replace(each, state=state, changed_at=now)
        for each in before
    )
    if any(each.digest not in ending and reader.reads(each.digest) for each in reader.subscriptions):
        return subscriber, subscriptions
    return replace(subscriber, state=SubscriberState.UNSUBSCRIBED, left_at=now), subscriptions
