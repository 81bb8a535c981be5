"""The lists of other programs, as a table: how each is recognised, and what its columns mean.

To add a program, add a row to FORMATS. Names of columns are written as `plain_name` returns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from subscribers.files.states import (
    ACTIVE,
    BOUNCED,
    FALSE,
    FLAGS,
    STATUS,
    TRUE,
    UNCONFIRMED,
    UNSUBSCRIBED,
    WORDS,
    StateRule,
    agreed,
    at_time,
    listed,
    marked,
    plain_name,
)
from subscribers.rules.imports import EntryState

Names = tuple[str, ...]

ADDRESS: Names = (  # by rank, because a postal address may be in a column called Address
    *("email address", "e mail address", "email", "e mail", "mail", "subscriber email"),
    *("subscribed address", "subscribed addresses", "address"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFormat:
    """The format of one program's list."""

    name: str
    marks: frozenset[str] = frozenset()  # a file has this format if it has all these columns,
    one_of: frozenset[str] = frozenset()  # and at least one of these,
    capitals: bool = False  # and the names of the marks are in capitals,
    file_prefix: str = ""  # and the name of the file begins like this
    columns: Mapping[str, Names] = field(default_factory=dict)  # for each field of ours, its names by rank
    states: Mapping[str, StateRule] = field(default_factory=dict)
    harmless: frozenset[str] = frozenset()  # columns whose names look like states, and which are none
    always: EntryState = ACTIVE  # the state of every line, if its columns say nothing worse
    advice: str = ""  # a sentence about such files for the operator

    def fits(self, header: Sequence[str], file_name: str) -> bool:
        """Return whether a file with these column names has this format."""
        names = {plain_name(cell) for cell in header}
        return (
            self.marks <= names
            and (not self.one_of or bool(self.one_of & names))
            and (not self.capitals or all(c.isupper() for c in header if plain_name(c) in self.marks))
            and file_name.casefold().startswith(self.file_prefix)
        )

    def rule_of(self, name: str) -> StateRule | None:
        """Return the rule of a column that says who may be mailed; None for any other column."""
        if name in self.harmless:
            return None
        return self.states.get(name) or FLAGS.get(name)


def recognise(header: Sequence[str], file_name: str) -> ListFormat:
    """Return the format of a file; GENERIC if it is none of the known ones."""
    return next((each for each in FORMATS if each.fits(header, file_name)), GENERIC)


GENERIC = ListFormat(
    name="",
    columns={
        "address": ADDRESS,
        "digest": ("digest", "digests", "list", "lists", "newsletter", "newsletters"),
        "topics": ("topics", "topic", "interests"),
        "hour": ("hour", "time"),
        "zone": ("zone", "timezone", "time zone", "tz"),
        "frequency": ("frequency",),
        "format": ("format",),
        "language": ("language", "lang", "locale"),
        "confirmed_at": (
            *("confirmed at", "confirmed", "confirm time", "confirmed on", "optin time", "opt in time"),
            *("subscribed at", "subscribed on"),
        ),
        "paused_until": ("paused until",),
        "client": ("confirm ip", "optin ip", "opt in ip", "ip", "ip address"),
        "tags": ("tags", "tag", "labels", "groups"),
    },
    states={"state": STATUS, "status": STATUS, "subscriber status": STATUS},
)

# ── Mailchimp ───────────────────────────────────────────────────────────────────────────────

_MAILCHIMP = frozenset({"member rating", "optin time", "leid", "euid"})
_MAILCHIMP_COLUMNS: Mapping[str, Names] = {
    "address": ADDRESS,
    "confirmed_at": ("confirm time", "optin time"),
    "client": ("confirm ip", "optin ip"),
    "tags": ("tags",),
}
_MAILCHIMP_HARMLESS = frozenset(
    {"unsub campaign title", "unsub campaign id", "unsub reason other", "clean campaign title"}
    | {"clean campaign id", "email type"}
)
# An address that was reported as spam stands among those that unsubscribed, and only the reason tells.
_REASON = StateRule(
    values=listed(complained="abuse, spam, complaint, abuse complaint, spam complaint, reported as spam"),
    other=ACTIVE,
)


def _mailchimp(part: str, marks: set[str], always: EntryState, *, prefix: str = "") -> ListFormat:
    return ListFormat(
        name=f"Mailchimp, {part}",
        marks=frozenset(marks),
        one_of=_MAILCHIMP,
        file_prefix=prefix,
        columns=_MAILCHIMP_COLUMNS,
        states={
            "unsub time": at_time(UNSUBSCRIBED),
            "unsub reason": _REASON,
            "clean time": at_time(BOUNCED),
        },
        harmless=_MAILCHIMP_HARMLESS,
        always=always,
    )


# ── values of single programs ───────────────────────────────────────────────────────────────

