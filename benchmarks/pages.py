"""Measure the desk's pages on a slow line, and the server's time for them: `python -m benchmarks.pages`.

The demo's newsroom is opened on loopback. Chromium loads each page with an empty cache (cold) and again
(warm), at 1280 and 360 pixels, over a line of 400 kbit/s with a latency of 400 ms. Bytes are as they
travel, with headers. First is the first content that a person sees, shown is everything above the fold of
the page itself (its load event, with its frames). The server's time is its CPU time, the median of 20
requests one after the other, without a line; the longest time on the clock depends on what else the machine
does.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from benchmarks.browser import chromium
from digest.compose.edits.operations import Note
from digest.demo.newsroom import Newsroom, newsroom
from digest.editions.edits.edited import Editor
from digest.editions.edits.edits import edit
from digest.model.deliveries import Counts
from digest.model.posts import FeedReport
from digest.model.run_context import utc_now
from digest.web.trial import trial

_WIDTHS = ((1280, 900), (360, 740))
_LINE = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
_MUST = {"cold": 3.0, "warm": 2.0}  # seconds until something is seen
_SERVER_MUST = 50  # milliseconds
_ROUNDS = 20
_FIRST, _COMPLETE = "firstContentfulPaint", "load"  # Chromium's names
_PATIENCE = 40  # times 50 ms, until a page is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a page arrived: its requests, the bytes of all, and the seconds until it was seen and complete."""

    requests: int
    bytes: int
    first: float
    complete: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each page and width, and one for each page's time on the server."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    with TemporaryDirectory() as folder, _open(Path(folder)) as (opened, link), chromium() as browser:
        paths = _paths(opened)
        cookie = _signed_in(browser, link)
        _on_a_slow_line(browser, opened, paths, cookie)
        _on_the_server(opened, paths, cookie)


def _paths(opened: Newsroom) -> Sequence[str]:
    edition = opened.draft.edition
    of_edition = (f"/desk/{edition.id}", *(f"/desk/{edition.id}/{each}" for each in ("preview", "history")))
    return ("/desk", *of_edition, "/desk/posts", "/ops")


@contextmanager
def _open(folder: Path) -> Iterator[tuple[Newsroom, str]]:
    """Open the newsroom, and give a link that signs an approver in."""
    with (
        newsroom(folder, _Silent(), utc_now) as opened,
        trial(opened.app, opened.people, lambda: None) as links,
    ):
        yield opened, links[-1]


class _Silent:
    """Print nothing of the demo's progress."""

    def step(self, title: str) -> None:
        """Print nothing."""

    def line(self, text: str) -> None:
        """Print nothing."""

    def feed(self, report: FeedReport) -> None:
        """Print nothing."""

    def progress(self, edition_id: str, counts: Counts) -> None:
        """Print nothing."""


def _signed_in(browser: Browser, link: str) -> dict[str, str]:
    context = browser.new_context()
    context.new_page().goto(link)
    cookie = context.cookies()[0]
    context.close()
    return {"name": cookie["name"], "value": cookie["value"]}


# ── on a slow line ──────────────────────────────────────────────────────────────────────────


def _on_a_slow_line(browser: Browser, opened: Newsroom, paths: Sequence[str], cookie: dict[str, str]) -> None:
    print("400 kbit/s, 400 ms                 width        requests  bytes    first  complete")
    for path in paths:
        for width, height in _WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": height})
            context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": opened.url}])
            for name, load in zip(_MUST, _loads(context, f"{opened.url}/team{path}"), strict=True):
                missed = "" if load.first <= _MUST[name] else f"  MISSED: at most {_MUST[name]:g} s"
                print(
                    f"{_short(path, opened):<34} {width:>5}  {name}  {load.requests:>9}  {load.bytes:>7,}"
                    f"  {load.first:5.2f}  {load.complete:8.2f}{missed}"
                )
            context.close()


def _loads(context: BrowserContext, url: str) -> Iterator[Load]:
    """Yield how a page arrives with an empty cache, and again in another tab."""
    for _ in _MUST:
        page = context.new_page()
        yield _load(context.new_cdp_session(page), page, url)
        page.close()


