"""Do everything that is due as with an engine: firings store jobs, and one line of a node does them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sqlalchemy import text

from digest.app import App
from digest.editions.schedules import begin_digests
from digest.model.run_context import RunContext, RunEvent
from digest.readers.notices import send_notices
from digest.schedule.jobs import Job, job_of
from digest.scheduler.firing import fire_clean, fire_collect, fire_compose, fire_gather, fire_send
from digest.scheduler.jobs import Jobs
from digest.scheduler.reconcile import reconcile
from digest.scheduler.reporting import guarded
from digest.scheduler.run import offer_merges, release_and_report, tell_staff

ENGINE = '\n[jobs]\nengine = "procrastinate"\n'  # to be added to config.toml


def run_by_nodes(app: App, context: RunContext) -> None:
    """Do what `run_due` does, in the same order, by jobs; an event that repeats is reported once."""
    last = dict[str, RunEvent]()

    def report(event: RunEvent) -> None:
        if last.get(event.subject) != event:
            last[event.subject] = event
            context.report(event)

    _run(app, replace(context, report=report))


def _run(app: App, context: RunContext) -> None:
    release_and_report(app, context)
    for event in begin_digests(app.database, app.config, context.clock()):
        context.report(event)
    fire_clean(app)
    for fire in (fire_send, fire_collect, fire_compose, fire_send, fire_gather, fire_send):
        fire(app, context)
        tell_staff(app, context)
        do_jobs(app, context)
    send_notices(app, context)
    offer_merges(app, context)


def do_jobs(app: App, context: RunContext) -> list[Job]:
    """Do all jobs that wait, and those that they store, as one line of a node; return them.

    A job that has failed is not tried again.
    """
    jobs, done = Jobs(app=app, context=context, lines=1), list[Job]()
    while True:
        reconcile(app, context.clock(), watches=True)
        job = fetched(app)
        if job is None or job in done:
            return done
        guarded(job.subject, context, partial(jobs.do, job))
        done.append(job)


def fetched(app: App) -> Job | None:
    """Take the next job out of the engine's tables; None if none waits."""
    with app.database.write() as connection:
        fetch = text("SELECT id, task_name, args FROM procrastinate_fetch_job_v2(NULL, NULL)")
        number, name, values = connection.execute(fetch).one()
        connection.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": number})
    return job_of(name, values) if number else None
