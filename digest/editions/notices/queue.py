"""Queue the messages that the staff should get by now: each once, after any restart, and with many nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.config import Config
from digest.config.parts import Parts
from digest.message.look import look_at
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, OutageError, TemplateError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.model.staff import Right
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.staff_notices import (
    Happened,
    Occasion,
    StaffNoticeKind,
    date_occasion,
    occasions_of,
    overdue_occasion,
    readers_begin_at,
)
from digest.send.answers.refusals import is_alarm
from digest.storage.database import Connection, Database
from digest.storage.editions.records import load_edition, usable_editions
from digest.storage.editions.steps import last_void
from digest.storage.edits.edits import edits_of
from digest.storage.ledger.looks import KeptLook, keep_look
from digest.storage.occurrences import STARTED, outcome_of
from digest.storage.staff.notices import (
    StaffNotice,
    add_staff_notice,
    copies_of,
    dates_without_editions,
    forget_staff_notices,
    told_already,
    watched_editions,
)
from digest.storage.staff.people import EVERY_DIGEST, Account, account_of, accounts, change_account
from subscribers.address import parse_address
from subscribers.rules.notices import NoticeKind
from subscribers.store.notices import NewNotice, fresh_notice, queue

# A person is told these even if they began before the account was added, because there is something to do.
_CALLS = (StaffNoticeKind.READY, StaffNoticeKind.REMINDER, StaffNoticeKind.COPY)


@dataclass(frozen=True, slots=True)
class _Untold:
    """An occasion, and the people who have not been told."""

    occasion: Occasion
    people: tuple[Account, ...]


def notify_staff(parts: Parts, context: RunContext, *, composed: bool = True) -> bool:
    """Queue what each person of the staff should be told by now; False if something could not be queued.

    read what has happened to editions and dates, and who has been told
    for each occasion that somebody has not been told:
        in one transaction: a row for each person, unique, and with it the message in the ledger of notices

    Without `[staff]` in config.toml, nobody is told anything. A run that has not `composed` yet
    tells nobody that a draft is missing. Raises OutageError.
    """
    if parts.config.staff is None:
        return True
    now, fine = context.clock(), True
    for untold in _untold(parts, now, composed=composed):
        try:
            _tell(parts, untold, now)
        except OutageError:
            raise
        except DigestError as error:
            fine = False
            subject = untold.occasion.edition_id or untold.occasion.digest
            context.report(RunEvent(kind=EventKind.FAILED, subject=subject, detail=str(error)))
    return fine


def is_told(account: Account, kind: StaffNoticeKind, digest: str) -> bool:
    """Tell whether a person is told about something: the person's role, digests and choice decide.

    Staff copies go to everybody, because anybody may stop an edition; other messages to those who can edit.
    """
    right = Right.LOOK if kind is StaffNoticeKind.COPY else Right.EDIT
    chosen = account.notices == EVERY_DIGEST or digest in account.notices.split()
    return account.is_active and chosen and account.person.may(right, digest)


def held_back_until(
    database: Database, config: Config, record: EditionRecord, digest: Digest
) -> datetime | None:
    """Return when the readers' copies of an edition may begin; None if the staff gets no copies first."""
    if not (digest.head_start and config.staff):
        return None
    with database.read() as connection:
        if not _with_head_start(connection, digest).head_start:
            return None
        return readers_begin_at(record, digest, copies_of(connection, record.edition.id))


def choose_notices(database: Database, person_id: str, digests: Sequence[str] | None) -> None:
    """Let a person choose the digests to be told about; None stands for all, also for later ones."""
    chosen = EVERY_DIGEST if digests is None else " ".join(digests)
    with database.write() as connection:
        change_account(connection, person_id, notices=chosen)


def chosen_notices(database: Database, person_id: str) -> tuple[str, ...] | None:
    """Return the digests that a person is told about; None stands for all."""
    with database.read() as connection:
        account = account_of(connection, person_id)
    if account is None or account.notices == EVERY_DIGEST:
        return None
    return tuple(account.notices.split())


def forget_notices(database: Database, now: datetime) -> None:
    """Forget what the staff was told long ago."""
    with database.write() as connection:
        forget_staff_notices(connection, now)


