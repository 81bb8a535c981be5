"""Decide what leaving does, and what undoes it when it was a slip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from subscribers.decisions import Change, Limits
from subscribers.model import (
    Act,
    Consent,
    Origin,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)


def leave(
    reader: Reader,
    digest: str | None = None,
    *,
    origin: Origin,
    now: datetime,
    reason: str = "",
    by_operator: bool = False,
) -> Change | None:
    """Decide what leaving one digest does, or all when `digest` is None; who reads nothing more has left.

    Leaving twice is leaving once, and None is for who is not on the list. Every confirmation link on its
    way becomes void, so that a mail opened later brings nobody back. What an operator ends, an old link
    cannot undo. `reason` is what the reader cares to say.
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
        return Change(subscriber=reader.subscriber, void_links=True)
    state = SubscriptionState.REMOVED if by_operator else SubscriptionState.UNSUBSCRIBED
    subscriber, subscriptions = ended(reader, reader.subscriber, ending, state=state, now=now)
    consent = Consent(
        act=Act.REMOVED if by_operator else Act.LEFT,
        at=now,
        origin=origin,
        detail={"digests": ending, "reason": reason},
    )
    return Change(subscriber=subscriber, subscriptions=subscriptions, consent=consent, void_links=True)


def come_back(
    reader: Reader, digest: str | None = None, *, limits: Limits, origin: Origin, now: datetime
) -> Change | None:
    """Decide what "that was a mistake" on the page after leaving does; None when it is too late for it.

    It gives back, for `limits.undo`, exactly what this reader ended: one digest, or with None all that
    ended in the same moment. It never makes anything of a sign-up that was not confirmed, of what an
    operator ended, or of a suppressed address.
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
        act=Act.CAME_BACK, at=now, origin=origin, detail={"digests": [each.digest for each in back]}
    )
    return Change(
        subscriber=replace(subscriber, state=SubscriberState.ACTIVE, left_at=None),
        subscriptions=back,
        consent=consent,
    )


def ended(
    reader: Reader, subscriber: Subscriber, digests: Iterable[str], *, state: SubscriptionState, now: datetime
) -> tuple[Subscriber, tuple[Subscription, ...]]:
    """Return the subscriber and the subscriptions after `digests` end; nothing left to read is goodbye.

    A digest that was never subscribed to is noted as ended too: so it stays out of later imports. What an
    operator has ended stays so, whoever ends it again.
    """
    ending = frozenset(digests)
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