def _load(session: CDPSession, page: Page, url: str) -> Load:
    lengths: dict[str, float] = {}
    times: dict[str, float] = {}
    session.on("Network.requestWillBeSent", lambda event: times.update({"begun": event["timestamp"]} | times))
    shown = str(session.send("Page.getFrameTree")["frameTree"]["frame"]["id"])
    session.on("Page.lifecycleEvent", lambda event: _happened(times, event, shown))
    session.on("Network.responseReceived", lambda event: _note(lengths, event))
    session.on("Network.loadingFinished", lambda event: _measured(lengths, event))
    for enabled in ("Network.enable", "Page.enable"):
        session.send(enabled)
    session.send("Page.setLifecycleEventsEnabled", {"enabled": True})
    session.send("Network.emulateNetworkConditions", _LINE)
    times.clear()
    page.goto(url, wait_until="load")
    for _ in range(_PATIENCE):
        if times.keys() >= {_FIRST, _COMPLETE}:
            break
        page.wait_for_timeout(50)
    first, complete = (times[name] - times["begun"] for name in (_FIRST, _COMPLETE))
    return Load(requests=len(lengths), bytes=round(sum(lengths.values())), first=first, complete=complete)


def _happened(times: dict[str, float], event: dict[str, Any], frame: str) -> None:
    """Note when something has happened to the page itself, not to a frame in it."""
    if event["frameId"] == frame:
        times[event["name"]] = event["timestamp"]


def _note(lengths: dict[str, float], event: dict[str, Any]) -> None:
    """Note a request that went over the line; the browser's cache answers others."""
    response = event["response"]
    if not response.get("fromDiskCache") and str(response["url"]).startswith("http"):
        lengths[event["requestId"]] = 0.0


def _measured(lengths: dict[str, float], event: dict[str, Any]) -> None:
    if event["requestId"] in lengths:
        lengths[event["requestId"]] = float(event["encodedDataLength"])


def _short(path: str, opened: Newsroom) -> str:
    return path.replace(opened.draft.edition.id, "EDITION")


# ── on the server ───────────────────────────────────────────────────────────────────────────


def _on_the_server(opened: Newsroom, paths: Sequence[str], cookie: dict[str, str]) -> None:
    stories = sum(1 for _ in opened.draft.edition.stories())
    print(f"\nserver, an edition of {stories} stories      CPU    longest    bytes  compressed")
    headers = {"cookie": f"{cookie['name']}={cookie['value']}"}
    for path in (*paths, f"/desk/{opened.draft.edition.id}/mail"):
        plain = [_asked(opened, path, headers) for _ in range(_ROUNDS)]
        packed = _asked(opened, path, {**headers, "accept-encoding": "gzip", "sec-fetch-site": "none"})
        middle = statistics.median(each.cpu for each in plain)
        missed = "" if middle <= _SERVER_MUST else f"  MISSED: at most {_SERVER_MUST} ms"
        times = f"{middle:7.1f} ms {max(each.wall for each in plain):7.1f} ms"
        print(f"{_short(path, opened):<34} {times} {plain[0].bytes:>8,} {packed.bytes:>11,}{missed}")
    _after_edits(opened, headers)


def _after_edits(opened: Newsroom, headers: Mapping[str, str]) -> None:
    """Print the time of the first page after an edit, and of the edit itself."""
    edition, database = opened.draft.edition, opened.app.database
    story = next(edition.stories()).id
    edits: list[float] = []
    pages: list[Answer] = []
    for number in range(_ROUNDS):
        began = process_time()
        note = Note(story=story, text=f"Note {number}.")
        edit(database, edition.id, [note], Editor(name="Mara Quill", seen=number, now=utc_now()))
        edits.append((process_time() - began) * 1000)
        pages.append(_asked(opened, f"/desk/{edition.id}", headers))
    first = statistics.median(each.cpu for each in pages)
    print(f"an edit {statistics.median(edits):.0f} ms of CPU, the first page after it {first:.0f} ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an answer came: the milliseconds of CPU and on the clock, and its bytes as they travel."""

    cpu: float
    wall: float
    bytes: int


def _asked(opened: Newsroom, path: str, headers: Mapping[str, str]) -> Answer:
    connection = HTTPConnection(urlsplit(opened.url).netloc)
    connection.connect()
    start, began = perf_counter(), process_time()
    connection.request("GET", f"/team{path}", headers=dict(headers))
    answer = connection.getresponse()
    length = len(answer.read())
    cpu, wall = process_time() - began, perf_counter() - start
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return Answer(cpu=cpu * 1000, wall=wall * 1000, bytes=length)


if __name__ == "__main__":
    main()
