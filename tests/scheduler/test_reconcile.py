"""The ledger says which slices need a job, whatever the engine believes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from digest.app import App
from digest.editions.editions import cancel, find_edition, pause_edition, resume_edition
from digest.editions.send import address_edition
from digest.model.errors import NotFoundError
from digest.model.run_context import RunContext, RunEvent
from digest.schedule.jobs import Job, JobKind
from digest.scheduler.firing import fire_send
from digest.scheduler.jobs import Jobs
from digest.scheduler.reconcile import reconcile
from digest.storage.owner import note_end, own_name
from digest.storage.tables.deliveries import slices
from tests.scheduler.by_nodes import do_jobs, fetched
from tests.scheduler.installation import Place, at, place_of

EDITION = "daily-2026-11-23"
SLICE = Job(kind=JobKind.SEND, subject=EDITION, part="0")
NOW = at("23 07:00")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a publication whose edition is composed and not sent yet."""
    place = place_of("nodes", tmp_path, request)
    place.publish("Ferry")
    place.subscribe("ada", "bob")
    place.run("23 06:45")
    return place


def addressed(app: App) -> None:
    """Address the edition, and lose the jobs of its slices."""
    fire_send(app, RunContext(clock=lambda: NOW))
    job = fetched(app)
    assert job == Job(kind=JobKind.ADDRESS, subject=EDITION)
    Jobs(app=app, context=RunContext(clock=lambda: NOW), lines=1).do(job)
    assert fetched(app) == SLICE
    assert fetched(app) is None


def test_a_slice_whose_job_was_lost_gets_another(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        assert reconcile(app, NOW, watches=True) == 1
        assert reconcile(app, NOW, watches=True) == 0  # it waits already
        assert do_jobs(app, RunContext(clock=lambda: NOW)) == [
            SLICE,
            replace(SLICE, kind=JobKind.FINISH, part=""),
        ]
    assert set(place.emails()) == {"ada", "bob"}


def test_only_one_node_looks_for_slices_of_others(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        assert reconcile(app, NOW, watches=False) == 0


def held_by(app: App, owner: str) -> None:
    """Let a sender have the slice, which it has just moved."""
    with app.database.write() as connection:
        connection.execute(update(slices).values(owner=owner, moved_at=NOW))


def test_a_slice_that_moves_is_left_to_its_sender_and_one_that_stands_still_gets_a_job(place: Place) -> None:
    # The job of this sender may still be running, and its worker may still beat: a thread can hang.
    with place.app() as opened:
        app = replace(opened, database=replace(opened.database, leases_by_caller=True))
        addressed(app)
        held_by(app, "other:b:n:1:2:3")
        assert reconcile(app, NOW + timedelta(seconds=110), watches=True) == 0
        assert reconcile(app, NOW + timedelta(seconds=130), watches=True) == 1


def test_a_slice_gets_a_job_although_the_engine_believes_that_one_is_being_done(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        with app.database.write() as connection:
            app.defer(connection, [SLICE])
            connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
        assert reconcile(app, NOW, watches=True) == 1


def test_an_edition_that_is_being_ended_gets_no_more_jobs(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        Jobs(app=app, context=RunContext(clock=lambda: NOW), lines=1).do(SLICE)
        with app.database.write() as connection:
            connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
        assert reconcile(app, NOW, watches=True) == 0


def test_an_edition_is_addressed_together_with_the_jobs_of_its_slices_or_not_at_all(place: Place) -> None:
    with place.app() as app:

        def fail(_connection: object, numbers: Sequence[int]) -> None:
            assert numbers == (0,)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            address_edition(app, EDITION, RunContext(clock=lambda: NOW), fail)
        assert find_edition(app.database, app.config, EDITION).is_ahead
        with app.database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM deliveries")) == 0


def test_each_node_finds_the_slices_of_senders_that_died_on_its_machine(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        held_by(app, _dead_sender())
        assert reconcile(app, NOW, watches=False) == 1
        assert do_jobs(app, RunContext(clock=lambda: NOW))[0] == SLICE
    assert set(place.emails()) == {"ada", "bob"}


def _dead_sender() -> str:
    name = own_name()
    note_end(name)
    return name


def test_a_paused_edition_gets_no_jobs_until_it_is_resumed(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        pause_edition(app.database, EDITION, reason="a look", now=NOW)
        assert reconcile(app, NOW, watches=True) == 0
        Jobs(app=app, context=RunContext(clock=lambda: NOW), lines=1).do(SLICE)
        assert place.emails() == {}
        resume_edition(app.database, EDITION, NOW)
        assert reconcile(app, NOW, watches=True) == 1


def test_a_cancelled_edition_is_settled_without_a_job(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        cancel(app.database, EDITION, reason="", now=NOW)
        assert do_jobs(app, RunContext(clock=lambda: NOW)) == []
        with app.database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM deliveries WHERE state = 'skipped'")) == 2


def test_a_job_that_is_done_twice_mails_nobody_twice(place: Place) -> None:
    with place.app() as app:
        addressed(app)
        jobs = Jobs(app=app, context=RunContext(clock=lambda: NOW), lines=1)
        jobs.do(SLICE)
        assert set(place.emails()) == {"ada", "bob"}
        jobs.do(SLICE)
        jobs.do(Job(kind=JobKind.ADDRESS, subject=EDITION))
        do_jobs(app, RunContext(clock=lambda: NOW))
        jobs.do(SLICE)
        assert place.emails() == {}


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (SLICE, "no edition is called 'daily-2026-11-23'"),
        (Job(kind=JobKind.ADDRESS, subject=EDITION), "no edition is called 'daily-2026-11-23'"),
        (Job(kind=JobKind.FINISH, subject=EDITION), "no edition is called 'daily-2026-11-23'"),
        (Job(kind=JobKind.COLLECT, subject="Old Gazette"), "no feed is called 'Old Gazette'"),
        (Job(kind=JobKind.COMPOSE, subject="old", part="2026-11-23"), "no digest is called 'old'"),
        (Job(kind=JobKind.GATHER, subject="old", part="2026-11-23"), "no digest is called 'old'"),
    ],
)
def test_a_job_for_something_that_was_erased_says_so(
    request: pytest.FixtureRequest, tmp_path: Path, job: Job, sentence: str
) -> None:
    with place_of("nodes", tmp_path, request).app() as app, pytest.raises(NotFoundError, match=sentence):
        Jobs(app=app, context=RunContext(), lines=1).do(job)


def test_a_job_of_a_mailbox_processes_its_messages(place: Place) -> None:
    folder = place.folder / "Maildir/new"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"Subject: Hello\r\n\r\nGood morning.\r\n")
    with place.app() as app:
        job = Job(kind=JobKind.RECEIVE, subject=str(place.folder / "Maildir"))
        Jobs(app=app, context=RunContext(), lines=1).do(job)
    assert [path.name for path in (place.folder / "Maildir/cur").iterdir()] == ["1:2,S"]


def test_an_edition_without_readers_is_finished(place: Place) -> None:
    with place.app() as app:
        with app.database.write() as connection:
            connection.execute(text("UPDATE subscriptions SET state = 'unsubscribed'"))
        events = list[RunEvent]()
        fire_send(app, RunContext(clock=lambda: NOW))
        do_jobs(app, RunContext(clock=lambda: NOW, report=events.append))
        assert [str(event) for event in events] == ["daily-2026-11-23: sent: no readers"]
