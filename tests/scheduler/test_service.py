from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from types import MappingProxyType

import pytest

from digest.model.run_context import EventKind, RunEvent, utc_now
from digest.scheduler.service import Intervals, Service
from digest.storage.ledger.outcomes import list_deliveries
from digest.storage.reports import last_run
from tests.clocks import ProcessClock
from tests.scheduler.installation import Place, at

DIGEST = Path(sys.executable).parent / "digest"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class MovingClock:
    """A clock that starts at a chosen time and moves as fast as the real one."""

    def __init__(self, start: str) -> None:
        self._start, self._real = at(start), datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._start + (datetime.now(UTC) - self._real)


def test_serve_does_what_is_due(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", "bob")
    stop, events = Event(), list[RunEvent]()

    def report(event: RunEvent) -> None:
        events.append(event)
        if event.kind is EventKind.SENT:
            stop.set()

    intervals = Intervals(collect=0.05, compose=0.05, send=0.05)
    with place.app() as app:
        Service(app=app, stop=stop, intervals=intervals, clock=MovingClock("23 07:00"), report=report).run()
    assert [each.kind for each in events] == [EventKind.COMPOSED, EventKind.SENT]
    assert set(place.emails()) == {"ada", "bob"}


def test_serve_gathers_editions_that_were_sent(place: Place) -> None:
    place.change("topics =", 'gather = { weekly = "mondays at 08:00" }\ntopics =')
    place.publish("Ferry")
    place.subscribe("ada")
    place.run("23 07:00")
    stop, events = Event(), list[RunEvent]()

    def report(event: RunEvent) -> None:
        events.append(event)
        if event.kind is EventKind.SENT:
            stop.set()

    with place.app() as app:
        Service(
            app=app,
            stop=stop,
            intervals=Intervals(compose=0.05, send=0.05),
            clock=MovingClock("23 08:00"),
            report=report,
        ).run()
    assert [(each.kind, each.subject) for each in events] == [
        (EventKind.COMPOSED, "daily-weekly-2026-11-23"),
        (EventKind.SENT, "daily-weekly-2026-11-23"),
    ]


def test_a_gathered_edition_waits_for_a_late_edition(place: Place) -> None:
    place.change("topics =", 'gather = { weekly = "mondays at 08:00" }\ntopics =')
    place.publish("Ferry")
    place.subscribe("ada")
    stop, events = Event(), list[RunEvent]()

    def report(event: RunEvent) -> None:
        events.append(event)
        if event.kind is EventKind.NOTHING or (event.kind is EventKind.SENT and "weekly" in event.subject):
            stop.set()

    intervals = Intervals(collect=0.05, compose=0.05, send=0.05)
    with place.app() as app:
        Service(app=app, stop=stop, intervals=intervals, clock=MovingClock("23 08:05"), report=report).run()
    assert Counter(each.kind for each in events) == {EventKind.COMPOSED: 2, EventKind.SENT: 2}
    composed = [each.subject for each in events if each.kind is EventKind.COMPOSED]
    assert composed == ["daily-2026-11-23", "daily-weekly-2026-11-23"]


def test_posts_are_collected_before_the_first_edition_is_composed(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", now="22 12:00")
    stop, events = Event(), list[RunEvent]()

    def report(event: RunEvent) -> None:
        events.append(event)
        stop.set()

    with place.app() as app:
        Service(app=app, stop=stop, clock=MovingClock("23 06:59"), report=report).run()
    assert [each.kind for each in events] == [EventKind.COMPOSED]


def test_a_failure_is_reported_once_and_the_scheduler_goes_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish("Ferry")
    place.subscribe("ada")
    (place.folder / "data/mail").write_text("not a folder")
    stop, events = Event(), list[RunEvent]()

    def report(event: RunEvent) -> None:
        events.append(event)
        if event.kind is EventKind.FAILED:
            stop.set()

    with place.app() as app:
        Service(
            app=app, stop=stop, clock=MovingClock("23 07:00"), intervals=Intervals(send=0.05), report=report
        ).run()
    assert [each.kind for each in events] == [EventKind.COMPOSED, EventKind.FAILED]
    assert [record.levelname for record in caplog.records if "cannot be made" in record.message] == ["ERROR"]


def test_the_failure_of_a_feed_is_logged_once_with_what_to_do(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (place.folder / "orchard.json").unlink()
    place.publish("Ferry")
    place.run("22 07:30")
    caplog.clear()
    stop = Event()

    with place.app() as app:
        Service(app=app, stop=stop, clock=MovingClock("23 07:00"), report=lambda _: stop.set()).run()
    found = [record for record in caplog.records if "Orchard Notes" in record.getMessage()]
    assert [(record.levelname, record.getMessage()) for record in found] == [
        (
            "WARNING",
            "feed Orchard Notes: failed: The file orchard.json does not exist; correct the feed's url.",
        )
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serve_cleanly(place: Place, number: signal.Signals) -> None:
    serving = _started(place)
    try:
        serving.send_signal(number)
        _, said = serving.communicate(timeout=60)
    finally:
        serving.kill()
    assert serving.returncode == 0, said
    assert said.rstrip().endswith("stopped")


def test_two_schedulers_on_one_database_send_once(tmp_path: Path, database_url: str) -> None:
    place = Place(tmp_path, {"DIGEST_DATABASE_URL": database_url})
    place.publish("Ferry")
    names = [f"reader{number}" for number in range(20)]
    place.subscribe(*names)
    stop, events, clock = Event(), list[RunEvent](), MovingClock("23 07:00")

    def report(event: RunEvent) -> None:
        events.append(event)
        if event.kind is EventKind.SENT:
            stop.set()

    def keep_serving() -> None:
        with place.app() as app:
            Service(
                app=app,
                stop=stop,
                intervals=Intervals(collect=0.05, compose=0.05, send=0.05),
                clock=clock,
                report=report,
            ).run()

    threads = [Thread(target=keep_serving) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.kind for each in events].count(EventKind.COMPOSED) == 1
    assert set(place.emails()) == set(names)
    with place.app() as app, app.database.read() as connection:
        assert {each.tries for each in list_deliveries(connection, "daily-2026-11-23")} == {1}


def test_serve_goes_on_at_once_when_its_clock_is_put_back(place: Place) -> None:
    """APScheduler waits by the time of day: without help, it would wait for the hour to pass again."""
    clock = ProcessClock(place.folder)
    clock.set(3600)
    serving = _started(place, clock.environ)
    try:
        _wait_for(lambda: _last_look(place) > utc_now() + timedelta(minutes=50))
        clock.set(0)
        _wait_for(lambda: _last_look(place) < utc_now() + timedelta(minutes=1))
    finally:
        serving.kill()
        serving.communicate()


def _last_look(place: Place) -> datetime:
    with place.app() as app, app.database.read() as connection:
        return last_run(connection) or utc_now()


def _wait_for(condition: Callable[[], bool]) -> None:
    end = monotonic() + 30
    while not condition():
        assert monotonic() < end, "it has not happened within 30 seconds"
        sleep(0.1)


def _started(place: Place, environ: Mapping[str, str] = MappingProxyType({})) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [str(DIGEST), "--config", str(place.config_path), "serve", "--no-web"],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], **environ},
    )
    _until(process, "serving")
    return process


def _until(process: subprocess.Popen[str], *words: str) -> str:
    """Read the output of a process until a line contains one of `words`."""
    assert process.stderr is not None
    found = ""
    for line in process.stderr:
        found += line
        if any(word in line for word in words):
            return found
    raise AssertionError(f"it ended with: {found}")
