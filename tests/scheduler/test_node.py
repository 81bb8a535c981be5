"""A real node in a thread: it works, says so, and stops taking jobs when it should."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from sqlalchemy import text, update

from digest.app import App
from digest.editions.editions import find_edition
from digest.engine.supervisor import DEAF
from digest.engine.worker import Terms
from digest.model.editions import EditionState
from digest.model.nodes import KnownNode, Node
from digest.model.run_context import utc_now
from digest.schedule.jobs import QUEUES, Job, JobKind
from digest.scheduler.node import work
from digest.scheduler.service import Intervals, Service
from digest.storage.nodes import beat, known_nodes, leave
from digest.storage.tables.nodes import nodes
from tests.scheduler.installation import Place, place_of
from tests.scheduler.test_service import MovingClock


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of("nodes", tmp_path, request)


def wait_for(condition: Callable[[], bool]) -> None:
    end = monotonic() + 30
    while not condition():
        assert monotonic() < end, "it has not happened within 30 seconds"
        sleep(0.05)


@contextmanager
def at_work(app: App, clock: Callable[[], datetime] = utc_now) -> Iterator[tuple[Event, list[int]]]:
    """Run a node; yield the event that stops it, and a list that gets its exit code."""
    stop, codes = Event(), list[int]()
    node = Thread(target=lambda: codes.append(work(app, Terms(queues=QUEUES, lines=2), stop, clock=clock)))
    node.start()
    try:
        yield stop, codes
    finally:
        stop.set()
        node.join(60)
        assert not node.is_alive()


def known(app: App) -> tuple[KnownNode, ...]:
    with app.database.read() as connection:
        return known_nodes(connection)


def jobs_of(app: App) -> int:
    with app.database.read() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM procrastinate_jobs")) or 0)


def workers_of(app: App) -> int:
    with app.database.read() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM procrastinate_workers")) or 0)


def last_beat(app: App) -> datetime:
    return max(each.node.beat_at for each in known(app) if each.node.id != "other")


def clean(app: App) -> None:
    with app.database.write() as connection:
        app.defer(connection, [Job(kind=JobKind.CLEAN)])


def other(version: str) -> Node:
    return Node(
        id="other", host="other", pid=1, version=version, lines=4, started_at=utc_now(), beat_at=utc_now()
    )


def test_serve_fires_and_a_node_does_the_work(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", "bob")
    place.run("23 06:00")
    stop, clock = Event(), MovingClock("23 07:00")
    intervals = Intervals(pushes=0.2, compose=0.2, send=0.2)
    with place.app() as app, at_work(app, clock):
        serving = Thread(target=Service(app=app, stop=stop, intervals=intervals, clock=clock).run)
        serving.start()
        try:
            wait_for(lambda: len([*place.folder.glob("data/mail/*.eml")]) == 2)
            wait_for(
                lambda: find_edition(app.database, app.config, "daily-2026-11-23").state is EditionState.SENT
            )
        finally:
            stop.set()
            serving.join(60)
    assert set(place.emails()) == {"ada", "bob"}


def test_a_node_says_what_it_is_and_leaves_when_it_is_stopped(place: Place) -> None:
    with place.app() as app:
        with at_work(app) as (stop, codes):
            wait_for(lambda: bool(known(app)))
            (node,) = (each.node for each in known(app))
            assert (node.lines, node.queues, node.note) == (2, QUEUES, "")
            stop.set()
            wait_for(lambda: bool(codes))
        assert codes == [0]
        assert known(app) == ()


def test_a_node_takes_no_more_jobs_while_another_has_a_newer_version(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with place.app() as app, at_work(app):
        clean(app)
        wait_for(lambda: jobs_of(app) == 0)
        with app.database.write() as connection:
            beat(connection, other("99.0"))
        wait_for(lambda: any("takes no more jobs" in each.node.note for each in known(app)))
        wait_for(lambda: workers_of(app) == 0)
        clean(app)
        before = last_beat(app)
        wait_for(lambda: last_beat(app) != before)
        assert jobs_of(app) == 1
        with app.database.write() as connection:
            leave(connection, "other")
        wait_for(lambda: jobs_of(app) == 0)
    assert "another has 99.0, so it takes no more jobs: update it" in caplog.text


def test_an_older_node_holds_nobody_up(place: Place) -> None:
    with place.app() as app, at_work(app):
        with app.database.write() as connection:
            beat(connection, other("0.0.1"))
        clean(app)
        wait_for(lambda: jobs_of(app) == 0)


def forgotten(app: App) -> int:
    """Delete the row of the worker, as if others had taken it for dead; return how many there were."""
    with app.database.write() as connection:
        return connection.execute(text("DELETE FROM procrastinate_workers")).rowcount


def test_a_node_whose_worker_is_deaf_ends_with_70(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with place.app() as app, at_work(app) as (_, codes):
        wait_for(lambda: forgotten(app) == 1)  # it beats before its worker has a row
        wait_for(lambda: bool(codes))
        assert codes == [DEAF]
    assert "the worker is deaf: its row is gone" in caplog.text


def test_a_node_whose_engine_has_lost_its_tables_is_started_again_and_makes_them(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with place.app() as app, at_work(app) as (_, codes):
        wait_for(lambda: workers_of(app) == 1)
        with app.database.write() as connection:
            connection.execute(text("DROP TABLE procrastinate_jobs CASCADE"))
        wait_for(lambda: bool(codes))
        assert codes == [DEAF]
    assert "the worker has ended by itself; the node is started again" in caplog.text
    with place.app() as app:
        assert jobs_of(app) == 0


def test_a_node_without_its_supervisor_ends(place: Place) -> None:
    with place.app() as app:
        assert work(app, Terms(queues=QUEUES, lines=1), Event(), is_orphan=lambda: True) == 0


def test_a_job_whose_end_could_not_be_written_does_not_stay_for_ever(place: Place) -> None:
    with place.app() as app, at_work(app):
        wait_for(lambda: workers_of(app) == 1)
        with app.database.write() as connection:
            worker = connection.scalar(text("SELECT id FROM procrastinate_workers"))
            app.defer(connection, [Job(kind=JobKind.CLEAN)])
            connection.execute(
                text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker"),
                {"worker": worker},
            )
        wait_for(lambda: jobs_of(app) == 0)


def test_a_node_with_a_wrong_clock_says_so(place: Place) -> None:
    with place.app() as app:
        with app.database.write() as connection:
            beat(connection, other("0.1.0"))
            connection.execute(update(nodes).values(ahead=300.0))
        (found,) = known(app)
        assert found.has_wrong_clock
