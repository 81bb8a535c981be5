"""Ask where links lead, politely: one request a second to each host, and only its head is read."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx2

from digest.collect.fetching.fetch import REDIRECTS, Transports, guarded, next_hop
from digest.collect.fetching.guard import UNKNOWN_HOST, RefusedError
from digest.model.links import LinkAnswer, with_ascii_host
from digest.model.posts import FetchLimits

PAUSE = 1.0  # seconds between two requests to one host
TIMEOUT = 10.0  # for one request
TOTAL = 180.0  # for all; what was not asked by then is asked another time
_LOOK_FOR_STOP = 0.5  # seconds
_HOPS = frozenset([301, 302, 303, 307, 308])
_ACCEPT = "text/html, application/xhtml+xml, image/*;q=0.9, */*;q=0.5"
_GONE = {
    404: "there is nothing at its address (404)",
    410: "its page was removed (410)",
    451: "it is closed (451)",
}
# A program may be refused where a reader is not, so these answers say nothing.
_TELLS_NOTHING = frozenset([503])
_UNREACHED = ("no host has its name", "its server cannot be reached")

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """How links are asked: the limits, the time that is noted, and when to stop."""

    limits: FetchLimits
    now: datetime
    stop: Callable[[], bool] = lambda: False
    transport: Transports = guarded
    sleep: Sleep = asyncio.sleep


def ask_links(
    urls: Iterable[str], terms: LinkTerms, done: Callable[[LinkAnswer], None] = lambda _: None
) -> tuple[LinkAnswer, ...]:
    """Ask every address once, and return the answers; `done` is called with each as it comes.

    A server that refuses HEAD is asked by GET. If no host at all can be reached, we are offline, and nothing
    is known about any link.
    """
    found: list[LinkAnswer] = []

    def note(answer: LinkAnswer) -> None:
        found.append(answer)
        done(answer)

    asyncio.run(_ask_all(tuple(dict.fromkeys(urls)), terms, note))
    if len(found) > 1 and all(answer.problem in _UNREACHED for answer in found):
        return tuple(replace(answer, problem="", answered=False) for answer in found)
    return tuple(found)


async def _ask_all(urls: tuple[str, ...], terms: LinkTerms, note: Callable[[LinkAnswer], None]) -> None:
    by_host: defaultdict[str, list[str]] = defaultdict(list)
    for url in urls:
        by_host[httpx2.URL(with_ascii_host(url)).host].append(url)
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(TOTAL), terms.transport(terms.limits) as transport:
            asker = _Asker(transport, terms, asyncio.Semaphore(terms.limits.in_flight))
            work = asyncio.gather(*(asker.ask_each(links, note) for links in by_host.values()))
            watch = asyncio.create_task(_stop(work, terms.stop))
            try:
                await work
            finally:
                watch.cancel()


async def _stop(work: asyncio.Future[list[None]], stop: Callable[[], bool]) -> None:
    while not stop():
        await asyncio.sleep(_LOOK_FOR_STOP)
    work.cancel()


@dataclass(slots=True)
class _Turns:
    """When each host may be asked again; a host is asked by one request at a time."""

    sleep: Sleep
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _free_at: dict[str, float] = field(default_factory=dict)

    async def wait(self, host: str) -> None:
        """Return when a host may be asked."""
        async with self._locks[host]:
            clock = asyncio.get_running_loop().time
            if (rest := self._free_at.get(host, 0.0) - clock()) > 0:
                await self.sleep(rest)
            self._free_at[host] = clock() + PAUSE


class _Asker:
    """Asks links over one transport."""

    def __init__(
        self, transport: httpx2.AsyncBaseTransport, terms: LinkTerms, room: asyncio.Semaphore
    ) -> None:
        self._transport, self._terms, self._room = transport, terms, room
        self._turns = _Turns(terms.sleep)

    async def ask_each(self, urls: Iterable[str], note: Callable[[LinkAnswer], None]) -> None:
        for url in urls:
            async with self._room:
                note(await self._ask(url))

    async def _ask(self, url: str) -> LinkAnswer:
        nothing = LinkAnswer(url=url, checked_at=self._terms.now, answered=False)
        try:
            status, end = await self._follow(url, "HEAD")
            if status >= 400:
                status, end = await self._follow(url, "GET")
        except RefusedError:
            return replace(
                nothing, answered=True, problem="its host is not public, so readers cannot open it"
            )
        except httpx2.ConnectError as error:
            return replace(nothing, answered=True, problem=_unreached(error))
        except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, ValueError):
            return nothing
        problem = _problem(status)
        leads_to = "" if problem or end == httpx2.URL(with_ascii_host(url)) else str(end)
        known = status < 400 or bool(problem)
        return replace(nothing, answered=known, problem=problem, leads_to=leads_to)

    async def _follow(self, url: str, method: str) -> tuple[int, httpx2.URL]:
        """Return the last status and address after redirects; the guard checks each of them."""
        hop = httpx2.URL(with_ascii_host(url))
        for _ in range(REDIRECTS + 1):
            await self._turns.wait(hop.host)
            headers = {"accept": _ACCEPT, "user-agent": self._terms.limits.user_agent}
            request = httpx2.Request(method, hop, headers=headers)
            async with asyncio.timeout(TIMEOUT):
                response = await self._transport.handle_async_request(request)
                await response.aclose()
            target = response.headers.get("location")
            if response.status_code not in _HOPS or not target:
                return response.status_code, hop
            hop = next_hop(hop, target)
            if hop.scheme not in ("http", "https"):
                return 404, hop
        return _LOOP, hop


_LOOP = 310  # no server answers with this: the address redirects without an end


def _problem(status: int) -> str:
    if status == _LOOP:
        return f"it redirects more than {REDIRECTS} times"
    if status >= 500 and status not in _TELLS_NOTHING:
        return f"its server answers with an error ({status})"
    return _GONE.get(status, "")


def _unreached(error: httpx2.ConnectError) -> str:
    if isinstance(error.__cause__, ssl.SSLError):
        return "its certificate is not valid"
    return _UNREACHED[0] if str(error) == UNKNOWN_HOST else _UNREACHED[1]
