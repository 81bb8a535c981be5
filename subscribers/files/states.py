"""Read what another program's list says about an address: one rule for each kind of column.

A value that no rule understands has no state, and its line is left out. So nobody is mailed by mistake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from subscribers.rules.imports import EntryState

ACTIVE, UNCONFIRMED, UNSUBSCRIBED, BOUNCED, COMPLAINED = EntryState

TRUE = frozenset({"1", "true", "t", "yes", "y", "x", "on"})
FALSE = frozenset({"0", "false", "f", "no", "n", "off"})
# Whatever the reason elsewhere, an address that must not be mailed there is not mailed here.
WORDS: dict[str, EntryState] = {
    word: state
    for state, words in {
        ACTIVE: "active, subscribed, confirmed, enabled, verified, opted in, opt in",
        UNCONFIRMED: "pending, unconfirmed, unverified, unactivated, not confirmed, awaiting confirmation",
        UNSUBSCRIBED: "unsubscribed, unsubscribe, removed, left, opted out, opt out, suppressed, blocked, "
        "blocklisted, blacklisted, banned, disabled, deleted, inactive, deactivated, cancelled, canceled",
        BOUNCED: "bounced, bounce, hard bounced, hard bounce, cleaned, undeliverable, invalid",
        COMPLAINED: "complained, complaint, spam, spam complaint, marked as spam, reported as spam, abuse",
    }.items()
    for word in words.split(", ")
}
_DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}(?!\d)")
_NO_DATE = re.compile(r"0{4}-00-00")  # as MySQL writes that there is no date


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule:
    """The meaning of the values in one column; a value that is in none of the fields is not understood."""

    values: Mapping[str, EntryState] = field(default_factory=dict)  # as `plain_value` writes them
    empty: EntryState | None = ACTIVE
    date: EntryState | None = None  # for a value that is a date
    other: EntryState | None = None  # for all other values
    everywhere: bool = False  # the state is for all digests, whatever list the line names

    def state_of(self, cell: str) -> EntryState | None:
        """Return the state that a cell stands for; None if its value is not understood."""
        value = plain_value(cell)
        if not value or _NO_DATE.match(cell):
            return self.empty
        if value in self.values:
            return self.values[value]
        return self.date if self.date is not None and _DATE.match(cell) else self.other


def plain_value(cell: str) -> str:
    """Return a value in lower case, with spaces for hyphens and underscores: "Opted-Out" is "opted out"."""
    return " ".join(re.sub(r"[-_\s\[\]]+", " ", cell.casefold()).split())


def plain_name(cell: str) -> str:
    """Return the name of a column in lower case, with a space for everything but letters and digits."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", cell) if not unicodedata.combining(char))
    return " ".join(re.findall(r"[a-z0-9]+", bare.casefold()))


def marked(state: EntryState) -> StateRule:
    """Return the rule of a column such as "bounced": yes, 1 or a date mean that state."""
    values = dict.fromkeys(TRUE, state) | dict.fromkeys(FALSE, ACTIVE)
    return StateRule(values=WORDS | values, date=state)


def at_time(state: EntryState) -> StateRule:
    """Return the rule of a column such as "unsub time": whatever it contains means that state."""
    return StateRule(other=state)


def agreed(no: EntryState, *, empty: EntryState | None = None) -> StateRule:
    """Return the rule of a column such as "subscribed": yes, 1 or a date mean active, no or 0 mean `no`."""
    values = dict.fromkeys(TRUE, ACTIVE) | dict.fromkeys(FALSE, no)
    return StateRule(values=WORDS | values, date=ACTIVE, empty=empty)


def listed(**states: str) -> dict[str, EntryState]:
    """Return a table of values: listed(active="regular, premium", bounced="undeliverable")."""
    return {
        value: EntryState[name.upper()] for name, values in states.items() for value in values.split(", ")
    }


STATUS = StateRule(
    values=WORDS | dict.fromkeys(TRUE, ACTIVE) | dict.fromkeys(FALSE, UNSUBSCRIBED)
)  # an empty cell is active, as in lists where only a few lines have a state

_UNSUBSCRIBED = """
unsubscribed, unsubscribe, unsub, is unsubscribed, unsubscribed at, unsubscribed on, unsubscribed date,
unsubscribe date, unsubscribe time, unsubscription date, unsub time, unsub date, opt out, optout, opted out,
opt out date, opt out time, optout time, email opt out, has opted out of email, deleted, deleted at,
is deleted, disabled, is disabled, email disabled, suppressed, is suppressed, blocked, blocklisted,
blacklisted, blacklist, inactive, deactivated, left, removed
"""
_BOUNCED = """
bounced, bounce, is bounced, bounced at, bounce date, hard bounced, hard bounce, cleaned, clean time,
undeliverable
"""
_COMPLAINED = """
complained, complaint, is complained, complained at, complaint date, spam, spam complaint, marked as spam,
abuse
"""
_SUBSCRIBED = "active, is active, subscribed, is subscribed, enabled, is enabled"
_CONFIRMED = "confirmed, is confirmed, verified, is verified, email confirmed"

# Columns that mean the same in the lists of all programs.
FLAGS: Mapping[str, StateRule] = {
    name.strip(): rule
    for names, rule in (
        (_UNSUBSCRIBED, marked(UNSUBSCRIBED)),
        (_BOUNCED, marked(BOUNCED)),
        (_COMPLAINED, marked(COMPLAINED)),
        (_SUBSCRIBED, agreed(UNSUBSCRIBED)),
        (_CONFIRMED, agreed(UNCONFIRMED, empty=UNCONFIRMED)),
    )
    for name in names.split(",")
}

# Parts of names that speak of a state, wherever they stand, and whole words that do.
_PARTS = re.compile(
    r"unsub|bounc|clean|disabl|delet|complain|status|confirm|suppress|optout|optedout|blocklist|blacklist"
    r"|inactiv|deactiv|undeliv|abgemeld|abbestell|gesperrt|desabonn|desinscri"
)
_WORD = re.compile(
    r"\b(?:type|active|enabled|subscribed|verified|blocked|banned|removed|left|spam|abuse|invalid|nomail)\b"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def may_be_a_state(name: str) -> bool:
    """Return whether the name of a column looks as if it said who may be mailed."""
    words = plain_name(_HUMP.sub(" ", name))
    return bool(_PARTS.search(words.replace(" ", "")) or _WORD.search(words))
