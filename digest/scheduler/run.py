"""Do everything that is due, in order, and once, even if several processes run at the same time."""

from __future__ import annotations

from datetime import datetime

from digest.app import App
from digest.editions.approval import void_changed
from digest.editions.archive import forget_unused_pictures
from digest.editions.checks.links import forget_old_answers
from digest.editions.clocks import release_ahead
from digest.editions.compose import merge_offer, waiting_together
from digest.editions.feeds import collect_due
from digest.editions.limits import forget_old_counts
from digest.editions.notices.queue import forget_notices, notify_staff
from digest.editions.schedules import begin_digests
from digest.model.run_context import EventKind, RunContext, RunEvent
from digest.monitoring.progress import keep_tallies
from digest.readers.notices import send_notices
from digest.readers.signup import expire_signups
from digest.scheduler.composing import compose_due, gather_due
from digest.scheduler.sending import send_others
from digest.storage.nodes import forget_silent
from digest.storage.reports import forget_reports


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
