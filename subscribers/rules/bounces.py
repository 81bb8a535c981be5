"""Decide what kind of bounce a refusal is, and when an address must not be mailed any more. Pure.

    the cause (see `answers`)                      the kind
    MAILBOX: the mailbox does not exist            hard
    FULL: the mailbox is full                      soft
    anything else                                  other

In doubt, mailing goes on: a refusal that is not understood, or may be about us or about the route, says
nothing about the mailbox.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import SuppressionReason
from subscribers.rules.answers import Answer, Answered, Cause, cause_of, status_in
from subscribers.text import printable, without_addresses

SOFT_DAYS = 5  # after soft bounces on so many days an address is suppressed
SPAN = timedelta(days=30)  # only bounces within this span count together
APART = timedelta(hours=20)  # a day, with some room for a digest that goes out a little earlier the next day
MAIL, SERVER = "mail", "server"  # the source of a bounce: a report by email, or a reply on the connection
_LONGEST = 300  # characters of a reason that are kept


class BounceKind(StrEnum):
    """The meaning of a bounce for the mailbox."""

    HARD = "hard"  # the mailbox does not exist, or does not accept messages any more
    SOFT = "soft"  # the mailbox is full
    OTHER = "other"  # nothing: its server does not want our mail, or was not reached
    COMPLAINT = "complaint"  # its reader reported our mail as junk


_KINDS = {Cause.MAILBOX: BounceKind.HARD, Cause.FULL: BounceKind.SOFT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """One report that a message did not arrive, or was not wanted."""

    kind: BounceKind
    at: datetime
    source: str  # MAIL or SERVER
    edition: str = ""  # the edition that bounced, if it is known
    reason: str = ""  # the server's text, without the addresses that could be found in it


def judge(bounce: Bounce, before: Sequence[Bounce]) -> SuppressionReason | None:
    """Decide whether an address must not be mailed any more, after a bounce and those `before` it.

    One complaint is enough, and so is one hard bounce in a report. Soft bounces are enough if they occurred
    on SOFT_DAYS days within SPAN. Other bounces are never enough.
    """
    if bounce.kind is BounceKind.COMPLAINT:
        return SuppressionReason.COMPLAINT
    if bounce.kind is BounceKind.HARD:
        # On the connection, a server that is set up wrongly refuses every recipient for a while. So a hard
        # refusal there must be confirmed by that of another edition, at least APART and within SPAN.
        is_certain = bounce.source == MAIL or any(_confirms(bounce, each) for each in before)
        return SuppressionReason.BOUNCE if is_certain else None
    if bounce.kind is BounceKind.OTHER:
        return None
    return SuppressionReason.BOUNCE if soft_days(bounce, before) >= SOFT_DAYS else None


def soft_days(bounce: Bounce, before: Sequence[Bounce]) -> int:
    """Return the number of days with a soft bounce in the SPAN that ends with `bounce`, its day included."""
    soft = [
        each for each in before if each.kind is BounceKind.SOFT and bounce.at - SPAN < each.at <= bounce.at
    ]
    return len({each.at.date() for each in (bounce, *soft)})


def _confirms(bounce: Bounce, before: Bounce) -> bool:
    apart = APART <= bounce.at - before.at < SPAN
    return apart and before.kind is BounceKind.HARD and before.edition != bounce.edition


def kind_of(code: int | None, status: str, text: str, step: Answered | None = None) -> BounceKind:
    """Return the kind of a refusal, by its reply code, its status (RFC 3463), its text and the part refused.

    An unknown code or step is None, and an unknown status or text is empty.
    """
    cause = cause_of(Answer(step=step, code=code, status=status, text=text))
    return _KINDS.get(cause, BounceKind.OTHER)


def plain_reason(text: str) -> str:
    """Return a server's text as one short line, without anything that looks like an address.

    A server may spell an address in ways that are not found. So the line may go into the database, but not
    into a log; see `short_reason`.
    """
    return without_addresses(printable(text[: 4 * _LONGEST]))[:_LONGEST]


def short_reason(reason: str) -> str:
    """Return only the code and the status of a reason: "550 5.1.1"."""
    code = _CODE.search(reason)
    return " ".join(part for part in (code[0] if code else "", status_in(reason)) if part)


_CODE = re.compile(r"(?<![\w.:@])[45]\d\d(?![\w.:@])")