_LISTMONK = StateRule(values=listed(active="enabled", unsubscribed="disabled, blocklisted"), empty=None)
_LISTMONK_ONE_LIST = StateRule(
    values=listed(active="confirmed", unconfirmed="unconfirmed", unsubscribed="unsubscribed"), empty=None
)
_BUTTONDOWN = StateRule(
    values=listed(
        # These all get the free newsletter; the words are about payment.
        active="regular, premium, gifted, trialed, unpaid, churning, churned, past due, paused",
        unconfirmed="unactivated, unconfirmed",
        unsubscribed="unsubscribed, removed, disabled, spammy, blocked, malicious",
        bounced="undeliverable",
        complained="complained",
    ),
    empty=None,
)
_MAILPOET = StateRule(
    values=listed(
        active="subscribed",
        unconfirmed="unconfirmed",
        unsubscribed="unsubscribed, inactive",
        bounced="bounced",
    ),
    empty=None,
)
_MAILTRAIN = StateRule(
    values=WORDS | listed(active="1", unsubscribed="2", bounced="3", complained="4"), empty=None
)
_NO_MAIL = StateRule(
    values=dict.fromkeys((*FALSE, "enabled"), ACTIVE)
    | dict.fromkeys((*TRUE, "u", "a", "?", "by user", "by admin", "by moderator", "unknown"), UNSUBSCRIBED)
    | listed(unsubscribed="disabled", bounced="b, by bounces, by bounce")
)


def _everywhere(rule: StateRule) -> StateRule:
    return replace(rule, everywhere=True)


FORMATS = (
    _mailchimp("several files in one", {"unsub time", "clean time"}, ACTIVE),
    _mailchimp("unsubscribed", {"unsub time"}, UNSUBSCRIBED),
    _mailchimp("cleaned", {"clean time"}, BOUNCED),
    _mailchimp("not subscribed", {"optin time", "confirm time"}, UNCONFIRMED, prefix="nonsubscribed"),
    _mailchimp("unsubscribed", {"optin time", "confirm time"}, UNSUBSCRIBED, prefix="unsubscribed"),
    _mailchimp("cleaned", {"optin time", "confirm time"}, BOUNCED, prefix="cleaned"),
    _mailchimp("subscribed", {"optin time", "confirm time"}, ACTIVE),
    ListFormat(
        name="listmonk, subscriptions",
        marks=frozenset({"email", "subscription status"}),
        columns={
            "address": ADDRESS,
            "lists": ("list", "lists", "list name"),
            "confirmed_at": ("created at",),
        },
        states={
            "status": _everywhere(_LISTMONK),
            "subscriber status": _everywhere(_LISTMONK),
            "subscription status": _LISTMONK_ONE_LIST,
        },
    ),
    ListFormat(
        name="listmonk",
        marks=frozenset({"uuid", "email", "attributes", "status"}),
        columns={"address": ADDRESS, "confirmed_at": ("created at",)},
        states={"status": _LISTMONK},
        advice="listmonk does not write who unsubscribed from one list only; export the subscribers with the "
        "subscription status Unsubscribed too, add a column status with unsubscribed, and import them first",
    ),
    ListFormat(
        name="Ghost",
        marks=frozenset({"email", "subscribed to emails"}),
        columns={"address": ADDRESS, "confirmed_at": ("created at",), "tags": ("labels",)},
        states={"subscribed to emails": agreed(UNSUBSCRIBED), "deleted at": at_time(UNSUBSCRIBED)},
    ),
    ListFormat(
        name="Substack",
        marks=frozenset({"email", "active subscription"}),
        columns={"address": ADDRESS, "confirmed_at": ("created at",)},
        states={"email disabled": marked(UNSUBSCRIBED)},
        harmless=frozenset({"active subscription"}),  # it says who pays
    ),
    ListFormat(
        name="Substack, all columns",
        marks=frozenset({"email", "stripe plan", "start date"}),
        columns={"address": ADDRESS, "confirmed_at": ("start date",)},
        states={"cancel date": at_time(UNSUBSCRIBED)},
        harmless=frozenset({"type", "days active 30d", "state province"}),
        advice="people with a Cancel date are taken as unsubscribed; if they only ended a paid plan, add "
        '--ignore "Cancel date"',
    ),
    ListFormat(
        name="Buttondown",
        marks=frozenset({"creation date"}),
        one_of=frozenset({"type", "subscriber type"}),
        columns={
            "address": ADDRESS,
            "confirmed_at": ("creation date",),
            "client": ("ip address",),
            "tags": ("tags",),
        },
        states={"type": _BUTTONDOWN, "subscriber type": _BUTTONDOWN},
        # These stay when somebody comes back; the type has the present state.
        harmless=frozenset(
            {"unsubscription date", "unsubscription reason", "undeliverability date"}
            | {"undeliverability reason"}
        ),
    ),
    ListFormat(
        name="MailPoet",
        marks=frozenset({"email"}),
        one_of=frozenset({"list status", "global status"}),
        columns={
            "address": ADDRESS,
            "lists": ("list",),
            "confirmed_at": ("confirmed on", "confirmed at", "subscribed on", "created at"),
            "client": ("confirmed ip", "subscribed ip"),
            "tags": ("tags",),
        },
        states={"list status": _MAILPOET, "global status": _everywhere(_MAILPOET)},
    ),
    ListFormat(
        name="Mailtrain",
        marks=frozenset({"email", "status"}),
        one_of=frozenset({"created", "first name", "last name", "cid", "opt in", "opt in ip"}),
        capitals=True,
        columns={
            "address": ADDRESS,
            "confirmed_at": ("opt in", "created"),
            "client": ("opt in ip",),
            "tags": ("tags",),
        },
        states={"status": _MAILTRAIN},
    ),
    ListFormat(
        name="Mailman",
        one_of=frozenset({"nomail", "no mail", "mod", "delivery status"}),
        columns={"address": ADDRESS},
        states={"nomail": _NO_MAIL, "no mail": _NO_MAIL, "delivery status": _NO_MAIL},
    ),
)
