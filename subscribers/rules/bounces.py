"""Decide what kind of bounce a refusal is, and when an address must not be mailed any more. Pure.

    the first rule that matches                                                 the kind
    the text says that the mailbox is full; 552 or x.2.2, unless it is about us soft
    status x.7.x, x.1.7, x.1.8; the text names another cause than the mailbox:
      spam, policy, access, the sender, the rate, the reader's own choice, a
      fault of a machine or of DNS                                              other
    status x.3.4, 5.2.3; any other code of 4xx or status of 4.x.x               other
    status 5.1.1, .2, .3, .6, .10; 5.2.1; 5.4.1, .4; the text says unknown      hard
    anything else                                                               other

In doubt, mailing goes on: a refusal that is not understood, or may be about us or about the route, says
nothing about the mailbox. A clear text counts more than the status, because some servers answer 5.0.0 to
everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import SuppressionReason
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


def kind_of(code: int | None, status: str, text: str) -> BounceKind:
    """Return the kind of a refusal, by its reply code, its status (RFC 3463) and its text.

    An unknown code is None, and an unknown status or text is empty. The table at the top shows the rules.
    """
    is_about_us = bool(_OUR_STATUS.match(status) or _ABOUT_US.search(text) or _OUR_QUOTA.search(text))
    is_full = _FULL.search(text) and not _OUR_QUOTA.search(text)
    if is_full or ((code == 552 or status[1:] == ".2.2") and not is_about_us):
        return BounceKind.OTHER if _TOO_LARGE.search(status) else BounceKind.SOFT
    is_permanent = not (status.startswith("4.") or (code is not None and code < 500))
    if is_about_us or not is_permanent or _TOO_LARGE.search(status) or _names_another_cause(status, text):
        return BounceKind.OTHER
    return BounceKind.HARD if status in _DEAD or _UNKNOWN.search(text) else BounceKind.OTHER


def _names_another_cause(status: str, text: str) -> bool:
    # Microsoft says "access denied" with 5.4.1 if there is no such recipient; elsewhere it is about us.
    said = _NO_RECIPIENT.sub("", text) if status == "5.4.1" else text
    return _ANOTHER_CAUSE.search(said) is not None


def status_in(text: str) -> str:
    """Return the first status (RFC 3463) in a server's text, or an empty text."""
    found = _STATUS.search(text)
    return found[0] if found else ""


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


_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"(?<![\w.:@])[45]\d\d(?![\w.:@])")
# Microsoft answers 5.4.1 if there is no such recipient.
_DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4"})
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
_ABOUT_US = re.compile(
    r"spam|junk|unsolicited|bulk|block|black|deny|dnsbl|\brbl\b|polic|reputation|dmarc|\bspf\b|dkim|complain"
    r"|authenticat|banned|virus|malware|sender|\bhelo\b|\behlo\b|\bfrom address|originator|\brelay|verif"
    r"|your (?:account|domain|ip|server|host)|\brate\b|too (?:many|much|fast|quickly)|temporar",
    re.IGNORECASE,
)
_OUR_STATUS = re.compile(r"[45]\.(?:7\.\d+|1\.[78])$")  # policy; the sender's address
_OUR_QUOTA = re.compile(
    r"\b(?:sending|hourly|daily|rate|sender(?:'s)?|messages?|connections?)\W+(?:\w+\W+)?quota", re.IGNORECASE
)
_NO_RECIPIENT = re.compile(r"recipient address rejected: access denied", re.IGNORECASE)
# Words for other causes than the mailbox. They count more than 5.1.1 or "user", which servers add to many
# refusals: "550 5.1.1 the user's server is busy".
_THE_TEXT = r"phish|suspicious|\bcontent|attachment|filter|\bheaders?\b"
_ACCESS = (
    r"\bdenied|forbidden|prohibit|permission|not (?:allowed|permitted|authori[sz]ed)|unauthori[sz]ed"
    r"|\baccess\b|restrict|(?<!not )\blisted (?:in|by|at|on)\b"
)
_THE_SENDER = (
    r"client host|\bptr\b|\brdns\b|reverse (?:dns|lookup)|\bfrom:? (?:header|field|domain)|\bmail from\b"
    r"|\b(?:return|reverse|envelope)[ -](?:address|path)|your (?:e-?mail )?address|your network"
)
_THE_RATE = (
    r"too often|throttl|excessive|flood|gr[ea]ylist|frequen|\blimits?\b|\blater\b|at this time"
    r"|currently (?:un|not )|not found,? try again"
)
_OWN_CHOICE = (
    r"accept\w*\b[^.;]{0,40}\bfrom\b|(?:not|n't|no longer) (?:want|wish)|unwanted|unwelcome|declin|opted"
    r"|refuses (?:your|this|any|mail|messages?|e-?mails?)|unsubscrib|preference|\bsettings\b|moderat|vacation"
    r"|out of office|(?:allow|white|safe)[ -]?list|contact list|contacts\b|members only"
    r"|only (?:accept|known|approved|members)"
)
_A_FAULT = (
    r"(?:server|(?<!name )service|system|database|store|backend|directory|ldap|network|connection|disk"
    r"|internal|lookup|configuration|resolver|dns)"
    r"(?: (?:is|was|are|has|had|an?|currently|too|internal|lookup|query|service)){0,4}"
    r" (?:unavailable|not available|not respond|unreachable|error\b(?!.*nxdomain)|fail|fault|down\b|offline"
    r"|busy|problem|trouble|full\b)"
    r"|servfail|overload|maintenance|\bloop|\bhops?\b|misconfigur|malfunction|time[d -]*out|out of memory"
    r"|insufficient (?:system|disk|memory|resource)"
    r"|(?:unable|failed) to (?:look|resolve|connect|contact|reach)"
)
_ANOTHER_CAUSE = re.compile(
    "|".join((_THE_TEXT, _ACCESS, _THE_SENDER, _THE_RATE, _OWN_CHOICE, _A_FAULT)), re.IGNORECASE
)
