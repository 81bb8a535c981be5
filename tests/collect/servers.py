"""Servers on loopback whose answers depend on the path; each stops with its test."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Harbour</title><item>
<guid isPermaLink="false">1</guid><title>The tide turns</title><link>/1</link></item></channel></rss>"""
CHUNK = b" " * 65_536


@dataclass
class Answer:
    """The answer of a path, or the way in which it fails."""

    status: int = 200
    body: bytes = FEED
    headers: dict[str, str] = field(default_factory=dict)
    endless: int = 0  # how many times the body is sent
    silent: bool = False  # nothing at all is answered
    after: int = 0  # answered only when the site has been asked this many times
    dripping: bool = False  # one byte, and then nothing
    no_head: bool = False  # HEAD is refused
    keep: bool = False  # the connection stays open
    only_first: bool = False  # if the connection has had a request already, it is closed without an answer


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128  # with the default of 5, a busy machine refuses some of many connections at once


class Site:
    """A site of canned answers that remembers what was asked of it."""

    def __init__(self, scheme: str = "http") -> None:
        self.scheme = scheme
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.heads: list[str] = []  # paths that were asked by HEAD
        self.posted: list[tuple[str, dict[str, str]]] = []  # forms
        self.sent = 0  # bytes of bodies
        self.connections = 0
        self.closing = threading.Event()
        self.arrival = threading.Condition()
        self.port = 0

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def put(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.url(path)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a request has come that makes a condition true."""
        with self.arrival:
            assert self.arrival.wait_for(condition, timeout=20)

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        return self.put(path, Answer(status=status, body=b"", headers={"location": target}))


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve a site on a free port of loopback until the block ends."""
    site = Site(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.asked = 0
            with site.arrival:
                site.connections += 1

        def do_GET(self) -> None:
            self.asked += 1
            with site.arrival:
                site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                site.arrival.notify_all()
            answer = site.answers.get(self.path, Answer(status=404, body=b"nothing here"))
            if answer.only_first and self.asked > 1:
                self.close_connection = True
            else:
                _answer(self, site, answer)

        def do_HEAD(self) -> None:
            with site.arrival:
                site.heads.append(self.path)
            answer = site.answers.get(self.path, Answer(status=404))
            self.send_response(405 if answer.no_head else answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode("ascii")
            with site.arrival:
                site.posted.append((self.path, dict(parse_qsl(form))))
                site.arrival.notify_all()
            _answer(self, site, site.answers.get(self.path, Answer(status=404, body=b"nothing here")))

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, site: Site, answer: Answer) -> None:
    handler.close_connection = not answer.keep
    if answer.silent:
        site.closing.wait(20)
        return
    with site.arrival:
        site.arrival.wait_for(lambda: len(site.asked) >= answer.after, timeout=20)
    etag = answer.headers.get("etag")
    if etag and handler.headers.get("if-none-match") == etag:
        handler.send_response(304)
        handler.end_headers()
        return
    handler.send_response(answer.status)
    if answer.keep:
        handler.send_header("content-length", str(len(answer.body)))
    else:
        handler.send_header("connection", "close")
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    try:
        _send_body(handler, site, answer)
    except OSError:
        return  # the client has had enough, as it should


def _send_body(handler: BaseHTTPRequestHandler, site: Site, answer: Answer) -> None:
    if answer.dripping:
        handler.wfile.write(answer.body[:1])
        handler.wfile.flush()
        site.closing.wait(20)
        return
    for _ in range(answer.endless or 1):
        handler.wfile.write(answer.body)
        site.sent += len(answer.body)


def bomb(megabytes: int) -> bytes:
    """Return a gzip body of a few kilobytes that unpacks to many megabytes."""
    return gzip.compress(b" " * (megabytes * 1_000_000))
