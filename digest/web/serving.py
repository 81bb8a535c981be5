"""Serve the pages from a thread of their own, so that the process can do other work."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from threading import Thread

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from digest.app import App
from digest.model.errors import DigestError
from digest.model.run_context import utc_now
from digest.web.app import create_web
from digest.web.connections import Connections, LimitedProtocol, WebLimits
from digest.web.security.proof import PROOF_COST
from digest.web.security.security import client_of

log = logging.getLogger(__name__)

_GRACE = 5  # seconds in which requests under way can finish when the server stops
_LIMITS = WebLimits()


class WebError(DigestError):
    """The pages cannot be served at the host and port of [web]."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"[web] {host}:{port}: {reason}")


@contextmanager
def serving(
    app: App,
    *,
    clock: Callable[[], datetime] = utc_now,
    proof_cost: int = PROOF_COST,
    limits: WebLimits = _LIMITS,
    wake: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Serve the pages at [web] `host` and `port` until the block ends, and yield the port.

    `wake` is called when a notice has been queued.
    There is no access log, because paths contain tokens. Raises WebError when the port cannot be used.
    """
    web = app.config.web
    with _listening(web.host, web.port) as listener:
        config = uvicorn.Config(
            create_web(app, clock=clock, proof_cost=proof_cost, requests=limits.requests, wake=wake),
            access_log=False,
            log_config=None,
            log_level="critical",  # otherwise it logs whole errors, and their texts may contain addresses
            server_header=False,
            # limit_concurrency is not set, because it counts connections: silent ones would block all pages.
            timeout_graceful_shutdown=_GRACE,
            ws="none",
        )
        config.http = partial(LimitedProtocol, _connections(config, limits, app.secret))  # type: ignore[assignment]  # any factory will do
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listener],), name="web", daemon=True)
        thread.start()
        port: int = listener.getsockname()[1]
        log.info("pages at http://%s:%d/", web.host, port)
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


def _connections(config: uvicorn.Config, limits: WebLimits, secret: bytes) -> Connections:
    # uvicorn believes X-Forwarded-For from these addresses: loopback, or those in FORWARDED_ALLOW_IPS.
    proxies = ProxyHeadersMiddleware(config.app, config.forwarded_allow_ips).trusted_hosts  # type: ignore[arg-type]  # the app is not called
    return Connections(
        limits=limits, client=lambda host: None if host in proxies else client_of(host, secret).key
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise WebError(host, port, error.strerror or "cannot be used") from error
    with listener:
        # Accepted connections inherit this option, which asyncio does not set on them. Without it, each
        # answer but the first on a connection waits 40 ms until the reader's system acknowledges its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
