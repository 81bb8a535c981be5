"""Write the messages to the staff: the edition itself with a panel above it, or a few sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from digest.config.parts import Parts
from digest.editions.approval import SENDS_ANYWAY, approvals_of
from digest.editions.notices.account import account_email, is_of_account
from digest.editions.notices.queue import held_back_until, is_told
from digest.editions.notices.standing import Inspect, outlook_text
from digest.editions.outlook.words import clock_words
from digest.editions.preflight import Inspection
from digest.message.look import renderer_of
from digest.message.reader_links import (
    FOR_PREFERENCES,
    for_unsubscribing,
    preferences_url,
    signup_url,
    unsubscribe_url,
)
from digest.message.staff_links import LinkPurpose, desk_url, signed_url
from digest.model.editions import Edition, EditionRecord, EditionState
from digest.model.errors import ObsoleteError
from digest.model.messages import Email, ReaderLinks
from digest.model.publication import Digest
from digest.model.staff import Person, Right
from digest.render.notices import StaffLink, Told, render_message, with_panel
from digest.schedule.staff_notices import StaffNoticeKind, is_void
from digest.storage.database import Connection
from digest.storage.editions.records import load_edition
from digest.storage.occurrences import STARTED, outcome_of
from digest.storage.staff.notices import StaffNotice, staff_notice
from digest.storage.staff.people import Account, account_of
from subscribers.tokens import reader_token

_SHOWN = 8  # characters of a hash
_NOBODY = 0  # no subscriber has this id, so links in its name change nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that a message to one person is written from."""

    parts: Parts
    about: StaffNotice
    person: Person
    digest: Digest
    record: EditionRecord | None
    inspection: Inspection | None  # None: there is no edition ahead, or it cannot be rendered
    faults: tuple[str, ...]  # what keeps the edition from being sent

    @property
    def now(self) -> datetime:
        return self.about.made_at

    @property
    def edition(self) -> Edition:
        assert self.record is not None
        return self.record.edition

    @property
    def base(self) -> str:
        assert self.parts.config.staff is not None
        return self.parts.config.staff.url

    @property
    def is_as_told(self) -> bool:
        """Tell whether the edition still has the hash that the links are about."""
        return self.inspection is not None and self.inspection.hash == self.about.look


def staff_email(parts: Parts, notice_id: int, inspect: Inspect) -> tuple[Email, Digest]:
    """Write a message to the staff, and return the digest that sends it; `inspect` is `inspected`.

    Raises ObsoleteError if it makes no sense any more, NotFoundError and TemplateError.
    """
    with parts.database.read() as connection:
        about = staff_notice(connection, notice_id)
        account = account_of(connection, about.person_id) if about else None
    if about is None or account is None or parts.config.staff is None:
        raise ObsoleteError("nobody needs it any more")
    if is_of_account(about.kind):
        if account.removed_at is not None or not parts.config.digests:
            raise ObsoleteError("nobody needs it any more")
        return account_email(parts, about)
    case = _case(parts, about, account, inspect)
    if case.about.kind in _AS_EDITION and case.inspection:
        email = _as_readers_get_it(case, case.inspection)
        told = _AS_EDITION[case.about.kind](case, email.subject)
        return with_panel(email, parts.templates, told, case.edition.site), case.digest
    return render_message(parts.templates, _message(case), parts.config.site), case.digest


def _case(parts: Parts, about: StaffNotice, account: Account, inspect: Inspect) -> _Case:
    with parts.database.read() as connection:
        record = load_edition(connection, about.edition_id) if about.edition_id else None
        composed = _is_composed(connection, about)
    if not is_told(account, about.kind, about.digest):
        raise ObsoleteError("its person is not told about this any more")
    if composed or (record and not _still(about, record)):
        raise ObsoleteError("the edition has gone on meanwhile")
    digest = parts.config.digest(about.digest)
    inspection, faults = inspect(record) if record else (None, ())
    return _Case(
        parts=parts,
        about=about,
        person=account.person,
        digest=digest,
        record=record,
        inspection=inspection,
        faults=faults,
    )


