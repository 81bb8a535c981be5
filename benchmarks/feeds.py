"""Measure the CPU time of feeds that have not changed, and of feeds that have: `python -m benchmarks.feeds`.

A server in a process of its own answers for all feeds. The figures are the CPU time of `collect` for each
feed, with everything: the request, the decisions, and SQLite with synchronous=FULL. Each is the best of some
rounds, because other work on the machine only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from digest.collect.collect import collect
from digest.collect.sources.ask import Terms
from digest.model.posts import FetchLimits
from digest.model.publication import Digest, Feed
from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate

DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]))
ENTRIES = 15
KINDS = {
    "304": "not modified",
    "kept": "not modified, kept open",
    "same": "the same bytes again",
    "new": "one new post",
}
NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)


def main() -> None:
    """Collect all feeds a few times for each kind of answer, and print the CPU time of a feed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description=__doc__)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    with TemporaryDirectory() as folder, _server() as port:
        for kind, words in KINDS.items():
            database = open_database(f"sqlite:///{Path(folder) / kind}.db")
            migrate(database)
            feeds = [
                Feed(name=f"Feed {n}", url=f"http://127.0.0.1:{port}/{kind}/{n}") for n in range(wanted.feeds)
            ]
            spent = _rounds(database, feeds, wanted.rounds)
            print(f"{words:<24} {min(spent) / wanted.feeds * 1e3:6.2f} ms a feed", flush=True)
            if kind == "304":
                print(f"{'… by httpx2 alone':<24} {_alone(feeds, wanted.rounds) * 1e3:6.2f} ms a feed")
                print(f"{'none of them is due':<24} {_idle(database, feeds) * 1e3:6.1f} ms a run", flush=True)
            database.close()


def _alone(feeds: Sequence[Feed], rounds: int) -> float:
    """Return the CPU seconds of a request by the library's own client: no guard, no decision, no database."""

    async def ask(client: httpx2.AsyncClient, url: str, room: asyncio.Semaphore) -> None:
        async with room:
            assert (await client.get(url, headers={"if-none-match": '"1"'})).status_code == 304

    async def ask_all() -> None:
        room = asyncio.Semaphore(LIMITS.in_flight)
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
            for feed in feeds:
                group.create_task(ask(client, feed.url, room))

    spent = []
    for _ in range(rounds):
        began = time.process_time()
        asyncio.run(ask_all())
        spent.append(time.process_time() - began)
    return min(spent) / len(feeds)


def _idle(database: Database, feeds: Sequence[Feed]) -> float:
    """Return the CPU seconds of a run in which no feed is due."""
    now = NOW + timedelta(seconds=1)
    spent = []
    for _ in range(5):
        began = time.process_time()
        collect(database, feeds, [DAILY], Terms(limits=LIMITS, now=now))
        spent.append(time.process_time() - began)
    return min(spent)


def _rounds(database: Database, feeds: Sequence[Feed], rounds: int) -> list[float]:
    """Return the CPU seconds of each round; the first, in which all posts are new, is left out."""
    spent = []
    for number in range(rounds + 1):
        began = time.process_time()
        report = collect(
            database, feeds, [DAILY], Terms(limits=LIMITS, now=NOW + number * timedelta(hours=1)), force=True
        )
        spent.append(time.process_time() - began)
        assert {each.status for each in report.feeds} <= {"ok", "unchanged"}, report.feeds[0]
    return spent[1:]


@contextmanager
def _server() -> Iterator[int]:
    here, there = Pipe()
    process = Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def _serve(announce: Connection) -> None:
    asked: dict[str, int] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = "/kept/"
        while path.startswith("/kept/"):  # the server keeps the connection of these, and closes the others
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except asyncio.IncompleteReadError:
                break
            path = head.split(" ", 2)[1]
            asked[path] = asked.get(path, 0) + 1
            writer.write(_answer(path, asked[path], is_conditional="if-none-match" in head.lower()))
            await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        announce.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def _answer(path: str, times: int, *, is_conditional: bool) -> bytes:
    """Return the answer of the server to a request for a path, which it has had so many times."""
    closes = b"" if path.startswith("/kept/") else b"connection: close\r\n"
    has_etag = path.startswith(("/304/", "/kept/"))
    if has_etag and is_conditional:
        return b"HTTP/1.1 304 Not Modified\r\n" + closes + b'etag: "1"\r\n\r\n'
    body = _feed(path, times if path.startswith("/new/") else 1)
    head = b"content-type: application/rss+xml\r\n" + closes + b'etag: "1"\r\n' * has_etag
    return b"HTTP/1.1 200 OK\r\n" + head + b"content-length: %d\r\n\r\n" % len(body) + body


def _feed(path: str, newest: int) -> bytes:
    """Return a feed of some 30 KB, as most are."""
    items = "".join(
        f"<item><guid isPermaLink='false'>{path}{n}</guid><title>The tide turns, part {n} of {path}</title>"
        f"<link>https://tide.example.org{path}/{n}</link><category>Sea</category>"
        f"<pubDate>{format_datetime(NOW - timedelta(hours=200 - n))}</pubDate>"
        f"<description>{'The water comes and goes, and nobody minds. ' * 40}</description></item>"
        for n in range(newest + ENTRIES, newest, -1)
    )
    return f"<rss version='2.0'><channel><title>Tide</title>{items}</channel></rss>".encode()


if __name__ == "__main__":
    main()
