"""Decide what the staff is told about an edition, and when the readers' copies may follow the staff's. Pure.

People learn of changes to their own accounts from digest.editions.notices, in the same transaction.

told when                                                                    once for
a draft is frozen at its cutoff                                              the edition
nobody has approved it ten minutes before it goes out                        the edition
its approval is void                                                         each time
it has not gone out five minutes after its time                              the edition
there is no draft five minutes after the cutoff                              the date
the program has paused it                                                    each time
it is skipped                                                                the edition
a date has no edition                                                        the date
the staff's copies go out, before the readers'                               each snapshot
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from digest.model.editions import MERGED, Due, EditionRecord, EditionState
from digest.model.publication import Digest, Review
from digest.schedule.policy import POLICY, review_of

REMIND_BEFORE = timedelta(minutes=10)
LATE_AFTER = timedelta(minutes=5)
WATCHED = timedelta(days=1)  # after its send time, nobody is told about an edition any more
_SLACK = timedelta(minutes=1)  # for copies that begin late because nothing looked at the clock before
_QUIET = timedelta(minutes=1)  # between the copies of two snapshots


class StaffNoticeKind(StrEnum):
    """The kinds of messages to the staff."""

    READY = "ready"
    REMINDER = "reminder"
    VOID = "void"
    LATE = "late"
    PAUSED = "paused"
    SKIPPED = "skipped"
    EMPTY = "empty"  # a date without an edition
    COPY = "copy"  # a staff copy, before the readers' copies
    # About the own account of a person, at once:
    SIGN_IN = "sign-in"  # from a browser that the person has not used before
    PASSWORD = "password"  # a new one
    FACTOR_ON = "factor on"
    FACTOR_OFF = "factor off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something that each person of the staff is told once; `key` is what it is told once for."""

    kind: StaffNoticeKind
    key: str
    digest: str
    edition_id: str = ""
    detail: str = ""  # why, in words
    began_at: datetime
    until: datetime  # the message is not sent any more then, and its links change nothing


@dataclass(frozen=True, slots=True)
class Copies:
    """The staff's copies of one snapshot of an edition: its hash, and when they were queued."""

    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """The facts about an edition that its record does not have."""

    alarmed: bool = False  # the program itself has paused it
    copies: Sequence[Copies] = ()  # those of the staff, oldest first
    voided: tuple[datetime, str] | None = None  # when approvals of it became void last, and why


def occasions_of(
    record: EditionRecord, digest: Digest, now: datetime, happened: Happened
) -> tuple[Occasion, ...]:
    """Return what the staff should know about an edition by now, whether it has been told or not."""
    if record.edition.send_at + WATCHED <= now:
        return ()
    copies = happened.copies
    begins_at = readers_begin_at(record, digest, copies)
    return tuple(
        occasion
        for found in (
            _ready(record, digest, now),
            _reminder(record, now),
            _void(record, now, happened.voided),
            _late(record, begins_at, now),
            _paused(record, now, alarmed=happened.alarmed),
            _skipped(record, now),
            _copy(record, digest, now, copies),
        )
        for occasion in found
    )


def readers_begin_at(record: EditionRecord, digest: Digest, copies: Sequence[Copies]) -> datetime:
    """Return when the readers' copies of an edition begin, if nothing holds it up.

    With a head start that is the send time, or so long after the staff's first copies if these were late: an
    edition that was approved after its send time goes to the staff first, too. Copies of later snapshots
    delay nothing. Copies that are missing do not hold an edition up for more than twice the head start.
    """
    send_at, ahead = record.edition.send_at, digest.head_start
    if not ahead:
        return send_at
    ready_at = max(send_at, record.approved_at or send_at)
    if not copies:
        return ready_at + 2 * ahead
    first = copies[0].at
    return send_at if first <= send_at - ahead + _SLACK else max(send_at, first + ahead)


def goes_out(record: EditionRecord, digest: Digest) -> bool:
    """Tell whether an edition goes to its readers at its send time if nobody does anything."""
    if not record.is_ahead or record.paused_at:
        return False
    return record.state is EditionState.APPROVED or review_of(record, digest) is Review.SEND


def _ready(record: EditionRecord, digest: Digest, now: datetime) -> Iterator[Occasion]:
    edition = record.edition
    if now >= edition.send_at and goes_out(record, digest):
        return  # after an outage, it goes out at once
    if record.state is EditionState.DRAFT and now >= edition.cutoff_at:
        until = edition.send_at if now < edition.send_at else edition.send_at + WATCHED
        yield _occasion(StaffNoticeKind.READY, record, edition.cutoff_at, until)


