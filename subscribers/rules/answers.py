"""Decide why a mail server has not accepted a message, by its answer. Pure.

    the first rule that matches                                                     the cause
    530, 534, 535, 538; any refusal of the log-in                                   LOGIN
    words about an allowance of ours by the hour, day or month, or for our account;
      status 5.1.90, 5.4.5                                                          QUOTA
    432; words about too many connections at once                                   CONNECTIONS
    after a message was accepted on this connection: words about the session; 421;
      any 4xx in answer to the sender; too many messages or recipients              SESSION
    words about our rate; a 4xx in answer to the connection or the sender, but not
      4.3.x, which is trouble of its own                                            RATE
    4xx with 4.7.x, or that there is too much, in answer to a recipient or text     RATE, DOMAIN, UNSURE (*)
    the mailbox is full; it does not exist (see `_of_a_mailbox`)                    FULL, MAILBOX
    5xx in answer to the connection; words about our address, reputation or sender;
      5xx from a server that has accepted nothing, while another server is there    US
    anything else                                                                   MESSAGE

The digits alone say little: providers answer 554 5.2.0 or 550 5.1.90 when a quota is used up. So the words
count first, then the status, then the code. The words about a mailbox count only in answer to the recipient,
because a filter that has read the text may say "user unknown" too.

(*) It is about the domain if the server goes on to accept messages for other domains, but none for this
one, and about the server if several domains get this answer. The first such answer may be about either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from subscribers.rules.answer_words import (
    ABOUT_US,
    ACCOUNT_QUOTA,
    ALLOWANCE,
    ANOTHER_CAUSE,
    CONNECTION_RATE,
    CONNECTIONS,
    FULL,
    GREYLISTED,
    INCOMING,
    NO_RECIPIENT,
    OUR_QUOTA,
    OUR_RATE,
    OUR_STATUS,
    OWN_CHOICE,
    PERIOD,
    REFUSES_US,
    SENDER_STATUS,
    SESSION,
    SIZE,
    TOO_LARGE,
    TOO_MUCH,
    UNKNOWN,
)

_ALIKE, _SERVED = 3, 6  # answers, and messages to others, that are enough to tell a domain from its server
_MANY = 3  # domains, with which the answer is about the server
_LOGIN_CODES = frozenset({530, 534, 535, 538})  # RFC 4954 §6
_QUOTA_STATUSES = frozenset({"5.1.90", "5.4.5"})  # Microsoft 365, Google Workspace
# Microsoft answers 5.4.1 if there is no such recipient.
_DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1", "5.4.4"})


class Answered(StrEnum):
    """The part of a conversation that was refused. Only a refusal of the recipient is about the mailbox."""

    SENDER = "in answer to the sender"
    RECIPIENT = "in answer to the recipient"
    TEXT = "in answer to the text"  # or to the question whether the text may come
    CONNECTION = "in answer to the connection"
    LOGIN = "in answer to the log-in"


def answered_in(reply: str) -> Answered | None:
    """Return the part that a kept reply names; None if the recipient was refused, or it is not known."""
    return next((part for part in Answered if reply.startswith(f"{part}: ")), None)


class Cause(StrEnum):
    """Why a message was not accepted, and so what has to change before it can be."""

    MESSAGE = "message"  # nothing is known that would affect another message
    MAILBOX = "mailbox"  # it does not exist, or does not accept messages any more
    FULL = "full mailbox"
    DOMAIN = "domain"  # the reader's domain wants fewer messages in the same time
    SESSION = "session"  # this connection has done its work, and the next one may go on
    CONNECTIONS = "connections"  # the server wants fewer connections at once
    RATE = "rate"  # the server wants fewer messages in the same time
    UNSURE = "domain or rate"  # it is not known yet which of the two
    QUOTA = "quota"  # our allowance for this hour, day or month is used up
    LOGIN = "login"  # we have to log in, or to log in otherwise
    US = "us"  # the server does not take messages from our address, account or sender


OURS = frozenset({Cause.QUOTA, Cause.LOGIN, Cause.US})  # these affect all readers alike
# the same message is welcome later
PASSING = frozenset({Cause.SESSION, Cause.CONNECTIONS, Cause.RATE, Cause.UNSURE})


class Others(NamedTuple):
    """The answers that other messages get from the same server."""

    alike: int = 0  # answers like this one to the same domain, since it last accepted a message
    accepted: int = 0  # messages to other domains that were accepted since then
    domains: int = 0  # domains with such answers since they last accepted a message
    ever: bool = True  # the server has accepted a message in this run
    elsewhere: bool = False  # another server is there to take our messages


NOT_KNOWN = Others()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A refusal. An unknown step or code is None, and an unknown status (RFC 3463) or text is empty."""

    step: Answered | None = None
    code: int | None = None
    status: str = ""
    text: str = ""
    accepted: int = 0  # messages that were accepted on this connection before
    others: Others = NOT_KNOWN

    @property
    def is_final(self) -> bool:
        """Tell whether the code says that another try is useless."""
        return self.code is not None and self.code >= 500

    @property
    def is_for_now(self) -> bool:
        """Tell whether the code says that another try may help."""
        return self.code is not None and self.code < 500


