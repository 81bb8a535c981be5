"""Follow the signed links in messages to the staff: say what a link would do, and do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from digest.compose.edits.difference import differences
from digest.config.parts import Parts
from digest.editions.approval import approvals_of
from digest.editions.editions import approve, pause_edition
from digest.editions.notices.standing import inspected, outlook_text
from digest.editions.outlook.phases import held_reason
from digest.editions.parts import EditionParts
from digest.editions.views.history import read_history
from digest.message.look import Look, look_from
from digest.message.look import differences as look_differences
from digest.message.staff_links import LinkPurpose, notice_in
from digest.model.editions import EditionRecord, EditionState
from digest.model.errors import DamagedError, DigestError
from digest.model.staff import Person, Right
from digest.storage.editions.records import load_edition
from digest.storage.ledger.looks import kept_look
from digest.storage.staff.notices import StaffNotice, staff_notice
from digest.storage.staff.people import account_of
from subscribers.errors import TokenError

_STORIES = "the stories"


class LinkRefusedError(DigestError):
    """A signed link cannot do its step as things are; its text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The step that a signed link asks for, and the present state of its edition.

    `changes` are sentences about the changes of the edition since the message was written. `refusal`
    says why the step cannot be taken; it is empty if it can.
    """

    purpose: LinkPurpose
    person: Person
    about: StaffNotice
    record: EditionRecord
    hash: str  # of all that an approval would cover now
    outlook: str
    changes: tuple[str, ...]
    refusal: str
    has_approved: bool  # its person has approved what the edition is now

    @property
    def differs(self) -> bool:
        """Tell whether the edition is not the one that the person has seen."""
        return self.hash != self.about.look


def asked(parts: Parts, purpose: LinkPurpose, token: str, now: datetime) -> Asked:
    """Return what a signed link asks for. Nothing changes.

    Raises TokenError (damaged) if the link was made for something or somebody else, and if its message is
    forgotten or its person has no account any more, or does not work on the digest.
    """
    notice_id = notice_in(parts.secret, purpose, token)
    with parts.database.read() as connection:
        about = staff_notice(connection, notice_id)
        account = account_of(connection, about.person_id) if about else None
        if about is None or account is None or not account.is_active:
            raise TokenError("damaged")
        if not account.person.works_on(about.digest):
            raise TokenError("damaged")
        record = load_edition(connection, about.edition_id)
    inspection, faults = inspected(parts, record)
    given = approvals_of(parts.database, record.edition.id)
    link = Asked(
        purpose=purpose,
        person=account.person,
        about=about,
        record=record,
        hash=inspection.hash if inspection else record.look or "",
        outlook=outlook_text(parts, record, now),
        changes=tuple(_changes(parts, about, inspection.look)) if inspection else (),
        refusal="",
        has_approved=any(each.by == account.person.name and each.look == about.look for each in given),
    )
    return replace(link, refusal=_refusal(link, faults, now))


def follow(parts: EditionParts, link: Asked, now: datetime) -> EditionRecord:
    """Take the step of a signed link, in its person's name, and return the edition.

    An approval is for the hash that the person has seen, and no other. Raises LinkRefusedError, StateError,
    ReviewError and PreflightError.
    """
    if link.refusal:
        raise LinkRefusedError(link.refusal)
    edition_id, name = link.record.edition.id, link.person.name
    if link.purpose is LinkPurpose.APPROVE:
        return approve(parts, edition_id, by=name, now=now, reviewed=link.about.look)[0]
    pause_edition(parts.database, edition_id, reason=held_reason(name, ""), now=now, by=name)
    with parts.database.read() as connection:
        return load_edition(connection, edition_id)


def _refusal(link: Asked, faults: tuple[str, ...], now: datetime) -> str:
    record, stops = link.record, link.purpose is LinkPurpose.STOP
    if not record.is_ahead and not (stops and record.state is EditionState.SENDING):
        return f"This can no longer be done: the edition is {_WORDS[record.state]}."
    if link.purpose is LinkPurpose.APPROVE:
        if found := _not_approvable(link, faults):
            return found
    elif record.paused_at:
        return "The edition is held already, so nothing of it is sent."
    return "This link has expired." if now >= link.about.expires_at else ""


def _not_approvable(link: Asked, faults: tuple[str, ...]) -> str:
    if not link.person.may(Right.APPROVE):
        return "Your role does not let you approve editions."
    if link.differs:
        return "This link approves only the edition that you have seen. Look at it again on the desk."
    if link.has_approved and link.record.state is EditionState.DRAFT:
        return "You have approved it already, and it needs the approval of somebody else."
    if link.record.state is EditionState.APPROVED:
        return f"{link.record.approved_by} has approved it already."
    return " ".join(faults)


_WORDS = {
    EditionState.SENDING: "being sent",
    EditionState.SENT: "sent",
    EditionState.SKIPPED: "skipped",
    EditionState.CANCELLED: "cancelled",
}


def _changes(parts: Parts, about: StaffNotice, now: Look) -> Iterator[str]:
    """Yield a sentence for each thing that has changed since the message was written."""
    history = read_history(parts.database, about.edition_id)
    edited = history.edited
    new = edited.edits[about.edits :]
    for each in new:
        yield f"{each.by} {edited.sentence(each)}."
    if not new and about.snapshot != edited.record.hash:
        before, after = (history.version(each) for each in (about.snapshot, edited.record.hash))
        for difference in differences(history.edition(before), history.edition(after)):
            yield difference.text
    templates = [each for each in _others(parts, about, now) if each != _STORIES]
    if templates:
        yield f"Changed in the templates and fixed words: {', '.join(templates)}."


def _others(parts: Parts, about: StaffNotice, now: Look) -> tuple[str, ...]:
    if not about.look:
        return ()
    try:
        with parts.database.read() as connection:
            seen = look_from(kept_look(connection, about.edition_id, about.look))
    except DamagedError:
        return ()
    return look_differences(seen, now)
