"""Fetch many feeds at once, within limits, and give every outcome as a value."""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import ssl
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2

from digest.collect.guard import GuardedBackend, GuardedTransport, RefusedError
from digest.links import with_ascii_host
from digest.model import FetchLimits

REDIRECTS = 8
_LOOK = 0.5  # seconds, before it is asked again whether to stop
_FAREWELL = 1.0  # seconds; a name that is being looked up cannot be broken off
_PERMANENT = frozenset([301, 308])
_REDIRECTS = _PERMANENT | {302, 303, 307}
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml,"
    " application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
_LAST_PORT = 65_535
_NO_ADDRESS = "The address is not a usable web address; correct the feed's url."
_VALIDATOR = re.compile(r"[\x20-\x7e]{1,500}")

log = logging.getLogger(__name__)

# They log every address they ask for, with name and password, and the headers of redirects.
for _chatty in ("httpx2", "httpcore2"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A feed to fetch, with what the last answer said to tell whether it has changed."""

    feed_id: str
    url: str  # http, https or file; may hold name and password
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document. `url` is where it was found, without name and password."""

    url: str
    body: bytes
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    moved_to: str | None = None  # where the feed has moved for good


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The feed has not changed since the last answer."""

    moved_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailure:
    """Why there is no document, as one sentence without addresses or secrets."""

    detail: str
    status: int | None = None  # of HTTP, where there was an answer
    retry_after: str | None = None  # the header as it came: seconds or a date


Result = Fetched | NotModified | FetchFailure
Exchange = tuple[Request, Result]
Transports = Callable[[FetchLimits], httpx2.AsyncBaseTransport]


def guarded(limits: FetchLimits) -> httpx2.AsyncBaseTransport:
    """Return the transport that reaches only public hosts and those named in `allow_hosts`."""
    return GuardedTransport(GuardedBackend(limits.allow_hosts), connections=limits.in_flight)


def fetch_all(
    requests: Iterable[Request],
    limits: FetchLimits,
    *,
    transport: Transports = guarded,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Exchange, None, None]:
    """Fetch every request and yield each with its result as it is finished, in any order.

    At most `limits.in_flight` documents are on their way or waiting to be taken. Nothing is raised for
    a feed that fails. Closing the iterator stops what is still under way, and so does `stop`, which is
    asked now and then: those that were not fetched by then are not yielded.
    """
    run = _Run(tuple(requests), limits, transport)
    thread = threading.Thread(target=run.work, name="fetch", daemon=True)
    thread.start()
    try:
        yield from run.results(stop)
    finally:
        run.stop()
        thread.join(timeout=_FAREWELL)


class _Run:
    """One call of `fetch_all`: an event loop in a thread of its own, and the queue between."""

    def __init__(self, requests: tuple[Request, ...], limits: FetchLimits, transport: Transports) -> None:
        self._requests = requests
        self._limits = limits
        self._transport = transport
        self._done: queue.SimpleQueue[Exchange | BaseException | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(limits.in_flight)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def work(self) -> None:
        """Run the loop until everything is fetched; the end, or what broke, is the last in the queue."""
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
                item = self._done.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
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
        async with (
            httpx2.AsyncClient(
                transport=self._transport(self._limits),
                headers={"user-agent": self._limits.user_agent, "accept": _ACCEPT},
                timeout=self._limits.timeout,
                trust_env=False,
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for request in self._requests:
                await self._room.acquire()
                group.create_task(self._fetch(client, request))

    async def _fetch(self, client: httpx2.AsyncClient, request: Request) -> None:
        self._done.put((request, await fetch(client, request, self._limits)))


async def fetch(client: httpx2.AsyncClient, request: Request, limits: FetchLimits) -> Result:
    """Fetch one feed; whatever goes wrong is returned, not raised."""
    try:
        async with asyncio.timeout(limits.timeout):
            if urlsplit(request.url).scheme == "file":
                return await asyncio.to_thread(read_file, request, limits)
            return await _follow(client, request, limits)
    except TimeoutError:
        return FetchFailure(
            detail=f"No complete answer within {limits.timeout:g} seconds; it is tried again later."
        )
    except RefusedError as error:
        return FetchFailure(
            detail=f"{error.host} is not a public host; if it is meant, name it in [collect] allow_hosts."
        )
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return FetchFailure(detail=_plainly(error))
    except Exception as error:
        # Only the place, not the message: it may quote the feed's address with its password.
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("feed %s: %s while fetching\n%s", request.feed_id, type(error).__name__, place)
        return FetchFailure(detail="An error in this program stopped the fetching; its log says where.")


def read_file(request: Request, limits: FetchLimits) -> Result:
    """Read a feed from a file: URL; size and time of change stand in for an ETag."""
    path = Path(unquote(urlsplit(request.url).path))
    try:
        if not path.is_file():
            return FetchFailure(detail=f"There is no file {path.name}; correct the feed's url.")
        facts = path.stat()
        etag = f'"{facts.st_mtime_ns}-{facts.st_size}"'
        if etag == request.etag:
            return NotModified()
        with path.open("rb") as file:
            body = file.read(limits.max_bytes + 1)
    except OSError as error:
        return FetchFailure(detail=f"The file {path.name} cannot be read: {error.strerror}.")
    if len(body) > limits.max_bytes:
        return _too_large(limits)
    return Fetched(url=request.url, body=body, etag=etag)


async def _follow(client: httpx2.AsyncClient, request: Request, limits: FetchLimits) -> Result:
    """Ask, and follow redirects hop by hop; each hop passes the guard again."""
    url = httpx2.URL(with_ascii_host(request.url))  # it refuses names that browsers open
    moved_to: str | None = None
    permanent = True
    for _ in range(REDIRECTS + 1):
        if url.scheme not in ("http", "https") or not url.host:
            return FetchFailure(
                detail=f"Only http and https are fetched, not {url.scheme or 'this'}; correct the url."
            )
        if url.port is not None and not 0 < url.port <= _LAST_PORT:
            return FetchFailure(detail=_NO_ADDRESS)
        async with client.stream("GET", url, headers=_conditions(request)) as response:
            target = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not target:
                return await _outcome(response, limits, moved_to)
        url = _next_hop(url, target)
        permanent = permanent and response.status_code in _PERMANENT
        moved_to = str(url) if permanent else moved_to
    return FetchFailure(
        detail=f"The address redirects more than {REDIRECTS} times; look for the feed's new address."
    )


def _conditions(request: Request) -> dict[str, str]:
    stated = {"if-none-match": request.etag, "if-modified-since": request.last_modified}
    return {name: value for name, value in stated.items() if value}


def _next_hop(url: httpx2.URL, target: str) -> httpx2.URL:
    """Return where a redirect leads; name and password go along only to the same host."""
    following = url.join(with_ascii_host(target))
    same = (following.scheme, following.host, following.port) == (url.scheme, url.host, url.port)
    userinfo = url.userinfo if same else b""
    return following.copy_with(userinfo=userinfo, fragment=None)


async def _outcome(response: httpx2.Response, limits: FetchLimits, moved_to: str | None) -> Result:
    if response.status_code == 304:
        return NotModified(moved_to=moved_to)
    if response.status_code != 200:
        return _refusal(response)
    body = await _body(response, limits)
    if body is None:
        return _too_large(limits)
    return Fetched(
        url=str(response.url.copy_with(userinfo=b"")),
        body=body,
        content_type=response.headers.get("content-type", ""),
        etag=_validator(response.headers.get("etag")),
        last_modified=_validator(response.headers.get("last-modified")),
        moved_to=moved_to,
    )


async def _body(response: httpx2.Response, limits: FetchLimits) -> bytes | None:
    """Read a body as it is decoded; None, and no more reading, when it is too large."""
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limits.max_bytes:
        return None
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limits.max_bytes:
            return None
    return bytes(body)


def _refusal(response: httpx2.Response) -> FetchFailure:
    status = response.status_code
    after = response.headers.get("retry-after")
    known = {
        401: "The feed wants a name and password (401); put them into its url.",
        403: "The publisher refuses us (403); ask whether the feed may be read by programs.",
        404: "There is nothing at this address (404); look for the feed's new address.",
        410: "The publisher says this feed is gone for good (410); remove it from the configuration.",
        429: "The publisher asks us to come less often (429); it is tried again later.",
    }
    default = f"The publisher's server answered with an error ({status}); it is tried again later."
    return FetchFailure(detail=known.get(status, default), status=status, retry_after=after)


def _too_large(limits: FetchLimits) -> FetchFailure:
    size = f"{limits.max_bytes:,} bytes"
    return FetchFailure(
        detail=f"The document is larger than {size}; if it is meant, raise [collect] max_bytes."
    )


def _validator(value: str | None) -> str | None:
    return value if value and _VALIDATOR.fullmatch(value) else None


def _plainly(error: Exception) -> str:
    """Say in words of our own what went wrong; messages of libraries may quote addresses."""
    if _has_bad_certificate(error):
        return "The server's certificate is not valid; check the host's name in the feed's url."
    sentences: tuple[tuple[type[Exception], str], ...] = (
        (httpx2.ConnectTimeout, "The server cannot be reached in time; it is tried again later."),
        (httpx2.ConnectError, "The server cannot be reached; check the host's name in the feed's url."),
        (httpx2.TimeoutException, "The server fell silent; it is tried again later."),
        (httpx2.DecodingError, "The answer is packed in a broken way; it is tried again later."),
        (httpx2.TransportError, "The server broke off or does not speak HTTP; it is tried again later."),
    )
    return next(
        (sentence for kind, sentence in sentences if isinstance(error, kind)),
        _NO_ADDRESS,
    )


def _has_bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