def cause_of(answer: Answer) -> Cause:
    """Return the cause of a refusal; the table at the top of the module shows the rules."""
    others = answer.others
    cause = _cause_by_words(replace(answer, accepted=min(answer.accepted, 1), others=NOT_KNOWN))
    if cause is Cause.DOMAIN:
        if others.domains >= _MANY:
            return Cause.RATE
        if others.alike < _ALIKE:
            return Cause.UNSURE
        return Cause.DOMAIN if others.accepted >= _SERVED else Cause.RATE
    if answer.is_final and others.elsewhere and not others.ever and cause not in PASSING | OURS:
        return Cause.US
    return cause


@lru_cache(maxsize=512)  # a server gives the same few answers again and again
def _cause_by_words(answer: Answer) -> Cause:
    """Return the cause, by one answer alone."""
    text = answer.text
    if answer.step is Answered.LOGIN or answer.code in _LOGIN_CODES:
        return Cause.LOGIN
    if _is_our_quota(answer):
        return Cause.QUOTA
    if (answer.code == 432 or CONNECTIONS.search(text)) and not CONNECTION_RATE.search(text):
        return Cause.CONNECTIONS
    if passing := _passing(answer):
        return passing
    if answer.step in (None, Answered.RECIPIENT):
        mailbox = _of_a_mailbox(answer.code, answer.status, text)
        if mailbox is not Cause.MESSAGE:
            return mailbox
    said = REFUSES_US.search(text) and not OWN_CHOICE.search(text)
    refuses_us = said or answer.step is Answered.CONNECTION or SENDER_STATUS.match(answer.status)
    return Cause.US if answer.is_final and refuses_us else Cause.MESSAGE


def _passing(answer: Answer) -> Cause | None:
    """Return a cause that passes with time or with another connection, or None."""
    step, text, is_for_now = answer.step, answer.text, answer.is_for_now
    if GREYLISTED.search(text) or INCOMING.search(text):
        return None  # later, but about this recipient alone
    rate, session = OUR_RATE.search(text), SESSION.search(text)
    much = TOO_MUCH.search(text) and not SIZE.search(text) and answer.status[1:3] != ".2"  # the mailbox
    before_recipient = is_for_now and step in (Answered.CONNECTION, Answered.SENDER)
    if answer.accepted:
        # A new connection shows at once whether the session was over or we are too fast.
        too_many = is_for_now and much and not rate and step is Answered.RECIPIENT
        if session or answer.code == 421 or before_recipient or too_many:
            return Cause.SESSION
    # A server in trouble of its own (4.3.0, 4.3.1, …) defers the message like any other.
    in_trouble = answer.status.startswith("4.3.") and not much
    if rate or session or (before_recipient and not in_trouble):
        return Cause.RATE
    if answer.code == 421 or (is_for_now and (much or answer.status.startswith("4.7."))):
        return Cause.DOMAIN
    return None


def _is_our_quota(answer: Answer) -> bool:
    """Tell whether an allowance of ours is used up, for longer than a slower pace would help."""
    text = answer.text
    if answer.status in _QUOTA_STATUSES:
        return True
    if INCOMING.search(text) or SIZE.search(text):
        return False
    if PERIOD.search(text) and ALLOWANCE.search(text):
        return True
    return bool(ACCOUNT_QUOTA.search(text)) and answer.is_final and not OUR_RATE.search(text)


# ── the mailbox ─────────────────────────────────────────────────────────────────────────────


def _of_a_mailbox(code: int | None, status: str, text: str) -> Cause:
    """Return FULL, MAILBOX, or MESSAGE if the answer says nothing about the mailbox.

        the text says that the mailbox is full; 552 or x.2.2, unless it is about us    FULL
        status x.7.x, x.1.7, x.1.8; the text names another cause than the mailbox:
          spam, policy, access, the sender, the rate, the reader's own choice, a
          fault of a machine or of DNS                                                 MESSAGE
        status x.3.4, 5.2.3; any other code of 4xx or status of 4.x.x                  MESSAGE
        status 5.1.1, .2, .3, .6, .10; 5.2.1; 5.4.1, .4; the text says unknown         MAILBOX

    In doubt, mailing goes on. A clear text counts more than the status, because some servers answer 5.0.0 to
    everything.
    """
    is_about_us = bool(OUR_STATUS.match(status) or ABOUT_US.search(text) or OUR_QUOTA.search(text))
    is_full = FULL.search(text) and not OUR_QUOTA.search(text)
    if is_full or ((code == 552 or status[1:] == ".2.2") and not is_about_us):
        return Cause.MESSAGE if TOO_LARGE.search(status) else Cause.FULL
    is_permanent = not (status.startswith("4.") or (code is not None and code < 500))
    if is_about_us or not is_permanent or TOO_LARGE.search(status) or _names_another_cause(status, text):
        return Cause.MESSAGE
    return Cause.MAILBOX if status in _DEAD or UNKNOWN.search(text) else Cause.MESSAGE


def _names_another_cause(status: str, text: str) -> bool:
    # Microsoft says "access denied" with 5.4.1 if there is no such recipient; elsewhere it is about us.
    said = NO_RECIPIENT.sub("", text) if status == "5.4.1" else text
    return ANOTHER_CAUSE.search(said) is not None


def status_in(text: str) -> str:
    """Return the first status (RFC 3463) in a server's text, or an empty text."""
    found = _STATUS.search(text)
    return found[0] if found else ""


_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
