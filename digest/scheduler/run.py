"""Do everything that is due, in order, and once, even if several processes run at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from digest.app import App
from digest.editions.approval import void_changed
from digest.editions.archive import forget_unused_pictures
from digest.editions.checks.links import forget_old_answers
from digest.editions.clocks import release_ahead
from digest.editions.compose import (
    compose_cadence,
    merge_offer,
    picture_time,
    stories_text,
    waiting_together,
)
from digest.editions.edits.desk import writer_of
from digest.editions.feeds import collect_due
from digest.editions.limits import forget_old_counts
from digest.editions.notices.queue import forget_notices, held_back_until, notify_staff
from digest.editions.preflight import inspection_of
from digest.editions.schedules import INSTANT, begin_digests, local_text
from digest.editions.send import send_edition
from digest.model.editions import Composed, Due, EditionRecord, EditionState, StepCause
from digest.model.errors import DigestError, OutageError, PreflightError, StateError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.monitoring.progress import keep_tallies
from digest.readers.notices import send_notices
from digest.readers.signup import expire_signups
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.policy import EditionStep, Occasions, occasions, ruling
from digest.schedule.schedule import SKIP_REASON
from digest.schedule.seen import last_seen
from digest.storage.editions.due import due_editions
from digest.storage.editions.gatherings import stopped_since
from digest.storage.editions.records import load_edition, usable_editions
from digest.storage.editions.steps import advance_seen
from digest.storage.ledger.cancelled import settle_all_cancelled
from digest.storage.occurrences import (
    claim_occurrence,
    finish_occurrence,
    occurrences_of,
    release_occurrence,
    seen_schedules,
    undo_occurrence,
)
from digest.storage.reports import end_trouble, forget_reports, last_run, note_run, note_trouble
from subscribers.model import Frequency

_NOTED = timedelta(seconds=15)
_A_FEW = 7  # missed dates, of which each gets a line of its own


def run_due(app: App, context: RunContext) -> None:
    """Do everything that is due at the clock's time and return.

    release   what rows later than the clock hold up, because a clock was ahead once
    begin     record each new digest and changed schedule: only dates from now on count
    clean up  erase sign-ups that nobody has confirmed; count the editions that have ended
    notices   tell the staff what it should know by now; send this, and messages about accounts
    send      the editions that are already frozen, so that no slow feed delays them
    collect   the feeds that are due
    compose   each digest whose cutoff has come, claimed by one row for its local date;
              too late after an outage → recorded as missed, its posts are carried over
    notices   tell the staff what is new
    send      the other editions whose send time has come, as their review policies say
    gather    the editions that were sent, for readers who chose one email a day or a week
    send      the gathered editions
    notices   tell the staff what has become of them
    offer     to merge the editions of a digest, if several wait for approval
    """
    release_and_report(app, context)
    for event in begin_digests(app.database, app.config, context.clock()):
        context.report(event)
    clean_up(app, context.clock())
    _tell(app, context, composed=False)
    tried = _send_others(app, context, frozenset())
    collect_due(app.database, app.config, context)
    compose_due(app, context, collect_first=False)
    _tell(app, context)
    tried = _send_others(app, context, tried)
    gather_due(app, context)
    _send_others(app, context, tried)
    _tell(app, context)
    _offer_merges(app, context)


def _tell(app: App, context: RunContext, *, composed: bool = True) -> None:
    tell_staff(app, context, composed=composed)
    send_notices(app, context)


def tell_staff(app: App, context: RunContext, *, composed: bool = True) -> bool:
    """Make approvals void that do not cover their editions, and queue what the staff should know by now."""
    void_changed(app, context)
    return notify_staff(app, context, composed=composed)


def _offer_merges(app: App, context: RunContext) -> None:
    for slug in (digest.slug for digest in app.config.digests):
        if count := len(waiting_together(app.database, slug, context.clock())):
            detail = f"{count} editions wait, {merge_offer(slug, count)}"
            context.report(RunEvent(kind=EventKind.WAITING, subject=slug, detail=detail))


def release_and_report(app: App, context: RunContext) -> None:
    """Release what rows later than the clock hold up; see `digest.editions.clocks`."""
    for event in release_ahead(app.database, context.clock()):
        context.report(event)


def clean_up(app: App, now: datetime) -> int:
    """Erase expired sign-ups, old counts, answers and pictures; return the number of sign-ups.

    The counts of editions that have ended are kept, if they are not yet.
    """
    forget_old_counts(app.database, now)
    keep_tallies(app.database, now)
    forget_unused_pictures(app.database, now)
    forget_notices(app.database, now)
    forget_old_answers(app.database, now)
    with app.database.write() as connection:
        forget_reports(connection, now)
    return expire_signups(app.database, now)


# ── compose ─────────────────────────────────────────────────────────────────────────────────


def compose_due(app: App, context: RunContext, *, collect_first: bool = True) -> bool:
    """Compose each digest whose cutoff has come, after collecting its feeds; False if a digest failed.

    A digest that fails does not stop the others. They share the time for pictures.
    """
    _note_run(app, context.clock())
    every = [Cadence(digest=digest) for digest in app.config.digests]
    found = {cadence: _occasions(app, cadence, context.clock()) for cadence in every}
    if collect_first and any(each.compose for each in found.values()):
        collect_due(app.database, app.config, context)
    fine, until = True, replace(context, stop=picture_time(context.stop))
    for cadence, each in found.items():
        if not context.stop():
            fine &= _guarded(cadence.digest.slug, context, partial(_compose, app, cadence, each, until))
    return fine


def _note_run(app: App, now: datetime) -> None:
    """Keep that the clock was looked at, for the pages of the staff; not at each look, because it writes."""
    with app.database.read() as connection:
        last = last_run(connection)
    if last is None or not now - _NOTED <= last <= now:
        with app.database.write() as connection:
            note_run(connection, now)


def gather_due(app: App, context: RunContext) -> bool:
    """Compose each gathered edition whose cutoff has come, from the editions sent so far; False if one fails.

    After an outage, a gathered edition waits for late editions, because they belong in it.
    """
    fine = True
    for digest in app.config.digests:
        if digest.gather and not context.stop():
            fine &= _guarded(digest.slug, context, partial(_gather, app, digest, context))
    return fine


def _gather(app: App, digest: Digest, context: RunContext) -> None:
    now = context.clock()
    if _is_late(app, digest, now):
        return
    for cadence in cadences(digest):
        if cadence.frequency is not Frequency.EACH:
            _compose(app, cadence, _occasions(app, cadence, now), context)


def _is_late(app: App, digest: Digest, now: datetime) -> bool:
    """Tell whether an edition that should be under way by now still has to be composed or started."""
    own = _occasions(app, Cadence(digest=digest), now)
    with app.database.read() as connection:
        ids = [edition_id for edition_id, slug in due_editions(connection, now) if slug == digest.slug]
        due = usable_editions(connection, ids)
    begins = [
        each for each in due if each.frequency is Frequency.EACH and each.state is not EditionState.SENDING
    ]
    late = any(each.send_at <= now for each in own.compose)
    return late or any(ruling(each, digest, now).step is EditionStep.SEND for each in begins)


def _occasions(app: App, cadence: Cadence, now: datetime) -> Occasions:
    """Return the dates that became due after the schedule was first seen and after the last occurrence."""
    with app.database.read() as connection:
        last = last_seen(seen_schedules(connection).get(cadence.key, ()), now)
        known = occurrences_of(connection, cadence.key, until=now + cadence.digest.cutoff)
    if last is None:
        return Occasions()
    finished = [occurrence for occurrence in known if occurrence.done]
    after = max([last.seen_at - INSTANT, *(occurrence.due_at for occurrence in finished)])
    done = {occurrence.local_date for occurrence in finished}
    return occasions(cadence.digest, after=after, done=done, now=now)


def _compose(app: App, cadence: Cadence, found: Occasions, context: RunContext) -> None:
    for due in found.skipped:
        _skip(app, cadence, due, context)
    if len(found.missed) > _A_FEW:
        _miss_many(app, cadence, found.missed, context)
    else:
        for due in found.missed:
            _miss(app, cadence, due, context)
    for due in found.compose:
        _compose_one(app, cadence, due, context)


def _skip(app: App, cadence: Cadence, due: Due, context: RunContext) -> None:
    if not _claim(app, cadence, due, context.clock()):
        return
    _finish(app, cadence, due.local_date, SKIP_REASON, context.clock())
    at = local_text(due.send_at, cadence.digest)
    detail = f"the {cadence.noun} due {at}: {SKIP_REASON}; its posts wait for the next edition"
    context.report(RunEvent(kind=EventKind.SKIPPED, subject=cadence.digest.slug, detail=detail))


def _miss(app: App, cadence: Cadence, due: Due, context: RunContext) -> None:
    if not _claim(app, cadence, due, context.clock()):
        return
    _finish(app, cadence, due.local_date, "missed", context.clock())
    what = "posts are" if cadence.frequency is Frequency.EACH else "content is"
    at = local_text(due.send_at, cadence.digest)
    detail = f"the {cadence.noun} due {at} was missed; its {what} carried over to the next edition"
    context.report(RunEvent(kind=EventKind.MISSED, subject=cadence.digest.slug, detail=detail))


def _miss_many(app: App, cadence: Cadence, missed: Sequence[Due], context: RunContext) -> None:
    """Record the last of many missed dates, because earlier ones do not count then, and report them once."""
    first, last = missed[0], missed[-1]
    if not _claim(app, cadence, last, context.clock()):
        return
    _finish(app, cadence, last.local_date, "missed", context.clock())
    between = f"{local_text(first.send_at, cadence.digest)} and {local_text(last.send_at, cadence.digest)}"
    what = "posts are" if cadence.frequency is Frequency.EACH else "content is"
    detail = (
        f"{len(missed):,} {cadence.noun}s due between {between} were missed; their {what} carried over to the"
        " next edition. Either nothing ran in that time, or a clock was wrong when the first run began"
    )
    context.report(RunEvent(kind=EventKind.MISSED, subject=cadence.digest.slug, detail=detail))


def _compose_one(app: App, cadence: Cadence, due: Due, context: RunContext) -> None:
    if not _claim(app, cadence, due, context.clock()):
        return
    composed = _compose_or_release(app, cadence, due, context)
    record = composed.record
    _finish(app, cadence, due.local_date, record.edition.id if record else composed.reason, context.clock())
    if record is None:
        context.report(RunEvent(kind=EventKind.NOTHING, subject=cadence.digest.slug, detail=composed.reason))
        return
    detail = f"{stories_text(record.edition)}, to be sent {local_text(due.send_at, cadence.digest)}"
    context.report(RunEvent(kind=EventKind.COMPOSED, subject=record.edition.id, detail=detail))
    try:
        # Somebody should know now, and not only at the send time.
        inspection_of(app, record, context.clock()).require()
    except DigestError as error:
        context.report(RunEvent(kind=EventKind.FAILED, subject=record.edition.id, detail=str(error)))


def _compose_or_release(app: App, cadence: Cadence, due: Due, context: RunContext) -> Composed:
    """Compose; after an error, release the claim, so that the next run tries again."""
    try:
        return compose_cadence(app, cadence, due, context)
    except DigestError:
        # If the database is away, the lease of the claim has to run out.
        with suppress(OutageError), app.database.write() as connection:
            release_occurrence(connection, cadence.key, local_date=due.local_date)
        raise


def _claim(app: App, cadence: Cadence, due: Due, now: datetime) -> bool:
    with app.database.write() as connection:
        return claim_occurrence(
            connection, cadence.key, local_date=due.local_date, due_at=due.send_at, now=now
        )


def _finish(app: App, cadence: Cadence, local_date: date, outcome: str, now: datetime) -> None:
    with app.database.write() as connection:
        finish_occurrence(connection, cadence.key, local_date=local_date, outcome=outcome, now=now)


# ── send ────────────────────────────────────────────────────────────────────────────────────


def send_due(app: App, context: RunContext, *, only: Callable[[str], bool] = lambda _: True) -> bool:
    """Send the editions whose time has come, of the digests that `only` accepts; False if one failed.

    An edition that fails does not stop the others.
    """
    return _send(app, [(edition_id, slug) for edition_id, slug in _due(app, context) if only(slug)], context)


def _send_others(app: App, context: RunContext, tried: frozenset[str]) -> frozenset[str]:
    """Send the due editions that were not tried yet, and return the ids of all that have now been tried."""
    due = [each for each in _due(app, context) if each[0] not in tried]
    _send(app, due, context)
    return tried.union(edition_id for edition_id, _ in due)


def _due(app: App, context: RunContext) -> tuple[tuple[str, str], ...]:
    settle_all_cancelled(app.database, context.clock())
    with app.database.read() as connection:
        return due_editions(connection, context.clock())


def _send(app: App, due: Iterable[tuple[str, str]], context: RunContext) -> bool:
    fine, tried = True, False
    for edition_id, _ in due:
        if not context.stop():
            tried = True
            fine &= _guarded(edition_id, context, partial(_follow, app, edition_id, context))
    if tried:
        keep_tallies(app.database, context.clock())
    return fine


def _follow(app: App, edition_id: str, context: RunContext) -> None:
    """Do with an edition what its digest's policy says, unless another process is faster."""
    with app.database.read() as connection:
        record = load_edition(connection, edition_id)
        stopped = stopped_since(connection, edition_id)
    digest = next((each for each in app.config.digests if each.slug == record.edition.digest), None)
    now = context.clock()
    writer = writer_of(app.database, edition_id, now) if record.state is EditionState.DRAFT else ""
    ruled = ruling(record, digest, now, stopped=stopped, writer=writer)
    if ruled.step is EditionStep.WAIT and ruled.reason:
        context.report(RunEvent(kind=EventKind.WAITING, subject=edition_id, detail=ruled.reason))
    elif ruled.step is EditionStep.SKIP and _skipped(
        app, record, ruled.reason, context, anew=stopped is not None
    ):
        context.report(RunEvent(kind=EventKind.SKIPPED, subject=edition_id, detail=ruled.reason))
    elif ruled.step is EditionStep.SEND and not _goes_to_staff_first(app, record, digest, context):
        _send_or_note(app, edition_id, context)


