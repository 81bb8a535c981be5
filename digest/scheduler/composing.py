"""Compose the editions whose cutoff has come. Each date of a schedule is done once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from digest.app import App
from digest.editions.compose import compose_cadence, picture_time, stories_text
from digest.editions.feeds import collect_due
from digest.editions.preflight import inspection_of
from digest.editions.schedules import INSTANT, local_text
from digest.model.editions import Composed, Due, EditionState
from digest.model.errors import DigestError, OutageError
from digest.model.publication import Digest
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.schedule.cadence import Cadence, cadences
from digest.schedule.policy import EditionStep, Occasions, occasions, ruling
from digest.schedule.schedule import SKIP_REASON
from digest.schedule.seen import last_seen
from digest.scheduler.reporting import guarded
from digest.storage.editions.due import due_editions
from digest.storage.editions.records import usable_editions
from digest.storage.occurrences import (
    claim_occurrence,
    finish_occurrence,
    occurrences_of,
    release_occurrence,
    seen_schedules,
)
from digest.storage.reports import last_run, note_run
from subscribers.model import Frequency

_NOTED = timedelta(seconds=15)
_A_FEW = 7  # missed dates, of which each gets a line of its own


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


def note_look(app: App, now: datetime) -> None:
    """Record, at most every fifteen seconds, that the scheduler is running. The staff's pages show it."""
    with app.database.read() as connection:
        last = last_run(connection)
    if last is None or not now - _NOTED <= last <= now:
        with app.database.write() as connection:
            note_run(connection, now)


# ── gathered editions ───────────────────────────────────────────────────────────────────────


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


# ── dates ───────────────────────────────────────────────────────────────────────────────────


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


def _last_date(found: Occasions) -> date | None:
    return max((due.local_date for due in (*found.skipped, *found.missed, *found.compose)), default=None)


def _compose(app: App, cadence: Cadence, found: Occasions, context: RunContext) -> None:
    """Compose an edition for each date that is due, and record the dates that get none."""
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
    at = local_text(due.send_at, cadence.digest)
    detail = f"the {cadence.noun} due {at}: {SKIP_REASON}; its posts wait for the next edition"
    if _pass_over(app, cadence, due, SKIP_REASON, context.clock()):
        context.report(RunEvent(kind=EventKind.SKIPPED, subject=cadence.digest.slug, detail=detail))


def _miss(app: App, cadence: Cadence, due: Due, context: RunContext) -> None:
    at = local_text(due.send_at, cadence.digest)
    detail = (
        f"the {cadence.noun} due {at} was missed; its {_content(cadence)} carried over to the next edition"
    )
    if _pass_over(app, cadence, due, "missed", context.clock()):
        context.report(RunEvent(kind=EventKind.MISSED, subject=cadence.digest.slug, detail=detail))


def _miss_many(app: App, cadence: Cadence, missed: Sequence[Due], context: RunContext) -> None:
    """Record the last of many missed dates, because earlier ones do not count then, and report them once."""
    first, last = missed[0], missed[-1]
    between = f"{local_text(first.send_at, cadence.digest)} and {local_text(last.send_at, cadence.digest)}"
    detail = (
        f"{len(missed):,} {cadence.noun}s due between {between} were missed; their {_content(cadence)}"
        " carried over to the next edition. Either nothing ran in that time, or a clock was wrong when the"
        " first run began"
    )
    if _pass_over(app, cadence, last, "missed", context.clock()):
        context.report(RunEvent(kind=EventKind.MISSED, subject=cadence.digest.slug, detail=detail))


def _content(cadence: Cadence) -> str:
    return "posts are" if cadence.frequency is Frequency.EACH else "content is"


def _pass_over(app: App, cadence: Cadence, due: Due, why: str, now: datetime) -> bool:
    """Record that a date gets no edition, and why; False if another process has this date."""
    if not _claim(app, cadence, due, now):
        return False
    _finish(app, cadence, due.local_date, why, now)
    return True


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
        # If a process died before it recorded the date, the edition may have been sent since.
        return compose_cadence(app, cadence, due, context, once=True)
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
