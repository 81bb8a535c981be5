"""SIGHUP lets `digest serve` read its configuration and templates again, or say why it cannot."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from digest.app import App, reopen_app
from digest.config import load
from digest.model.messages import Message, Outcome, Receipt
from digest.model.run_context import EventKind, RunEvent
from digest.scheduler.service import Intervals, Service
from digest.send.outbox import Outbox
from tests.scheduler.installation import CONFIG, Place, at

DIGEST = Path(sys.executable).parent / "digest"


@dataclass(slots=True)
class Serving:
    """A running `digest serve`, and what it has logged."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def until(self, words: str) -> str:
        """Read the log until a line contains `words`, and return the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended with: {self.said}")

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def serving(place: Place) -> Iterator[Serving]:
    command = [str(DIGEST), "--config", str(place.config_path), "serve"]
    environ = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        try:
            running = Serving(process)
            running.until("serving")
            yield running
            process.terminate()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def page(line: http.client.HTTPConnection, path: str = "/signup") -> str:
    line.request("GET", path)
    return line.getresponse().read().decode()


def asked_until(line: http.client.HTTPConnection, words: str) -> str:
    """Ask for the page again and again until it has these words, and return it."""
    pause = Event()
    for _ in range(10_000):
        shown = page(line)
        if words in shown:
            return shown
        pause.wait(0.02)  # because a server that only answers reads its configuration slowly
    raise AssertionError(f"no page has {words!r}")


def test_everything_is_read_again_and_open_connections_stay_open(place: Place) -> None:
    port, other = free_port(), free_port()
    (place.folder / "own/web").mkdir(parents=True)
    place.configure(f"{CONFIG}\n[web]\nport = {port}\n")
    weekend = '[[digest]]\nslug = "weekend"\ntitle = "Weekend"\nschedule = "saturdays at 09:00"\n'
    with serving(place) as running, closing(http.client.HTTPConnection("127.0.0.1", port)) as line:
        assert "Harbour Digest" in page(line)
        kept = line.sock
        place.change('name = "Harbour Digest"', 'name = "Quay Digest"\ntemplates = "own"')
        place.change("[web]", f'{weekend}from = "Quay <w@digest.example.org>"\n\n[web]')
        (place.folder / "own/web/message.html").write_text("<p>our own page</p>")
        running.hang_up()
        shown = asked_until(line, "Weekend")  # an idle connection would be closed after seconds
        assert line.sock is kept
        assert "Quay Digest" in shown
        assert running.until("reloaded").rstrip().endswith("serving daily, weekend")
        running.until("weekend: starts now")
        line.close()
        assert "our own page" in page(line, "/nowhere")
        place.change(f"port = {port}", f"port = {other}")
        running.hang_up()
        running.until("reloaded")
        with closing(http.client.HTTPConnection("127.0.0.1", other)) as moved:
            assert "Weekend" in page(moved)


def test_a_mistake_is_named_with_its_line_and_the_earlier_configuration_stays(place: Place) -> None:
    port = free_port()
    (place.folder / "own/mail").mkdir(parents=True)
    good = f'{CONFIG}\n[web]\nport = {port}\n[database]\nurl = "sqlite:///data/digest.db"\n'
    place.configure(good)
    (place.folder / "own/mail/edition.txt").write_text("{{ titel }}")
    lines = good.splitlines()
    taken = socket.create_server(("127.0.0.1", 0))
    mistakes = (
        ('name = "Harbour Digest"', "name = Harbour", "config.toml:3: is not valid TOML"),
        (
            'title = "Daily"',
            'titel = "Daily"',
            f"config.toml:{lines.index('[[digest]]') + 3}: digest.titel: unkn",
        ),
        (
            "data/digest.db",
            "data/other.db",
            f"config.toml:{len(lines)}: database.url: the database",
        ),
        ("[site]", '[site]\ntemplates = "own"', "own/mail/edition.txt:1: there is no 'titel' here"),
        (f"port = {port}", f"port = {taken.getsockname()[1]}", "web.port: 127.0.0.1:"),
    )
    with taken, serving(place) as running, closing(http.client.HTTPConnection("127.0.0.1", port)) as line:
        for old, new, said in mistakes:
            assert old in good
            place.configure(good.replace(old, new))
            running.hang_up()
            running.until("not reloaded, the earlier configuration stays in use: ")
            while said not in running.said[-1]:
                running.until("not reloaded")
            assert "Harbour Digest" in page(line)
            line.close()  # otherwise the server closes it while the next mistake is read
        place.configure(good)
        running.hang_up()
        running.until("reloaded /")


# ── while an edition is sent ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(App):
    """An app whose messages are answered only after the app was replaced."""

    on_wire: Event
    may_answer: Event
    sent: list[str]

    def outbox(self, lines: int = 1) -> Outbox:
        return replace(App.outbox(self), transport=self, group=2)

    def carry(self, groups: Iterator[Sequence[Message]]) -> Generator[Sequence[Receipt], None, None]:
        for group in groups:
            self.sent.extend(message.recipient for message in group)
            self.on_wire.set()
            self.may_answer.wait(timeout=60)
            yield [Receipt(message.key, Outcome.ACCEPTED, 250, reply="kept") for message in group]


def test_an_edition_that_is_going_out_is_finished_with_what_it_began_with(place: Place) -> None:
    place.publish("Ferry")
    place.subscribe("ada", "bob", "cleo", "dan")
    place.run("23 06:00")  # so that there is a post, whichever work comes first
    began, now = at("23 07:00"), datetime.now(UTC)
    stop, on_wire, may_answer = Event(), Event(), Event()
    sent: list[str] = []
    with place.app() as app:
        held = Held(
            config=app.config,
            database=app.database,
            templates=app.templates,
            secret=app.secret,
            on_wire=on_wire,
            may_answer=may_answer,
            sent=sent,
        )
        place.change('slug = "daily"', 'slug = "other"')

        def reloaded(current: App) -> App | None:
            if current is not held or not on_wire.is_set():
                may_answer.set() if current is not held else None
                return None
            return reopen_app(load(place.config_path, {}), current)

        def report(event: RunEvent) -> None:
            if event.kind is EventKind.SENT:
                stop.set()

        service = Service(
            app=held,
            stop=stop,
            intervals=Intervals(collect=0.05, compose=0.05, send=0.05),
            clock=lambda: began + (datetime.now(UTC) - now) + timedelta(),
            report=report,
            reloaded=reloaded,
        )
        working = Thread(target=service.run)
        working.start()
        working.join(timeout=60)
        ended = not working.is_alive()
        stop.set()  # otherwise, a failure would leave a thread at work for all following tests
        may_answer.set()
        working.join(timeout=60)
        assert ended
    assert sorted(sent) == [f"{name}@example.org" for name in ("ada", "bob", "cleo", "dan")]
    assert place.emails() == {}, "the changed configuration writes into the folder"
