"""Select the readers who may be mailed an edition: the only place that decides this."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, case, exists, or_, select

from subscribers.model import Frequency, SubscriberState, SubscriptionState
from subscribers.store.tables import subscribers, subscriptions, suppressions

NOW = bindparam("now", type_=subscriptions.c.paused_until.type)  # given when the statement is run
Mailable = Select[tuple[int, str, str, str | None, str | None, str, str]]


def mailable(
    digest: str,
    now: datetime | BindParameter[datetime],
    frequency: Frequency | None = None,
    offered: Collection[Frequency] = (),
) -> Mailable:
    """Select the readers who may be mailed an edition of `digest` at `now`.

    Their subscriber is active, their subscription is active and not paused, and their address is not
    suppressed. With a `frequency`, only readers who chose it are selected; "each edition" also selects
    readers whose choice is not among those `offered`.

    The columns are subscriber_id, address, topics, hour, zone, format, language. The statement is used in an
    INSERT … SELECT when an edition is addressed, and in a subquery when deliveries are claimed.
    """
    # When deliveries are claimed, no frequency is given, because a change of frequency does not affect an
    # edition that has already been addressed. Otherwise a reader who changes it at noon would lose the email
    # that is due in the evening.
    suppressed = exists().where(suppressions.c.address_hash == subscribers.c.address_hash)
    served = [] if frequency is None else [_is_served(frequency, offered)]
    return (
        select(
            subscriptions.c.subscriber_id,
            subscribers.c.address,
            subscriptions.c.topics,
            subscriptions.c.hour,
            subscriptions.c.zone,
            subscribers.c.format,
            subscribers.c.language,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            subscriptions.c.digest == digest,
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscribers.c.state == SubscriberState.ACTIVE,
            or_(subscriptions.c.paused_until.is_(None), subscriptions.c.paused_until <= now),
            ~suppressed,
            *served,
        )
    )


def unserved(
    digest: str, now: datetime, frequency: Frequency, offered: Collection[Frequency] = ()
) -> Select[tuple[str]]:
    """Select a phrase for each reader of `digest` who is not mailed an edition at `now`: the reason.

    It is the first reason that applies. People who have unsubscribed are no readers any more.
    """
    suppressed = exists().where(suppressions.c.address_hash == subscribers.c.address_hash)
    why = case(
        (subscribers.c.state == SubscriberState.PENDING, "not confirmed yet"),
        (suppressed, "the mailbox is gone, or its owner complained"),
        (subscriptions.c.paused_until > now, "paused"),
        (~_is_served(frequency, offered), "another frequency chosen"),
        else_="",
    ).label("why")
    readers = (
        select(why)
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            subscriptions.c.digest == digest,
            subscriptions.c.state == SubscriptionState.ACTIVE,
            subscribers.c.state != SubscriberState.UNSUBSCRIBED,
        )
        .subquery()
    )
    return select(readers.c.why).where(readers.c.why != "")


def _is_served(frequency: Frequency, offered: Collection[Frequency]) -> ColumnElement[bool]:
    chosen = subscriptions.c.frequency
    return chosen.not_in(sorted(offered)) if frequency is Frequency.EACH else chosen == frequency
