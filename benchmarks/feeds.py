"""Measure the CPU time of feeds that have not changed, and of feeds that have: `python -m benchmarks.feeds`.

A server in a process of its own answers for all feeds. The figures are the CPU time of `collect` for each
feed, with everything: the request, the decisions, and SQLite with synchronous=FULL.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.collect.collect import collect
from digest.collect.sources.ask import Terms
from digest.model.posts import FetchLimits
from digest.model.publication import Digest, Feed
from digest.storage.database import Database, open_database
from digest.storage.migrate import migrate

DAILY = Digest(slug="daily", title="Daily", schedule="daily at 07:00", sender="News <news@example.org>")
LIMITS = FetchLimits(allow_hosts=frozenset(["127.0.0.1"]))
ENTRIES = 15
KINDS = {"304": "not modified", "same": "the same bytes again", "new": "one new post"}
NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)


def main() -> None:
    """Collect all feeds a few times for each kind of answer, and print the CPU time of a feed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description=__doc__)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with TemporaryDirectory() as folder, _server() as port:
        for kind, words in KINDS.items():
            database = open_database(f"sqlite:///{Path(folder) / kind}.db")
            migrate(database)
            feeds = [
                Feed(name=f"Feed {n}", url=f"http://127.0.0.1:{port}/{kind}/{n}") for n in range(wanted.feeds)
            ]
            spent = _rounds(database, feeds, wanted.rounds)
            print(f"{words:<24} {statistics.median(spent) / wanted.feeds * 1e3:6.2f} ms a feed", flush=True)
            if kind == "304":
                print(f"{'none of them is due':<24} {_idle(database, feeds) * 1e3:6.1f} ms a run", flush=True)
            database.close()


def _idle(database: Database, feeds: Sequence[Feed]) -> float:
    """Return the CPU seconds of a run in which no feed is due."""
    now = NOW + timedelta(seconds=1)
    spent = []
    for _ in range(5):
        began = time.process_time()
        collect(database, feeds, [DAILY], Terms(limits=LIMITS, now=now))
        spent.append(time.process_time() - began)
    return statistics.median(spent)


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
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        asked[path] = asked.get(path, 0) + 1
        if path.startswith("/304/") and "if-none-match" in head.lower():
            writer.write(b'HTTP/1.1 304 Not Modified\r\netag: "1"\r\n\r\n')
        else:
            body = _feed(path, asked[path] if path.startswith("/new/") else 1)
            etag = b'etag: "1"\r\n' if path.startswith("/304/") else b""
            head_bytes = b"content-type: application/rss+xml\r\n" + etag
            writer.write(
                b"HTTP/1.1 200 OK\r\n" + head_bytes + b"content-length: %d\r\n\r\n" % len(body) + body
            )
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        announce.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


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
