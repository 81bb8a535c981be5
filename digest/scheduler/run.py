"""Do everything that is due, in order, and once, even if several processes run at the same time."""

from __future__ import annotations

from collections.abc import Sequence
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
from digest.editions.feeds import collect_due
from digest.editions.limits import forget_old_counts
from digest.editions.notices.queue import forget_notices, notify_staff
from digest.editions.preflight import inspection_of
from digest.editions.schedules import INSTANT, begin_digests, local_text
from digest.model.editions import Composed, Due, EditionState
from digest.model.errors import DigestError, OutageError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.monitoring.progress import keep_tallies
from digest.readers.notices import send_notices
from digest.readers.signup import expire_signups
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.policy import EditionStep, Occasions, occasions, ruling
from digest.schedule.schedule import SKIP_REASON
from digest.schedule.seen import last_seen
from digest.scheduler.failures import guarded
from digest.scheduler.sending import send_others
from digest.storage.editions.due import due_editions
from digest.storage.editions.records import usable_editions
from digest.storage.nodes import forget_silent
from digest.storage.occurrences import (
    claim_occurrence,
    finish_occurrence,
    occurrences_of,
    release_occurrence,
    seen_schedules,
)
from digest.storage.reports import forget_reports, last_run, note_run
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
    tried = send_others(app, context, frozenset())
    collect_due(app.database, app.config, context)
    compose_due(app, context, collect_first=False)
    _tell(app, context)
    tried = send_others(app, context, tried)
    gather_due(app, context)
    send_others(app, context, tried)
    _tell(app, context)
    offer_merges(app, context)


def _tell(app: App, context: RunContext, *, composed: bool = True) -> None:
    tell_staff(app, context, composed=composed)
    send_notices(app, context)


def tell_staff(app: App, context: RunContext, *, composed: bool = True) -> bool:
    """Make approvals void that do not cover their editions, and queue what the staff should know by now."""
    void_changed(app, context)
    return notify_staff(app, context, composed=composed)


def offer_merges(app: App, context: RunContext) -> None:
    """Report each digest of which several editions wait for approval."""
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
        forget_silent(connection)
    return expire_signups(app.database, now)


# ── compose ─────────────────────────────────────────────────────────────────────────────────


def compose_due(app: App, context: RunContext, *, collect_first: bool = True) -> bool:
    """Compose each digest whose cutoff has come, after collecting its feeds; False if a digest failed.

    A digest that fails does not stop the others. They share the time for pictures.
    """
    note_look(app, context.clock())
    every = [Cadence(digest=digest) for digest in app.config.digests]
    found = {cadence: _occasions(app, cadence, context.clock()) for cadence in every}
    if collect_first and any(each.compose for each in found.values()):
        collect_due(app.database, app.config, context)
    fine, until = True, replace(context, stop=picture_time(context.stop))
    for cadence, each in found.items():
        if not context.stop():
            fine &= guarded(cadence.digest.slug, context, partial(_compose, app, cadence, each, until))
    return fine


def dates_due(app: App, now: datetime) -> tuple[tuple[str, date], ...]:
    """Return each digest with an edition to compose or with missed dates, and the last of these dates."""
    found = ((digest.slug, _occasions(app, Cadence(digest=digest), now)) for digest in app.config.digests)
    return tuple((slug, day) for slug, each in found for day in [_last_date(each)] if day)


def compose_digest(app: App, slug: str, day: date, context: RunContext) -> None:
    """Compose the edition of a date, after collecting the feeds, and record missed dates before it.

    Nothing happens if this is done already. Raises NotFoundError if the digest is no longer configured.
    """
    cadence = Cadence(digest=app.config.digest(slug))
    found = _occasions(app, cadence, context.clock())
    last = _last_date(found)
    if last is None or last < day:
        return
    if found.compose:
        collect_due(app.database, app.config, context)
    _compose(app, cadence, found, replace(context, stop=picture_time(context.stop)))


def _last_date(found: Occasions) -> date | None:
    return max((due.local_date for due in (*found.skipped, *found.missed, *found.compose)), default=None)


def note_look(app: App, now: datetime) -> None:
    """Record that the scheduler looked at the clock, for the staff's pages; at most every fifteen seconds."""
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
            fine &= guarded(digest.slug, context, partial(_gather, app, digest, context))
    return fine


def gatherings_due(app: App, now: datetime) -> tuple[tuple[str, date], ...]:
    """Return each digest with a gathered edition to compose, and the last date of those."""
    found = (
        (digest.slug, _last_date(_occasions(app, cadence, now)))
        for digest in app.config.digests
        for cadence in cadences(digest)
        if cadence.frequency is not Frequency.EACH
    )
    return tuple(dict.fromkeys((slug, day) for slug, day in found if day))


def gather_digest(app: App, slug: str, context: RunContext) -> None:
    """Compose the gathered editions of a digest that are due. Raises NotFoundError."""
    _gather(app, app.config.digest(slug), context)


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