def _reminder(record: EditionRecord, now: datetime) -> Iterator[Occasion]:
    send_at = record.edition.send_at
    at = send_at - REMIND_BEFORE
    soon = record.edition.cutoff_at > at - REMIND_BEFORE  # the first message is hardly read yet
    waits = record.state is EditionState.DRAFT and not record.paused_at
    if waits and not soon and at <= now < send_at:
        yield _occasion(StaffNoticeKind.REMINDER, record, at, send_at)


def _void(record: EditionRecord, now: datetime, voided: tuple[datetime, str] | None) -> Iterator[Occasion]:
    if record.voided_at:  # a draft that was merged of others has no step of its own
        voided = record.voided_at, record.reason
    if voided and is_void(record) and not record.paused_at:
        (at, why), send_at = voided, record.edition.send_at
        until = send_at if now < send_at else send_at + WATCHED
        yield _occasion(StaffNoticeKind.VOID, record, at, until, mark=f"{at:%H%M%S%f}", why=why)


def is_void(record: EditionRecord) -> bool:
    """Tell whether no person has approved an edition since its approvals became void.

    It is a draft, or it goes out all the same.
    """
    return record.state is EditionState.DRAFT or record.approved_by == POLICY


def _late(record: EditionRecord, begins_at: datetime, now: datetime) -> Iterator[Occasion]:
    since = max(begins_at, record.approved_at or begins_at) + LATE_AFTER
    if record.is_ahead and now >= since:
        until = record.edition.send_at + WATCHED
        yield _occasion(StaffNoticeKind.LATE, record, since, until, why=record.reason)


def _paused(record: EditionRecord, now: datetime, *, alarmed: bool) -> Iterator[Occasion]:
    if alarmed and record.paused_at:
        at, until = record.paused_at, now + WATCHED
        mark = f"{at:%Y%m%d%H%M%S%f}"
        yield _occasion(StaffNoticeKind.PAUSED, record, at, until, mark=mark, why=record.reason)


def _skipped(record: EditionRecord, now: datetime) -> Iterator[Occasion]:
    merged = record.reason.startswith(MERGED)
    if record.state is EditionState.SKIPPED and record.finished_at and not merged:
        at = record.finished_at
        yield _occasion(StaffNoticeKind.SKIPPED, record, at, now + WATCHED, why=record.reason)


def _copy(
    record: EditionRecord, digest: Digest, now: datetime, copies: Sequence[Copies]
) -> Iterator[Occasion]:
    ahead, send_at = digest.head_start, record.edition.send_at
    if not ahead or not goes_out(record, digest) or now < send_at - ahead:
        return
    begins_at = readers_begin_at(record, digest, copies)
    known = record.hash in {each.hash for each in copies}
    again = copies and (now >= begins_at or now < copies[-1].at + _QUIET)
    if not known and not again:
        mark = record.hash[:16]
        yield _occasion(StaffNoticeKind.COPY, record, send_at - ahead, send_at + WATCHED, mark=mark)


def date_occasion(
    schedule: str, digest: str, local_date: date, *, done_at: datetime, outcome: str
) -> Occasion:
    """Return the occasion of a date without an edition; `outcome` says why."""
    return Occasion(
        kind=StaffNoticeKind.EMPTY,
        key=f"{StaffNoticeKind.EMPTY.value}:{schedule}:{local_date}",
        digest=digest,
        detail=outcome,
        began_at=done_at,
        until=done_at + WATCHED,
    )


def overdue_occasion(schedule: str, digest: str, due: Due, now: datetime) -> Occasion | None:
    """Return the occasion of a date without a draft, if it should have had one by now; otherwise None."""
    since = due.cutoff_at + LATE_AFTER
    if not since <= now < due.send_at:
        return None
    return Occasion(
        kind=StaffNoticeKind.LATE,
        key=f"{StaffNoticeKind.LATE.value}:{schedule}:{due.local_date}",
        digest=digest,
        detail="it should have been composed at its cutoff, and there is no draft yet",
        began_at=since,
        until=due.send_at,
    )


def _occasion(
    kind: StaffNoticeKind,
    record: EditionRecord,
    began_at: datetime,
    until: datetime,
    *,
    mark: str = "",
    why: str = "",
) -> Occasion:
    edition = record.edition
    return Occasion(
        kind=kind,
        key=":".join(part for part in (kind.value, edition.id, mark) if part),
        digest=edition.digest,
        edition_id=edition.id,
        detail=why,
        began_at=began_at,
        until=until,
    )