def _is_composed(connection: Connection, about: StaffNotice) -> bool:
    """Tell whether a date that had no draft when it was queued has one now."""
    if about.edition_id or about.kind is not StaffNoticeKind.LATE:
        return False
    schedule, _, day = about.occasion.partition(":")[2].rpartition(":")
    return outcome_of(connection, schedule, date.fromisoformat(day)) not in (None, STARTED)


def _still(about: StaffNotice, record: EditionRecord) -> bool:
    """Tell whether what a message says is still true."""
    kind = StaffNoticeKind
    match about.kind:
        case kind.READY | kind.REMINDER:
            return record.state is EditionState.DRAFT
        case kind.VOID:
            return is_void(record)
        case kind.LATE:
            return record.is_ahead
        case kind.COPY:
            return record.is_ahead and record.hash == about.snapshot
        case kind.PAUSED:
            return record.paused_at is not None
    return True


# ── the edition with a panel ────────────────────────────────────────────────────────────────


def _as_readers_get_it(case: _Case, inspection: Inspection) -> Email:
    """Return the email of the edition with all topics, made by the same code as the readers' messages."""
    edition, secret = case.edition, case.parts.secret
    base, slug = edition.site.base_url, edition.digest
    leave = reader_token(secret, _NOBODY, for_unsubscribing(slug))
    links = ReaderLinks(
        unsubscribe=unsubscribe_url(base, slug, leave),
        preferences=preferences_url(base, reader_token(secret, _NOBODY, FOR_PREFERENCES)),
        subscribe=signup_url(base, slug),
    )
    return renderer_of(case.parts.templates, inspection.look)(edition, links, edition.language)


def _ready(case: _Case, subject: str) -> Told:
    texts = [_outlook(case)]
    if not case.is_as_told:
        texts.append("It has changed since this message was written; the desk shows what it is now.")
    return Told(
        mark=f"{case.edition.title} · for the staff",
        subject=f"[Draft, {_clock(case)}] {subject}",
        texts=tuple(texts),
        faults=case.faults,
        links=_links(case),
        foot=f"Below is the edition as readers get it. The links work until {_clock(case)}. {_foot(case)}",
        choice=_choice(case),
        hash=case.about.look[:_SHOWN],
    )


def _copy(case: _Case, subject: str) -> Told:
    database, config = case.parts.database, case.parts.config
    assert case.record is not None
    begins_at = held_back_until(database, config, case.record, case.digest) or case.edition.send_at
    at = clock_words(begins_at, case.edition.zone, case.now)
    return Told(
        mark=f"{case.edition.title} · staff copy",
        subject=f"[Staff copy, readers {at}] {subject}",
        texts=(f"Readers get this edition at {at}. If something is wrong, stop it before that.",),
        faults=case.faults,
        links=(_signed(case, LinkPurpose.STOP, "Stop this edition"), _desk(case)),
        foot=f"The links in the edition below change nothing. {_foot(case)}",
        choice=_choice(case),
        hash=case.about.look[:_SHOWN],
    )


_AS_EDITION: Mapping[StaffNoticeKind, Callable[[_Case, str], Told]] = {
    StaffNoticeKind.READY: _ready,
    StaffNoticeKind.COPY: _copy,
}


# ── a few sentences ─────────────────────────────────────────────────────────────────────────


def _message(case: _Case) -> Told:
    subject, *texts = _SENTENCES[case.about.kind](case)
    return Told(
        subject=subject,
        texts=tuple(text for text in texts if text),
        faults=case.faults,
        links=_links(case),
        foot=_foot(case),
        choice=_choice(case),
    )


def _reminder(case: _Case) -> tuple[str, ...]:
    if approvals_of(case.parts.database, case.edition.id):
        return f"{case.edition.title}: the edition for {_clock(case)} lacks an approval", _outlook(case)
    subject = f"{case.edition.title}: nobody has approved the edition for {_clock(case)}"
    return subject, "Nobody has approved this edition yet.", _outlook(case)


