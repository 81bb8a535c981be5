"""Find the jobs that are due at each firing of the clock, for an installation whose nodes do the work.

Each `digest serve` fires. A job that waits already is not stored twice, and the verb that it calls reads in
the database whether there is still something to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from digest.app import App
from digest.editions.feeds import due_feeds
from digest.model.editions import EditionRecord
from digest.model.run_context import RunContext
from digest.schedule.jobs import Job, JobKind
from digest.scheduler.composing import dates_due, gatherings_due, note_look
from digest.scheduler.sending import send_due


def fire_collect(app: App, context: RunContext) -> None:
    """Store a job for each feed that is due."""
    names = due_feeds(app.database, app.config, context.clock())
    _defer(app, [Job(kind=JobKind.COLLECT, subject=name) for name in names])


def fire_compose(app: App, context: RunContext) -> None:
    """Store a job for each digest whose cutoff has come."""
    now = context.clock()
    note_look(app, now)
    _defer(app, [Job(kind=JobKind.COMPOSE, subject=slug, part=f"{day}") for slug, day in dates_due(app, now)])


def fire_gather(app: App, context: RunContext) -> None:
    """Store a job for each digest with a gathered edition whose cutoff has come."""
    found = gatherings_due(app, context.clock())
    _defer(app, [Job(kind=JobKind.GATHER, subject=slug, part=f"{day}") for slug, day in found])


def fire_send(app: App, context: RunContext) -> bool:
    """Store a job for each edition that should begin to be sent; do at once what else policies say."""

    def begin(app: App, record: EditionRecord, _context: RunContext) -> None:
        if record.is_ahead:  # the slices of one that is being sent have their own jobs
            _defer(app, [Job(kind=JobKind.ADDRESS, subject=record.edition.id)])

    return send_due(app, context, begin=begin)


def fire_clean(app: App) -> None:
    """Store the job that cleans up."""
    _defer(app, [Job(kind=JobKind.CLEAN)])


def fire_receive(app: App) -> None:
    """Store a job for the mailbox."""
    if app.config.mail.mailbox:
        _defer(app, [Job(kind=JobKind.RECEIVE, subject=str(app.config.mail.mailbox))])


def _defer(app: App, jobs: Sequence[Job]) -> None:
    if jobs:
        with app.database.write() as connection:
            # A job that is done now will find all that is due. If it fails, it has to pause.
            app.defer(connection, jobs, unless_running=True)
