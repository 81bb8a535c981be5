"""Decide which notices are queued, and whether a queued notice may still be sent. Pure.

    within a day                                                     at most
    notices of one kind to one mailbox, or caused by one reader      3
    notices of all kinds to one mailbox, or caused by one reader     6

All spellings of an address that reach one mailbox count together, so each address counts with its mailbox. A
notice that is withheld, because its address must not be mailed, counts like one that is sent. Otherwise its
reader could tell by the next notice. A welcome is counted but never refused: it follows a press of a button.
A notice to the staff is neither counted nor refused, because no request of a stranger causes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import SubscriberState, Suppression, SuppressionReason


class NoticeKind(StrEnum):
    """The kinds of notices."""

    CONFIRMATION = "confirmation"  # of a sign-up
    WELCOME = "welcome"
    OLD_ADDRESS = "old address"  # of a change of address, to the present address
    NEW_ADDRESS = "new address"  # of a change of address, to the new address
    DATA = "data link"
    STAFF = "staff"  # to a person of the staff, about an edition or a date; not to a reader


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeLimits:
    """How many notices there may be within `window`, to one mailbox and for one reader."""

    each: int = 3  # of one kind
    all: int = 6
    window: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeCounts:
    """How many notices there were within the window: of the same kind, and of all kinds."""

    each: int = 0
    all: int = 0


def is_within(limits: NoticeLimits, *counted: NoticeCounts) -> bool:
    """Tell whether one more notice is allowed, after those counted for its mailbox and its reader."""
    return all(counts.each < limits.each and counts.all < limits.all for counts in counted)


def mailbox_of(folded: str) -> str:
    """Return a key that is the same for the addresses of one mailbox; use it only for counting.

    The part after a plus is left out, and so are the dots in addresses of Gmail. Two readers may have such
    addresses on purpose, so nothing else treats them as equal.
    """
    local, _, domain = folded.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        return f"{local.replace('.', '')}@{_GMAIL[0]}"
    return f"{local}@{domain}"


_GMAIL = ("gmail.com", "googlemail.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The present state of a queued notice's link, reader and address."""

    kind: NoticeKind
    expires_at: datetime
    has_link: bool  # whose link has not been used, and has not become void
    reader: SubscriberState | None
    suppression: SuppressionReason | None


def obstacle(standing: Standing, now: datetime) -> str:
    """Return the reason why a queued notice must not be sent any more; empty if it may be sent."""
    if not is_mailed(standing.kind, standing.suppression):
        return WITHHELD
    if now >= standing.expires_at:
        return "its link has expired"
    if standing.kind is NoticeKind.STAFF:
        return ""
    if standing.kind is NoticeKind.WELCOME:
        return "" if standing.reader is SubscriberState.ACTIVE else "its reader has unsubscribed"
    return "" if standing.has_link else "its link has been used or is void"


WITHHELD = "the address must not be mailed"


def is_mailed(kind: NoticeKind, suppression: SuppressionReason | None) -> bool:
    """Tell whether a notice may go to an address that is suppressed for this reason; None: it is not."""
    if suppression is None:
        return True
    return kind in _CONFIRMS and suppression in _LIFTED_BY_CONFIRMING


def stays_suppressed(suppression: Suppression | None) -> bool:
    """Tell whether an address remains suppressed even if its owner confirms."""
    return suppression is not None and suppression.reason not in _LIFTED_BY_CONFIRMING


# Readers who had their data erased may change their minds, and a mailbox may work again. A confirmation that
# arrives and is answered proves this, and nothing else does.
_LIFTED_BY_CONFIRMING = (SuppressionReason.ERASED, SuppressionReason.BOUNCE)
_CONFIRMS = (NoticeKind.CONFIRMATION, NoticeKind.NEW_ADDRESS)