def _untold(parts: Parts, now: datetime, *, composed: bool) -> tuple[_Untold, ...]:
    config = parts.config
    with parts.database.read() as connection:
        people = accounts(connection)
        occasions = [*_of_editions(connection, config, now), *_of_dates(connection, config, now)]
        occasions += _overdue(connection, config, now) if composed else ()
        told = told_already(connection, [each.key for each in occasions])
    found = (
        _Untold(each, tuple(one for one in people if _needs_telling(one, each, told))) for each in occasions
    )
    return tuple(each for each in found if each.people)


def _needs_telling(account: Account, occasion: Occasion, told: frozenset[tuple[str, str]]) -> bool:
    if (account.person.id, occasion.key) in told or not is_told(account, occasion.kind, occasion.digest):
        return False
    return occasion.kind in _CALLS or account.added_at <= occasion.began_at


def _of_editions(connection: Connection, config: Config, now: datetime) -> Iterator[Occasion]:
    known = {digest.slug: _with_head_start(connection, digest) for digest in config.digests}
    for record in usable_editions(connection, watched_editions(connection, now)):
        digest = known.get(record.edition.digest)
        if digest is not None:
            happened = Happened(
                alarmed=is_alarm(record.reason),
                copies=copies_of(connection, record.edition.id) if digest.head_start else (),
                voided=last_void(connection, record.edition.id),
            )
            yield from occasions_of(record, digest, now, happened)


def _with_head_start(connection: Connection, digest: Digest) -> Digest:
    """Return a digest without its head start if nobody would get a copy."""
    if digest.head_start and not any(
        is_told(each, StaffNoticeKind.COPY, digest.slug) for each in accounts(connection)
    ):
        return replace(digest, head_start=timedelta(0))
    return digest


def _of_dates(connection: Connection, config: Config, now: datetime) -> Iterator[Occasion]:
    slugs = {cadence.key: digest.slug for digest in config.digests for cadence in cadences(digest)}
    for schedule, day, at, why in dates_without_editions(connection, list(slugs), now):
        yield date_occasion(schedule, slugs[schedule], day, done_at=at, outcome=why)


def _overdue(connection: Connection, config: Config, now: datetime) -> Iterator[Occasion]:
    for digest in config.digests:
        cadence = Cadence(digest=digest)
        due = next(cadence.coming(now))
        found = overdue_occasion(cadence.key, digest.slug, due, now)
        if found and outcome_of(connection, cadence.key, due.local_date) in (None, STARTED):
            yield found


def _tell(parts: Parts, untold: _Untold, now: datetime) -> None:
    occasion, record, look, edits = untold.occasion, None, None, 0
    if occasion.edition_id:
        with parts.database.read() as connection:
            record = load_edition(connection, occasion.edition_id)
            edits = len(edits_of(connection, occasion.edition_id))
        look = _look(parts, record)
    about = StaffNotice(
        notice_id=0,
        person_id="",
        occasion=occasion.key,
        kind=occasion.kind,
        digest=occasion.digest,
        edition_id=occasion.edition_id,
        snapshot=record.hash if record else "",
        look=look.hash if look else "",
        edits=edits,
        detail=occasion.detail,
        made_at=now,
        expires_at=occasion.until,
    )
    with parts.database.write() as connection:
        if look:
            keep_look(connection, look)
        queue_all(connection, about, untold.people, parts.secret)


def _look(parts: Parts, record: EditionRecord) -> KeptLook | None:
    """Return the look that an edition has now; None if it cannot be rendered, which the message then says."""
    try:
        return look_at(parts.templates, record)[0].kept() if record.is_ahead else None
    except TemplateError:
        return None


def queue_all(connection: Connection, about: StaffNotice, people: Sequence[Account], secret: bytes) -> None:
    """Queue a message for each of these people who has not been told yet, with its row."""
    for account in people:
        notice_id, _ = fresh_notice(secret)
        if add_staff_notice(connection, replace(about, notice_id=notice_id, person_id=account.person.id)):
            message = NewNotice(
                kind=NoticeKind.STAFF,
                folded=parse_address(account.person.address).folded,
                address=account.person.address,
                subscriber_id=None,
                language="en",
                made_at=about.made_at,
                expires_at=about.expires_at,
            )
            queue(connection, notice_id, message, secret=secret)
