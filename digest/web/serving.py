"""Serve the pages from a thread of their own, so that the process can do other work."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from digest.app import App
from digest.config import Config, WebSettings
from digest.model.errors import DigestError
from digest.model.run_context import utc_now
from digest.web.app import create_web
from digest.web.connections import Connections, LimitedProtocol, WebLimits
from digest.web.running import quiet_config, running
from digest.web.security.proof import PROOF_COST
from digest.web.security.security import client_of

log = logging.getLogger(__name__)

_GRACE = 5  # seconds in which requests under way can finish when the server stops
_LIMITS = WebLimits()


class WebError(DigestError):
    """The pages cannot be served at the host and port of [web]."""


@contextmanager
def serving(
    app: App,
    *,
    clock: Callable[[], datetime] = utc_now,
    proof_cost: int = PROOF_COST,
    limits: WebLimits = _LIMITS,
    wake: Callable[[], None] = lambda: None,
    behind: Callable[[ASGIApp], ASGIApp] = lambda pages: pages,
) -> Iterator[int]:
    """Serve the pages at [web] `host` and `port` until the block ends, and yield the port.

    `wake` is called when a notice has been queued, and `behind` returns an application that passes requests
    on to the pages. Raises WebError when the port cannot be used.
    """
    pages = create_web(app, clock=clock, proof_cost=proof_cost, requests=limits.requests, wake=wake)
    with _serving(app, _Current(behind(pages)), limits) as port:
        yield port


class Pages:
    """The pages of a process that may be given another configuration. Call `close` at the end."""

    def __init__(self, wake: Callable[[], None], reload: Callable[[], App] | None = None) -> None:
        self._wake, self._reload = wake, reload
        self._server = ExitStack()
        self._current: _Current | None = None
        self._address: WebSettings | None = None

    def show(self, app: App) -> None:
        """Serve the pages of `app` from now on. The socket stays open if its address has not changed.

        Raises WebError if the new address cannot be used; the earlier pages are then served as before.
        """
        pages, address = create_web(app, wake=self._wake, reload=self._reload), app.config.web
        if self._current is not None and self._address == address:
            self._current.pages = pages
            return
        server, current = ExitStack(), _Current(pages)
        server.enter_context(_serving(app, current, _LIMITS))
        self.close()
        self._server, self._current, self._address = server, current, address

    def close(self) -> None:
        """Finish the requests under way, and stop."""
        self._server.close()


class _Current:
    """An ASGI application that passes each request to the pages of the moment."""

    def __init__(self, pages: ASGIApp) -> None:
        self.pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.pages(scope, receive, send)


@contextmanager
def _serving(app: App, current: _Current, limits: WebLimits) -> Iterator[int]:
    """Serve pages until the block ends."""
    web = app.config.web
    with _listening(app.config) as listener:
        config = quiet_config(current, _GRACE)
        config.http = partial(LimitedProtocol, _connections(config, limits, app.secret))  # type: ignore[assignment]  # any factory will do
        with running(config, listener) as port:
            log.info("pages at http://%s:%d/", web.host, port)
            yield port


def _connections(config: uvicorn.Config, limits: WebLimits, secret: bytes) -> Connections:
    # uvicorn believes X-Forwarded-For from these addresses: loopback, or those in FORWARDED_ALLOW_IPS.
    proxies = ProxyHeadersMiddleware(config.app, config.forwarded_allow_ips).trusted_hosts  # type: ignore[arg-type]  # the app is not called
    return Connections(
        limits=limits, client=lambda host: None if host in proxies else client_of(host, secret).key
    )


@contextmanager
def _listening(config: Config) -> Iterator[socket.socket]:
    host, port = config.web.host, config.web.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        reason = f"{host}:{port}: {error.strerror or 'cannot be used'}"
        raise WebError(str(config.problem("web.port", reason))) from error
    with listener:
        # Accepted connections inherit this option, which asyncio does not set on them. Without it, each
        # answer but the first on a connection waits 40 ms until the reader's system acknowledges its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
