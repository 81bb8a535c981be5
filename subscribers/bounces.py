"""What came back: whether a refusal is about the mailbox, and from when an address is mailed no more. Pure.

    the first that holds                                                      then it is
    a status of 5.2.3, 5.3.4: the mail is too large                           blocked
    a code of 4xx, a status of 4.x.x; 552, 5.2.2; the words say it is full    soft
    status 5.1.1, .2, .3, .6, .10; 5.2.1; 5.4.1, .4; the words say unknown    hard (*)
    any other status of 5.1.x, 5.5.x, 5.6.x, 5.7.x; the words speak of us     blocked
    anything else                                                             soft

(*) The words not with 5.1.7, 5.1.8 and 5.7.x, which speak of the sender.

The words go before the status where they are plain: some servers answer 5.0.0 to everything, and some 5.5.0
where there is no such mailbox. What is not understood is soft, for that has to come again and again before
it means anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import SuppressionReason

SOFT_DAYS = 5  # with a soft bounce on each, for an address to be given up
SPAN = timedelta(days=30)  # within which bounces count together
MAIL, SERVER = "mail", "server"  # where a bounce comes from: a report, or an answer on the line
_LONGEST = 300  # characters of a reason that are kept


class BounceKind(StrEnum):
    """What a bounce says."""

    HARD = "hard"  # there is no such mailbox, or it takes nothing any more
    SOFT = "soft"  # it was full, away, or nobody knows
    BLOCKED = "blocked"  # its server does not want our mail; of the mailbox it says nothing
    COMPLAINT = "complaint"  # its reader says that our mail is junk


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """One report that a mail did not arrive, or was not wanted."""

    kind: BounceKind
    at: datetime
    source: str  # MAIL or SERVER
    edition: str = ""  # whose mail it is about, if that is known
    reason: str = ""  # what the server said; no address is in it


def judge(bounce: Bounce, before: Iterable[Bounce]) -> SuppressionReason | None:
    """Decide whether an address must not be mailed any more, by a bounce and those `before` it.

    A complaint is enough by itself, and so is a hard bounce by mail. On the line hard is enough when it was
    said of two editions within SPAN: a server that is set up wrongly says it of everybody for a while. Soft
    ones are when there was one on each of SOFT_DAYS days within SPAN; what is blocked never is.
    """
    lately = [each for each in before if bounce.at - SPAN < each.at <= bounce.at]
    if bounce.kind is BounceKind.COMPLAINT:
        return SuppressionReason.COMPLAINT
    if bounce.kind is BounceKind.HARD:
        told = bounce.source == MAIL or any(_confirms(bounce, each) for each in lately)
        return SuppressionReason.BOUNCE if told else None
    if bounce.kind is BounceKind.BLOCKED:
        return None
    return SuppressionReason.BOUNCE if soft_days(bounce, lately) >= SOFT_DAYS else None


def soft_days(bounce: Bounce, before: Iterable[Bounce]) -> int:
    """Count the days with a soft bounce in the SPAN that ends with `bounce`, which is one of them."""
    soft = [
        each for each in before if each.kind is BounceKind.SOFT and bounce.at - SPAN < each.at <= bounce.at
    ]
    return len({each.at.date() for each in (bounce, *soft)})


def _confirms(bounce: Bounce, before: Bounce) -> bool:
    return before.kind is BounceKind.HARD and before.edition != bounce.edition


def kind_of(code: int | None, status: str, text: str) -> BounceKind:
    """Tell what a refusal says of a mailbox: its reply code, its status (RFC 3463), its words.

    What is not known is None, or empty. See the table at the top.
    """
    if status in _TOO_LARGE:
        return BounceKind.BLOCKED
    if status.startswith("4.") or (code is not None and code < 500) or code == 552 or status == "5.2.2":
        return BounceKind.SOFT
    if _FULL.search(text):
        return BounceKind.SOFT
    if status in _DEAD or (_UNKNOWN.search(text) and not status.startswith(_NEVER_HARD)):
        return BounceKind.HARD
    if status.startswith(_OF_US) or _UNWANTED.search(text):
        return BounceKind.BLOCKED
    return BounceKind.SOFT


def status_in(text: str) -> str:
    """Return the status (RFC 3463) that a server's words begin with or hold, or nothing."""
    found = _STATUS.search(text)
    return found[0] if found else ""


def plain_reason(text: str) -> str:
    """Return what a server said as one short line, with whatever looks like an address left out."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * _LONGEST])
    return " ".join(_ADDRESS.sub("…", shown).split())[:_LONGEST]


_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_DEAD = frozenset(
    {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4"}
)  # 5.4.1 is how Microsoft says that there is no such recipient
_TOO_LARGE = frozenset({"5.2.3", "5.3.4"})
_NEVER_HARD = ("5.7.", "5.1.7", "5.1.8")  # the sender's address is meant, or who sends at all
_OF_US = ("5.1.", "5.5.", "5.6.", "5.7.")
_ADDRESS = re.compile(r"\S*@\S*")
_FULL = re.compile(
    r"\bfull\b|quota|exceeded|storage|out of (?:disk )?space|too (?:many|much|large|big|quickly)|\brate\b"
    r"|try again|temporar",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"(?:user|mailbox|recipient|account|address|alias|domain)\b[^.;]{0,60}?"
    r"\b(?:unknown|not found|not exist|n[o']t exist|doesn't exist|unavailable|not available|disabled|inactive"
    r"|deactivated|suspended|closed|invalid|not known|no longer)"
    r"|(?:unknown|no such|invalid|bad|nonexistent|non-existent|inactive) "
    r"(?:\w+ )?(?:user|mailbox|recipient|account|address|person|alias|domain)"
    r"|(?:doesn't|does not) have an? (?:\S+ )?account|(?:host|domain)(?: name)? not found"
    r"|no mailbox (?:here )?by that name|null mx|unrouteable (?:address|mail domain)",
    re.IGNORECASE,
)
_UNWANTED = re.compile(
    r"spam|junk|unsolicited|bulk|block|blacklist|deny|denied|dnsbl|\brbl\b|polic|reputation|dmarc|\bspf\b|dkim"
    r"|authenticat|reject|refus|banned|content|virus|malware",
    re.IGNORECASE,
)
