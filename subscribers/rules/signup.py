"""Decide how an address gets onto the list: its owner signs up and confirms.

    sign_up ──> Signup(confirm=…) ──mail──> confirm ──> Change: active
                                     expired └──> fresh_link ──> Signup(confirm=…)

The response to a sign-up never depends on the decision made here, in words or status. Each decision queues
one notice in the same transaction, so nobody learns who is on the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from subscribers.address import Address
from subscribers.errors import ChoiceError
from subscribers.model import (
    Choice,
    Consent,
    ConsentAction,
    Format,
    Frequency,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
)
from subscribers.rules.decisions import (
    Change,
    Confirmation,
    Purpose,
    Refused,
    SignupLimits,
    SubscriptionRequest,
)
from subscribers.rules.notices import stays_suppressed


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupRequest:
    """A sign-up. It is not known yet whether the address belongs to the person who sent it."""

    address: Address
    address_hash: str
    requests: tuple[SubscriptionRequest, ...]
    language: str
    format: Format = Format.HTML
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """The decision about a sign-up. The page's answer is the same for all decisions."""

    change: Change | None = None
    confirmation: Confirmation | None = None  # the caller queues a notice with its link
    withheld: bool = False  # the address must not be mailed: nothing is kept, and the notice is only counted

    @property
    def confirm(self) -> bool:
        """Return whether a confirmation is mailed to the address."""
        return self.confirmation is not None and not self.withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The sign-up is confirmed; `change` is None if it was confirmed before."""

    requests: tuple[SubscriptionRequest, ...]
    change: Change | None


def check_requests(
    requests: tuple[SubscriptionRequest, ...], offered: Mapping[str, frozenset[str] | None] | None
) -> None:
    """Raise ChoiceError unless there is at least one request, and each is offered.

    `offered` has the topics of each digest, or None for a digest whose topics are found in its posts. If
    `offered` itself is None, every digest and topic is accepted.
    """
    if not requests:
        raise ChoiceError("digest", "choose at least one")
    if offered is None:
        return
    for requested in requests:
        if requested.digest not in offered:
            raise ChoiceError("digest", "there is no such digest", known=sorted(offered))
        topics = offered[requested.digest]
        choice = requested.preferences.topics
        if topics is not None and not (choice.include | choice.exclude) <= topics:
            raise ChoiceError("topics", "there is no such topic", known=sorted(topics))


def sign_up(
    request: SignupRequest, reader: Reader, *, new_id: int, limits: SignupLimits, now: datetime
) -> Signup:
    """Decide what a sign-up leads to: a confirmation, which is withheld if the address is suppressed.

    The caller has asked `notices.is_within` first. The digests of an active reader change only when the link
    is used.
    """
    # New, pending, active and unsubscribed readers get one message alike, because only the owner of the
    # mailbox may know which of these they are.
    subscriber = reader.subscriber or _newcomer(request, new_id, now)
    consent = Consent(
        act=ConsentAction.SIGNED_UP,
        at=now,
        origin=request.origin,
        detail={"wishes": requests_to_json(request.requests)},
    )
    return Signup(
        change=Change(subscriber=subscriber, consent=consent),
        confirmation=Confirmation(
            subscriber_id=subscriber.id,
            purpose=Purpose.SIGN_UP,
            made_at=now,
            expires_at=now + limits.link_life,
            payload={
                "wishes": requests_to_json(request.requests),
                "language": request.language,
                "format": request.format.value,
            },
        ),
        withheld=stays_suppressed(reader.suppression),
    )


def fresh_link(confirmation: Confirmation, reader: Reader, *, limits: SignupLimits, now: datetime) -> Signup:
    """Decide whether a new link is made in place of an expired one; it is mailed to the same address.

    The caller has asked `notices.is_within` first.
    """
    if confirmation.used_at is not None:
        return Signup()
    if stays_suppressed(reader.suppression):
        return Signup(withheld=True)
    return Signup(confirmation=replace(confirmation, made_at=now, expires_at=now + limits.link_life))


def confirm(
    confirmation: Confirmation, reader: Reader, *, origin: Origin, now: datetime
) -> Confirmed | Refused:
    """Decide what the button on the page of a confirmation link does.

    A second press changes nothing and returns Confirmed without a change. A void link (its reader has
    confirmed another sign-up, has unsubscribed, or was removed or suppressed in the meantime) is refused like
    a used one, so an old link never brings anybody back. An active reader keeps everything that the form did
    not state.
    """
    requests = requests_from_json(confirmation.payload["wishes"])
    subscriber = reader.subscriber
    if subscriber is None or stays_suppressed(reader.suppression):
        return Refused(reason="used")
    if confirmation.used_at is not None:
        still = all(reader.reads(requested.digest) for requested in requests)
        return Confirmed(requests=requests, change=None) if still else Refused(reason="used")
    if now >= confirmation.expires_at:
        return Refused(reason="expired")
    return Confirmed(
        requests=requests,
        change=Change(
            subscriber=_activated(subscriber, confirmation, now),
            subscriptions=changed_by(reader, requests, now),
            consent=Consent(
                act=ConsentAction.CONFIRMED,
                at=now,
                origin=origin,
                detail={"wishes": requests_to_json(requests)},
            ),
            void_links=frozenset({Purpose.SIGN_UP}),
            lift_suppression=reader.suppression is not None,
        ),
    )


def _activated(subscriber: Subscriber, confirmation: Confirmation, now: datetime) -> Subscriber:
    # The language of a form is that of the page, which an active reader has not chosen for the emails.
    if subscriber.state is SubscriberState.ACTIVE:
        return subscriber
    return replace(
        subscriber,
        state=SubscriberState.ACTIVE,
        confirmed_at=now,
        left_at=None,
        language=confirmation.payload["language"],
        format=Format(confirmation.payload["format"]),
    )


def changed_by(
    reader: Reader, requests: tuple[SubscriptionRequest, ...], now: datetime
) -> tuple[Subscription, ...]:
    """Return the subscriptions that a confirmed sign-up begins or changes; empty if it changes nothing."""
    wanted = {requested.digest: _confirmed(reader, requested, now) for requested in requests}
    return tuple(each for digest, each in wanted.items() if each != reader.subscription(digest))


def _confirmed(reader: Reader, requested: SubscriptionRequest, now: datetime) -> Subscription:
    subscription = reader.subscription(requested.digest)
    if subscription is None or not reader.reads(requested.digest):
        return started(requested, now)
    preferences = _with_stated(subscription.preferences, requested.preferences)
    if preferences == subscription.preferences:
        return subscription
    return replace(subscription, preferences=preferences, changed_at=now)


def _with_stated(before: Preferences, form: Preferences) -> Preferences:
    """Return preferences with what a form states. A default states nothing: forms send it unasked."""
    stated = {
        field.name: value
        for field in fields(Preferences)
        if (value := getattr(form, field.name)) != getattr(_UNSTATED, field.name)
    }
    return replace(before, **stated)


_UNSTATED = Preferences()


# ── as JSON, in confirmations and in the record of consent ──────────────────────────────────


def requests_to_json(requests: tuple[SubscriptionRequest, ...]) -> list[dict[str, str | None]]:
    """Return requests as JSON, in a form that can be read again after years."""
    return [
        {
            "digest": requested.digest,
            "topics": str(requested.preferences.topics),
            "hour": requested.preferences.hour,
            "zone": requested.preferences.zone,
            "frequency": requested.preferences.frequency.value,
        }
        for requested in requests
    ]


def requests_from_json(rows: list[dict[str, Any]]) -> tuple[SubscriptionRequest, ...]:
    """Return the requests that `requests_to_json` wrote."""
    return tuple(
        SubscriptionRequest(
            digest=row["digest"],
            preferences=Preferences(
                topics=Choice.parse(row["topics"]),
                hour=row["hour"],
                zone=row["zone"],
                frequency=Frequency(row["frequency"]),
            ),
        )
        for row in rows
    )


def started(requested: SubscriptionRequest, now: datetime) -> Subscription:
    """Return the subscription that a confirmed request becomes."""
    return Subscription(
        digest=requested.digest,
        state=SubscriptionState.ACTIVE,
        preferences=requested.preferences,
        changed_at=now,
    )


def _newcomer(request: SignupRequest, new_id: int, now: datetime) -> Subscriber:
    return Subscriber(
        id=new_id,
        address=request.address.address,
        folded=request.address.folded,
        address_hash=request.address_hash,
        state=SubscriberState.PENDING,
        language=request.language,
        format=request.format,
        created_at=now,
    )
