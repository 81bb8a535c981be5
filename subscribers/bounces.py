"""What came back: whether a refusal is about the mailbox, and from when an address is mailed no more. Pure.

    the first that holds                                                        then it is
    the words say that the mailbox is full; 552, x.2.2 without words of us      soft
    status x.7.x; the words speak of us: spam, lists, policy, sender, relay     other
    status x.3.4, 5.2.3; any other code of 4xx or status of 4.x.x               other
    status 5.1.1, .2, .3, .6, .10; 5.2.1; 5.4.1, .4; the words say unknown      hard
    anything else                                                               other

It errs to the side of mailing on: what is not understood, or may be about us, or the way there, says nothing
of a mailbox. The words go before the status where they are plain: some servers answer 5.0.0 to everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import SuppressionReason
from subscribers.text import printable, without_addresses

SOFT_DAYS = 5  # with a soft bounce on each, for an address to be given up
SPAN = timedelta(days=30)  # within which bounces count together
APART = timedelta(hours=20)  # a day, for those who send a little earlier the next
MAIL, SERVER = "mail", "server"  # where a bounce comes from: a report, or an answer on the line
_LONGEST = 300  # characters of a reason that are kept


class BounceKind(StrEnum):
    """What a bounce says."""

    HARD = "hard"  # there is no such mailbox, or it takes nothing any more
    SOFT = "soft"  # it is full
    OTHER = "other"  # its server does not want our mail, or was not reached: of the mailbox it says nothing
    COMPLAINT = "complaint"  # its reader says that our mail is junk


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """One report that a mail did not arrive, or was not wanted."""

    kind: BounceKind
    at: datetime
    source: str  # MAIL or SERVER
    edition: str = ""  # whose mail it is about, if that is known
    reason: str = ""  # what the server said, addresses left out as far as they are found


def judge(bounce: Bounce, before: Sequence[Bounce]) -> SuppressionReason | None:
    """Decide whether an address must not be mailed any more, by a bounce and those `before` it.

    A complaint is enough by itself, and so is a hard bounce by mail. On the line hard is enough when it was
    said of two editions, APART and within SPAN: a server that is set up wrongly says it of everybody for a
    while. Soft ones are when there was one on each of SOFT_DAYS days within SPAN; others never are.
    """
    if bounce.kind is BounceKind.COMPLAINT:
        return SuppressionReason.COMPLAINT
    if bounce.kind is BounceKind.HARD:
        told = bounce.source == MAIL or any(_confirms(bounce, each) for each in before)
        return SuppressionReason.BOUNCE if told else None
    if bounce.kind is BounceKind.OTHER:
        return None
    return SuppressionReason.BOUNCE if soft_days(bounce, before) >= SOFT_DAYS else None


def soft_days(bounce: Bounce, before: Sequence[Bounce]) -> int:
    """Count the days with a soft bounce in the SPAN that ends with `bounce`, which is one of them."""
    soft = [
        each for each in before if each.kind is BounceKind.SOFT and bounce.at - SPAN < each.at <= bounce.at
    ]
    return len({each.at.date() for each in (bounce, *soft)})


def _confirms(bounce: Bounce, before: Bounce) -> bool:
    apart = APART <= bounce.at - before.at < SPAN
    return apart and before.kind is BounceKind.HARD and before.edition != bounce.edition


def kind_of(code: int | None, status: str, text: str) -> BounceKind:
    """Tell what a refusal says of a mailbox: its reply code, its status (RFC 3463), its words.

    What is not known is None, or empty. See the table at the top.
    """
    of_us = bool(status[1:4] == ".7." or _OF_US.search(text))
    if _FULL.search(text) or ((code == 552 or status[1:] == ".2.2") and not of_us):
        return BounceKind.OTHER if _TOO_LARGE.search(status) else BounceKind.SOFT
    lasting = not (status.startswith("4.") or (code is not None and code < 500))
    if of_us or not lasting or _TOO_LARGE.search(status):
        return BounceKind.OTHER
    return BounceKind.HARD if status in _DEAD or _UNKNOWN.search(text) else BounceKind.OTHER


def status_in(text: str) -> str:
    """Return the status (RFC 3463) that a server's words begin with or hold, or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def plain_reason(text: str) -> str:
    """Return what a server said as one short line, with whatever looks like an address left out.

    A server may spell one in ways that are not found: for the database, not for a log; see `brief`.
    """
    return without_addresses(printable(text[: 4 * _LONGEST]))[:_LONGEST]


def brief(reason: str) -> str:
    """Return the code and the status of a reason alone: "550 5.1.1"."""
    code = _CODE.search(reason)
    return " ".join(part for part in (code[0] if code else "", status_in(reason)) if part)


_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"(?<![\w.:@])[45]\d\d(?![\w.:@])")
_DEAD = frozenset(
    {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4"}
)  # 5.4.1 is how Microsoft says that there is no such recipient
_TOO_LARGE = re.compile(r"[45]\.(?:2\.3|3\.4)$")
_FULL = re.compile(
    r"quota|(?:mailbox|account|inbox|folder|maildir)[^.;]{0,30} full\b|(?:exceeded|out of) storage",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"(?:user|mailbox|recipient|account|address|alias|domain)\b[^.;]{0,60}?"
    r"\b(?:unknown|not found|not exist|n[o']t exist|doesn't exist|unavailable|not available|disabled|inactive"
    r"|deactivated|closed|invalid|not known|no longer)"
    r"|(?:unknown|no such|invalid|bad|nonexistent|non-existent|inactive) "
    r"(?:\w+ )?(?:user|mailbox|recipient|account|address|person|alias|domain)"
    r"|(?:doesn't|does not) have an? (?:\S+ )?account|(?:host|domain)(?: name)? not found"
    r"|no mailbox (?:here )?by that name|null mx|unrouteable (?:address|mail domain)",
    re.IGNORECASE,
)
_OF_US = re.compile(
    r"spam|junk|unsolicited|bulk|block|black|deny|dnsbl|\brbl\b|polic|reputation|dmarc|\bspf\b|dkim|complain"
    r"|authenticat|banned|virus|malware|sender|\bhelo\b|\behlo\b|\bfrom address|originator|\brelay|verif"
    r"|your (?:account|domain|ip|server|host)|\brate\b|too (?:many|much|fast|quickly)|temporar",
    re.IGNORECASE,
)
