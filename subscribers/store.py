"""The list in the database: who may be mailed, one reader's record, and what decisions change in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, exists, or_, select

from subscribers.model import SubscriberState, SubscriptionState
from subscribers.tables import subscribers, subscriptions, suppressions

Mailable = Select[tuple[int, str, str, str | None, str | None, str]]


def mailable(digest: str, now: datetime) -> Mailable:
    """Select who may be mailed an edition of `digest` at `now`: the one place that decides.

    Columns: subscriber_id, address, topics, hour, zone, format. A confirmed subscriber who has not left,
    an active subscription that is not paused, an address that is not suppressed. Made to stand inside
    INSERT … SELECT when an edition is addressed and inside a subquery when deliveries are claimed.
    """
    suppressed = exists().where(suppressions.c.address_hash == subscribers.c.address_hash)
    return (
        select(
            subscriptions.c.subscriber_id,
            subscribers.c.address,
            subscriptions.c.topics,
            subscriptions.c.hour,
            subscriptions.c.zone,
            subscribers.c.format,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            subscriptions.c.digest == digest,
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscribers.c.state == SubscriberState.ACTIVE,
            or_(subscriptions.c.paused_until.is_(None), subscriptions.c.paused_until <= now),
            ~suppressed,
        )
    )
