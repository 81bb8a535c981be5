"""Decide how an address comes onto the list by its owner's own confirmation.

    sign_up ──> Signup(confirm=…) ──mail──> confirm ──> Change: active
                                     expired └──> fresh_link ──> Signup(confirm=…)

What a stranger is told never depends on what is decided here, in words, status or time: the caller
answers first and does the rest behind the answer. So nobody learns who is on the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from subscribers.address import Address
from subscribers.decisions import Change, Confirmation, Limits, Purpose, Refused, Wish
from subscribers.errors import ChoiceError
from subscribers.model import (
    Act,
    Choice,
    Consent,
    Format,
    Frequency,
    Origin,
    Preferences,
    Reader,
    Subscriber,
    SubscriberState,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Somebody's wish to be on the list; whether the address is theirs is not known yet."""

    address: Address
    address_hash: str
    wishes: tuple[Wish, ...]
    language: str
    format: Format = Format.HTML
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Signup:
    """What a sign-up leads to. The answer on the page is the same whatever stands here."""

    change: Change | None = None
    confirmation: Confirmation | None = None  # to be kept under the hash of a token, and mailed

    @property
    def confirm(self) -> bool:
        """Tell whether a confirmation is to be mailed to the address."""
        return self.confirmation is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The sign-up is confirmed; `change` is None when it already was."""

    wishes: tuple[Wish, ...]
    change: Change | None


def check_wishes(wishes: tuple[Wish, ...], offered: Mapping[str, frozenset[str] | None] | None) -> None:
    """Raise ChoiceError unless each wish is offered, and there is one.

    `offered` has the topics of each digest, or None for a digest whose topics are found as it goes. When
    it is None itself, any digest and topic will do.
    """
    if not wishes:
        raise ChoiceError("digest", "choose at least one")
    if offered is None:
        return
    for wish in wishes:
        if wish.digest not in offered:
            raise ChoiceError("digest", "there is no such digest", known=sorted(offered))
        topics = offered[wish.digest]
        choice = wish.preferences.topics
        if topics is not None and not (choice.include | choice.exclude) <= topics:
            raise ChoiceError("topics", "there is no such topic", known=sorted(topics))


def sign_up(
    request: Request, reader: Reader, *, attempts: int, new_id: int, limits: Limits, now: datetime
) -> Signup:
    """Decide what a filled-in form leads to: a confirmation to be mailed, or silence.

    New, pending, active and left all get the same mail, for only its receiver may know which it is; an
    active reader's digests change when the link is used, not before. Silent are a suppressed address and
    one that was asked for more than `limits.mails` times (`attempts` counts this one).
    """
    if attempts > limits.mails or _stays_suppressed(reader):
        return Signup()
    subscriber = reader.subscriber or _newcomer(request, new_id, now)
    consent = Consent(
        act=Act.SIGNED_UP, at=now, origin=request.origin, detail={"wishes": wishes_to_json(request.wishes)}
    )
    return Signup(
        change=Change(subscriber=subscriber, consent=consent),
        confirmation=Confirmation(
            subscriber_id=subscriber.id,
            purpose=Purpose.SIGN_UP,
            made_at=now,
            expires_at=now + limits.link_life,
            payload={
                "wishes": wishes_to_json(request.wishes),
                "language": request.language,
                "format": request.format.value,
            },
        ),
    )


def fresh_link(
    confirmation: Confirmation, reader: Reader, *, attempts: int, limits: Limits, now: datetime
) -> Signup:
    """Decide what the holder of an expired link gets who asks for a new one: it goes to the address only."""
    if confirmation.used_at is not None or attempts > limits.mails or _stays_suppressed(reader):
        return Signup()
    return Signup(confirmation=replace(confirmation, made_at=now, expires_at=now + limits.link_life))


def confirm(
    confirmation: Confirmation, reader: Reader, *, origin: Origin, now: datetime
) -> Confirmed | Refused:
    """Decide what pressing the button behind a confirmation link does.

    Pressed twice it says so and changes nothing. A link that was made void (its reader left, was removed
    or suppressed since) is like a used one, so an old link brings nobody back.
    """
    wishes = wishes_from_json(confirmation.payload["wishes"])
    subscriber = reader.subscriber
    if subscriber is None or _stays_suppressed(reader):
        return Refused(reason="used")
    if confirmation.used_at is not None:
        still = all(reader.reads(wish.digest) for wish in wishes)
        return Confirmed(wishes=wishes, change=None) if still else Refused(reason="used")
    if now >= confirmation.expires_at:
        return Refused(reason="expired")
    return Confirmed(
        wishes=wishes,
        change=Change(
            subscriber=replace(
                subscriber,
                state=SubscriberState.ACTIVE,
                confirmed_at=now,
                left_at=None,
                language=confirmation.payload["language"],
                format=Format(confirmation.payload["format"]),
            ),
            subscriptions=tuple(started(wish, now) for wish in wishes),
            consent=Consent(
                act=Act.CONFIRMED, at=now, origin=origin, detail={"wishes": wishes_to_json(wishes)}
            ),
            lift_suppression=reader.suppression is not None,
        ),
    )


# ── as JSON: in confirmations and in the record of consent ──────────────────────────────────


def wishes_to_json(wishes: tuple[Wish, ...]) -> list[dict[str, str | None]]:
    """Return what was asked for in a form that can be kept for years."""
    return [
        {
            "digest": wish.digest,
            "topics": str(wish.preferences.topics),
            "hour": wish.preferences.hour,
            "zone": wish.preferences.zone,
            "frequency": wish.preferences.frequency.value,
        }
        for wish in wishes
    ]


def wishes_from_json(rows: list[dict[str, Any]]) -> tuple[Wish, ...]:
    """Read what `wishes_to_json` wrote."""
    return tuple(
        Wish(
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


def started(wish: Wish, now: datetime) -> Subscription:
    """Return the subscription that a confirmed wish becomes."""
    return Subscription(
        digest=wish.digest, state=SubscriptionState.ACTIVE, preferences=wish.preferences, changed_at=now
    )


def _newcomer(request: Request, new_id: int, now: datetime) -> Subscriber:
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


def _stays_suppressed(reader: Reader) -> bool:
    # Who asked to be forgotten may change their mind, and a mailbox may be mended: the confirmation that
    # arrives and is answered proves it, and nobody else's word does.
    return reader.suppression is not None and reader.suppression.reason not in _LIFTED_BY_CONFIRMING


_LIFTED_BY_CONFIRMING = (SuppressionReason.ERASED, SuppressionReason.BOUNCE)