def _send_or_note(app: App, edition_id: str, context: RunContext) -> None:
    """Send an edition; if that fails, keep the reason for the pages and the messages to the staff."""
    try:
        send_edition(app, edition_id, context)
    except OutageError:
        raise
    except DigestError as error:
        with app.database.write() as connection:
            note_trouble(connection, edition_id, context.clock(), _trouble_text(error))
        raise
    with app.database.write() as connection:
        end_trouble(connection, edition_id)


def _trouble_text(error: DigestError) -> str:
    if isinstance(error, PreflightError):
        return f"it cannot be sent as it is: {' '.join(error.reasons)}"
    return str(error)


def _goes_to_staff_first(app: App, record: EditionRecord, digest: Digest | None, context: RunContext) -> bool:
    """Tell whether the readers' copies of an edition wait, because the staff's copies have a head start."""
    if digest is None or not record.is_ahead:
        return False
    begins_at = held_back_until(app.database, app.config, record, digest)
    if begins_at is None or begins_at <= context.clock():
        return False
    detail = f"the staff gets its copies first; readers get theirs {local_text(begins_at, digest)}"
    context.report(RunEvent(kind=EventKind.WAITING, subject=record.edition.id, detail=detail))
    return True


def _skipped(app: App, record: EditionRecord, why: str, context: RunContext, *, anew: bool) -> bool:
    """Skip an edition; False if another process has changed the edition since the record was read.

    With `anew`, the edition's date is open again, and the next run composes another edition.
    """
    with app.database.write() as connection:
        try:
            advance_seen(connection, record, EditionState.SKIPPED, StepCause(at=context.clock(), why=why))
        except StateError:
            return False
        if anew:
            undo_occurrence(connection, record.edition.id)
    return True


def _guarded(subject: str, context: RunContext, action: Callable[[], None]) -> bool:
    """Return False if a digest or an edition fails; an outage of the database is not its fault."""
    try:
        action()
    except OutageError:
        raise
    except DigestError as error:
        context.report(RunEvent(kind=EventKind.FAILED, subject=subject, detail=str(error)))
        return False
    return True
