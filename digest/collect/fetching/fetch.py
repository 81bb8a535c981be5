"""Fetch many feeds at once, within limits, and return every outcome as a value."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2

from digest.collect.fetching.answers import (
    Exchange,
    Fetched,
    FetchFailure,
    FetchRequest,
    NotModified,
    Result,
)
from digest.collect.fetching.folder import FILES, list_folder, read_folder, state_of
from digest.collect.fetching.guard import GuardedBackend, GuardedTransport, RefusedError
from digest.collect.fetching.outcome import AGAIN, BAD_ADDRESS, in_words, outcome, taken, too_large, unpacked
from digest.model.links import with_ascii_host
from digest.model.posts import FetchLimits

REDIRECTS = 8
_STOP_INTERVAL = 0.5  # seconds between two calls of `stop`
_JOIN_TIMEOUT = 1.0  # seconds; a DNS lookup cannot be cancelled, so the thread may not end at once
_PERMANENT = frozenset([301, 308])
_SAME_METHOD = frozenset([307, 308])  # a form is sent on only by these
_REDIRECTS = _PERMANENT | {302, 303, 307}
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml,"
    " application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_ENCODINGS = "gzip, deflate"
_ACCEPT_PAGE = "text/html, application/xhtml+xml;q=0.9, */*;q=0.5"
_FORM = "application/x-www-form-urlencoded"
_LAST_PORT = 65_535

log = logging.getLogger(__name__)

# The library logs every address that it requests, with name and password.
logging.getLogger("httpx2").setLevel(logging.WARNING)


Transports = Callable[[FetchLimits], httpx2.AsyncBaseTransport]


def guarded(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
    """Return a transport that connects only to public hosts and to the hosts in `allow_hosts`."""
    return GuardedTransport(GuardedBackend(limits.allow_hosts))


def fetch_all(
    requests: Iterable[FetchRequest],
    limits: FetchLimits,
    *,
    transport: Transports = guarded,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Exchange, None, None]:
    """Fetch all requests, and yield each with its result when it is finished, in any order.

    At most `limits.in_flight` documents are being fetched or waiting to be yielded. A feed that fails raises
    nothing. When the iterator is closed, or when `stop` returns true (it is called about twice a second), the
    remaining feeds are not fetched and not yielded.
    """
    run = _Run(tuple(requests), limits, transport)
    thread = threading.Thread(target=run.work, name="fetch", daemon=True)
    thread.start()
    try:
        yield from run.results(stop)
    finally:
        run.stop()
        thread.join(timeout=_JOIN_TIMEOUT)


class _Run:
    """One call of `fetch_all`: an event loop in a thread of its own, and a queue of results."""

    def __init__(
        self, requests: tuple[FetchRequest, ...], limits: FetchLimits, transport: Transports
    ) -> None:
        self._requests = requests
        self._limits = limits
        self._transport = transport
        self._done: queue.SimpleQueue[Exchange | BaseException | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(limits.in_flight)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def work(self) -> None:
        """Run the loop until everything is fetched; the last item in the queue is None, or an error."""
        end: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._fetch_all())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            end = error
        self._done.put(end)

    def results(self, stop: Callable[[], bool]) -> Iterator[Exchange]:
        while not stop():
            try:
                item = self._done.get(timeout=_STOP_INTERVAL)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            if isinstance(item[1], Fetched):
                self._call(self._room.release)
            yield item

    def stop(self) -> None:
        if self._task:
            self._call(self._task.cancel)

    def _call(self, action: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:
            return  # the loop has closed: everything is fetched

    async def _fetch_all(self) -> None:
        self._task = asyncio.current_task()
        async with self._transport(self._limits) as transport, asyncio.TaskGroup() as group:
            for request in self._requests:
                await self._room.acquire()
                group.create_task(self._fetch(transport, request))

    async def _fetch(self, transport: httpx2.AsyncBaseTransport, request: FetchRequest) -> None:
        result = await fetch(transport, request, self._limits)
        if not isinstance(result, Fetched):  # it holds no document; to wake this loop for it costs a tenth
            self._room.release()
        self._done.put((request, result))


async def fetch(transport: httpx2.AsyncBaseTransport, request: FetchRequest, limits: FetchLimits) -> Result:
    """Fetch one feed; every failure is returned, not raised."""
    try:
        async with asyncio.timeout(limits.timeout):
            if urlsplit(request.url).scheme == "file":
                return await asyncio.to_thread(read_file, request, limits)
            return await _follow(transport, request, limits)
    except TimeoutError:
        return FetchFailure(detail=f"There was no complete answer within {limits.timeout:g} seconds; {AGAIN}")
    except RefusedError as error:
        return FetchFailure(
            detail=f"{error.host} is not a public host; to allow it, add it to allow_hosts under [collect]."
        )
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return FetchFailure(detail=in_words(error))
    except Exception as error:
        # The error's message is not logged, because it may quote the feed's address with its password.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("feed %s: %s while fetching\n%s", request.feed_id, type(error).__name__, place)
        return FetchFailure(detail="An error in this program stopped the fetching; the log says where.")


def read_file(request: FetchRequest, limits: FetchLimits) -> Result:
    """Read a feed from a file: URL; an ETag is made from the size and the time of the last change."""
    path = Path(unquote(urlsplit(request.url).path))
    try:
        if path.is_dir():
            return _folder(path, request, limits)
        if not path.is_file():
            return FetchFailure(detail=f"The file {path.name} does not exist; correct the feed's url.")
        facts = path.stat()
        etag = f'"{facts.st_mtime_ns}-{facts.st_size}"'
        if etag == request.etag:
            return NotModified()
        with path.open("rb") as file:
            body = file.read(limits.max_bytes + 1)
    except OSError as error:
        return FetchFailure(detail=f"The file {path.name} cannot be read: {error.strerror}.")
    whole = unpacked(body, limits) if len(body) <= limits.max_bytes else None
    if whole is None:
        return too_large(limits)
    return Fetched(url=request.url, body=whole, etag=etag)


def _folder(path: Path, request: FetchRequest, limits: FetchLimits) -> Result:
    listed = list_folder(path)
    if not listed:
        reason = f"holds more than {FILES:,} files" if listed is None else "holds no Markdown file"
        return FetchFailure(detail=f"The folder {path.name} {reason}; correct the feed's path.")
    etag = state_of(listed)
    if etag == request.etag:
        return NotModified()
    return Fetched(url=request.url, body=b"", etag=etag, folder=read_folder(listed, limits))


async def _follow(transport: httpx2.AsyncBaseTransport, request: FetchRequest, limits: FetchLimits) -> Result:
    """Send the request and follow redirects one by one; the guard checks each target."""
    url = httpx2.URL(with_ascii_host(request.url))  # httpx2 by itself refuses some names that browsers open
    moved_to: str | None = None
    permanent = True
    for _ in range(REDIRECTS + 1):
        if url.scheme not in ("http", "https") or not url.host:
            return FetchFailure(
                detail=f"Only http and https can be fetched, not {url.scheme or 'this'}; correct the url."
            )
        if url.port is not None and not 0 < url.port <= _LAST_PORT:
            return FetchFailure(detail=BAD_ADDRESS)
        async with _answer(transport, url, _headers(request, limits), request.form) as response:
            target = response.headers.get("location")
            if request.form is not None and response.status_code not in _SAME_METHOD:
                return await outcome(response, limits, None) if request.answer else taken(response)
            if response.status_code not in _REDIRECTS or not target:
                return await outcome(response, limits, moved_to)
        before, url = url, next_hop(url, target)
        # A redirect from https to http is followed, but it is never saved: anybody on the way could send it.
        safe = url.scheme == "https" or before.scheme == "http"
        permanent = permanent and safe and response.status_code in _PERMANENT
        moved_to = str(url) if permanent else moved_to
    return FetchFailure(
        detail=f"The address redirects more than {REDIRECTS} times; look for the feed's new address."
    )


@asynccontextmanager
async def _answer(
    transport: httpx2.AsyncBaseTransport, url: httpx2.URL, headers: dict[str, str], form: bytes | None = None
) -> AsyncIterator[httpx2.Response]:
    """Yield the answer of a server, whose body has not been read; it is closed when the block ends.

    An `AsyncClient` costs twice as much, and would keep cookies from one feed to another.
    """
    if url.userinfo:
        userinfo = b64encode(f"{url.username}:{url.password}".encode())
        headers = headers | {"authorization": f"Basic {userinfo.decode()}"}
    request = httpx2.Request("GET" if form is None else "POST", url, headers=headers, content=form)
    response = await transport.handle_async_request(request)
    response.request = request
    try:
        yield response
    finally:
        await response.aclose()


def _headers(request: FetchRequest, limits: FetchLimits) -> dict[str, str]:
    stated = {
        "accept": _ACCEPT_PAGE if request.page else _ACCEPT,
        "accept-encoding": _ENCODINGS,
        "user-agent": limits.user_agent,
        "if-none-match": request.etag,
        "if-modified-since": request.last_modified,
        "content-type": _FORM if request.form is not None else None,
    }
    return {name: value for name, value in stated.items() if value}


def next_hop(url: httpx2.URL, target: str) -> httpx2.URL:
    """Return the target of a redirect; name and password are sent only to the same host, or to its https."""
    following = url.join(with_ascii_host(target))
    same = (following.host, following.port) == (url.host, url.port)
    same = same and following.scheme in (url.scheme, "https")
    userinfo = url.userinfo if same else b""
    return following.copy_with(userinfo=userinfo, fragment=None)
