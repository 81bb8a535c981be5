"""A feed with a hub, from its first document to a push, over real HTTP on loopback."""

from __future__ import annotations

import hmac
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from urllib.parse import urlencode, urlsplit

import pytest

from digest.app import App
from digest.editions.feeds import list_feeds, list_posts
from digest.scheduler.service import Intervals, Service
from digest.web.serving import serving as serving_pages
from tests.collect.servers import Answer, Site, serving
from tests.scheduler.installation import Place, at

ITEM = '<item><guid isPermaLink="false">{0}</guid><title>{0}</title><link>/{0}</link></item>'


class ShiftedClock:
    """A clock that starts at a chosen time, moves as fast as the real one, and can be put forward."""

    def __init__(self, start: str) -> None:
        self.ahead = at(start) - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, minutes: float) -> None:
        self.ahead += timedelta(minutes=minutes)


class Log:
    """The lines that the program logs, in their order."""

    def __init__(self) -> None:
        self._records: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self.handler = QueueHandler(self._records)

    def until(self, words: str) -> None:
        while words not in self._records.get(timeout=20).getMessage():
            pass


def document(site: Site, *titles: str) -> Answer:
    """Return the answer of a feed that names the hub of its site."""
    links = f'<a:link rel="hub" href="{site.url("/hub")}"/><a:link rel="self" href="{site.url("/feed")}"/>'
    items = "".join(ITEM.format(title) for title in titles)
    text = (
        '<rss version="2.0" xmlns:a="http://www.w3.org/2005/Atom"><channel><title>Harbour</title>'
        f"{links}{items}</channel></rss>"
    )
    return Answer(body=text.encode())


@contextmanager
def running(app: App, clock: ShiftedClock) -> Iterator[Log]:
    """Run what `digest serve` runs; feeds are collected once, and after that only when they are pushed."""
    log, stop = Log(), Event()
    logger = logging.getLogger("digest.scheduler")
    logger.addHandler(log.handler)
    intervals = Intervals(collect=3600, pushes=0.05, ask_hubs=0.05)
    service = Service(app=app, stop=stop, clock=clock, intervals=intervals, serves_pages=True)
    work = Thread(target=service.run)
    with serving_pages(app, clock=clock):
        work.start()
        try:
            yield log
        finally:
            stop.set()
            work.join()
            logger.removeHandler(log.handler)


def call(method: str, url: str, body: bytes = b"", signature: str = "") -> tuple[int, str]:
    """Send a request as a hub does, and return the answer."""
    parts = urlsplit(url)
    line = HTTPConnection(parts.netloc, timeout=20)
    line.request(method, f"{parts.path}?{parts.query}", body, {"x-hub-signature": signature})
    answer = line.getresponse()
    status, text = answer.status, answer.read().decode()
    line.close()
    return status, text


def test_a_push_wakes_the_running_program_and_its_feed_is_fetched_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place, clock = Place(tmp_path), ShiftedClock("23 12:00")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with serving() as site:
        feed_url = site.put("/feed", document(site, "Ferry"))
        site.put("/hub", Answer(status=202))
        place.change('path = "gazette.json"', f'url = "{feed_url}"')
        place.change('"https://digest.example.org"', f'"http://127.0.0.1:{port}"')
        hosts = '[collect]\nallow_hosts = ["127.0.0.1"]'
        place.change("[[topic]]", f'[web]\nhost = "127.0.0.1"\nport = {port}\n\n{hosts}\n\n[[topic]]')
        with place.app() as app, running(app, clock) as log:
            log.until("feed Harbour Gazette: 1 new")
            assert not site.posted
            clock.forward(minutes=16)
            site.wait_until(lambda: len(site.posted) == 1)
            form = site.posted[0][1]
            callback = form["hub.callback"]
            query = {"hub.mode": "subscribe", "hub.topic": feed_url, "hub.challenge": "a gull"}
            assert call("GET", f"{callback}?{urlencode(query)}") == (200, "a gull")
            assert call("GET", f"{callback}?{urlencode(query)}")[0] == 404

            body = b"not even XML"
            mac = hmac.new(form["hub.secret"].encode(), body, "sha256").hexdigest()
            site.put("/feed", document(site, "Tide", "Ferry"))
            assert call("POST", callback, body + b"!", f"sha256={mac}") == (202, "")
            assert [path for path, _ in site.asked] == ["/feed"]
            assert call("POST", callback, body, f"sha256={mac}") == (202, "")
            log.until("feed Harbour Gazette: 1 new")
            assert [path for path, _ in site.asked] == ["/feed"] * 2
            posts = list_posts(app.database, app.config, 9, feed="Harbour Gazette", digest=None, state=None)
            assert {row.post.title for row in posts} == {"Ferry", "Tide"}
            (gazette, _) = list_feeds(app.database, app.config, clock())
            assert gazette.notes[0].startswith(
                "Its hub 127.0.0.1 tells of new posts at once; the last time at"
            )
            assert "because its hub tells of new posts" in gazette.state