def _void(case: _Case) -> tuple[str, ...]:
    assert case.record is not None
    title, why = case.edition.title, f", because {case.about.detail}" if case.about.detail else ""
    if case.record.state is EditionState.DRAFT:
        return f"{title}: the approval is void", f"It is a draft again{why}.", _outlook(case)
    goes = "went" if case.record.state is EditionState.SENT else "goes"
    void = f"The approval of this edition became void{why}."
    anyway = f"It {goes} out all the same, because {SENDS_ANYWAY}."
    return f"{title} {goes} out without a valid approval", void, anyway, _outlook(case)


def _late(case: _Case) -> tuple[str, ...]:
    if case.record is None:
        day = case.about.occasion.rpartition(":")[2]
        why = f"The edition of {day} is late: {case.about.detail}."
        return f"{case.digest.title} is late", why, "The program tries again, and its log says what is wrong."
    due = f"This edition was due at {_clock(case)} and has not begun to go out."
    return f"{case.edition.title} is late", due, _outlook(case)


def _paused(case: _Case) -> tuple[str, ...]:
    why = f"The program has paused this edition: {case.about.detail}."
    ends = "No more messages of it are sent until somebody resumes it."
    return f"{case.edition.title} has paused itself", why, ends


def _skipped(case: _Case) -> tuple[str, ...]:
    why = f"The edition for {_clock(case)} was skipped: {case.about.detail}."
    carried = "" if "posts" in case.about.detail else "Its posts wait for the next edition."
    return f"{case.edition.title} was skipped", why, carried


def _empty(case: _Case) -> tuple[str, ...]:
    missed = "it was too late when the program looked at it again"
    why = missed if case.about.detail == "missed" else case.about.detail
    day = case.about.occasion.rpartition(":")[2]
    carried = "Posts that wait are in the next edition."
    return f"{case.digest.title}: no edition on {day}", f"There is no edition on {day}: {why}.", carried


_SENTENCES: Mapping[StaffNoticeKind, Callable[[_Case], tuple[str, ...]]] = {
    StaffNoticeKind.READY: lambda case: (f"{case.edition.title}: a draft is ready", _outlook(case)),
    StaffNoticeKind.COPY: lambda case: (f"{case.edition.title}: there is no staff copy", _outlook(case)),
    StaffNoticeKind.REMINDER: _reminder,
    StaffNoticeKind.VOID: _void,
    StaffNoticeKind.LATE: _late,
    StaffNoticeKind.PAUSED: _paused,
    StaffNoticeKind.SKIPPED: _skipped,
    StaffNoticeKind.EMPTY: _empty,
}


# ── what the messages share ─────────────────────────────────────────────────────────────────


def _outlook(case: _Case) -> str:
    assert case.record is not None
    return outlook_text(case.parts, case.record, case.now)


def _links(case: _Case) -> tuple[StaffLink, ...]:
    """Return the links about an edition; the first is the step that the person can take now."""
    record = case.record
    if record is None or not (record.is_ahead or record.state is EditionState.SENDING):
        return (_desk(case),)
    if record.state is EditionState.SENDING:
        stop = _signed(case, LinkPurpose.STOP, "Stop this edition")
        return (_desk(case),) if record.paused_at else (stop, _desk(case))
    found = []
    draft = record.state is EditionState.DRAFT
    if draft and case.is_as_told and not case.faults and case.person.may(Right.APPROVE):
        found.append(_signed(case, LinkPurpose.APPROVE, f"Approve {case.about.look[:_SHOWN]}"))
    found.append(_desk(case))
    if not record.paused_at:
        found.append(_signed(case, LinkPurpose.HOLD, "Hold it"))
    return tuple(found)


def _signed(case: _Case, purpose: LinkPurpose, label: str) -> StaffLink:
    return StaffLink(label, signed_url(case.base, case.parts.secret, purpose, case.about.notice_id))


def _desk(case: _Case) -> StaffLink:
    return StaffLink("Open the desk", desk_url(case.base, case.about.edition_id))


def _clock(case: _Case) -> str:
    return clock_words(case.edition.send_at, case.edition.zone, case.now)


def _foot(case: _Case) -> str:
    return f"You get this because you work on {case.digest.title}."


def _choice(case: _Case) -> str:
    return f"{case.base}/account/notices"
