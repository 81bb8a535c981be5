"""Tell a person of the staff what has happened to the own account, in emails that nobody can turn off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from digest.config.parts import Parts
from digest.editions.notices.queue import queue_all
from digest.editions.outlook.words import date_words, local
from digest.model.messages import Email
from digest.model.publication import Digest
from digest.render.notices import StaffLink, Told, render_message
from digest.schedule.staff_notices import WATCHED, StaffNoticeKind
from digest.storage.database import Connection
from digest.storage.staff.notices import StaffNotice
from digest.storage.staff.people import Account

_FOOT = "You get this because it concerns your account. Such emails cannot be turned off."
_FINE = "If this was you, there is nothing to do."
_ELSE = (
    "If it was not you, sign all other browsers out on the page of your account, change your password, and "
    "tell an administrator."
)
_ASK = (
    "If it was not you, ask an administrator at once for a link to choose another password. The link signs "
    "everybody out of your account."
)
# What has happened, as a subject and as the beginning of a sentence, and what to do about it.
_SAID: Mapping[StaffNoticeKind, tuple[str, str, str]] = {
    StaffNoticeKind.SIGN_IN: (
        "a sign-in from a new browser",
        "Somebody signed in to your account from a browser that you have not used here before",
        _ELSE,
    ),
    StaffNoticeKind.PASSWORD: ("your password is new", "Your account has a new password", _ASK),
    StaffNoticeKind.FACTOR_ON: (
        "a second factor is turned on",
        "Your account has a new second factor, and an earlier one does not work any more",
        f"{_ASK} The administrator can turn the second factor off.",
    ),
    StaffNoticeKind.FACTOR_OFF: (
        "the second factor is turned off",
        "The second factor of your account is turned off, so that the password alone is enough to sign in",
        _ELSE,
    ),
}


def tell_person(
    connection: Connection, secret: bytes, account: Account, kind: StaffNoticeKind, how: str, now: datetime
) -> None:
    """Queue a message about an account, in the transaction of its change.

    `how` says from where or by whom, in words: "in Firefox on Linux", "by Ines Duarte".
    """
    about = StaffNotice(
        notice_id=0,
        person_id="",
        occasion=f"{kind}:{now:%Y%m%d%H%M%S%f}",
        kind=kind,
        digest="",
        detail=how,
        made_at=now,
        expires_at=now + WATCHED,
    )
    queue_all(connection, about, [account], secret)


def is_of_account(kind: StaffNoticeKind) -> bool:
    """Tell whether a message is about its person's own account."""
    return kind in _SAID


def account_email(parts: Parts, about: StaffNotice) -> tuple[Email, Digest]:
    """Write a message about an account. The first digest sends it. Raises TemplateError."""
    sender, staff, site = parts.config.digests[0], parts.config.staff, parts.config.site
    assert staff is not None, "without [staff], nobody is told anything"
    at = local(about.made_at, sender.zone)
    subject, happened, advice = _SAID[about.kind]
    when = f"on {date_words(at.date())} at {at:%H:%M} ({sender.zone})"
    told = Told(
        subject=f"{site.name}: {subject}",
        texts=(f"{', '.join(filter(None, (happened, about.detail, when)))}.", _FINE, advice),
        links=(StaffLink("Open your account", f"{staff.url}/account"),),
        foot=_FOOT,
        choice="",
    )
    return render_message(parts.templates, told, site), sender
