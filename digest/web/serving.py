"""Serve the pages from a thread, beside whatever else the process does."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Thread

import uvicorn

from digest.app import App
from digest.app.watch import utc_now
from digest.errors import DigestError
from digest.web.app import create_web
from digest.web.proof import PROOF_COST

log = logging.getLogger(__name__)

_GOODBYE = 5  # seconds for requests under way when we stop
_AT_ONCE = 200  # requests; more are told to come back


class WebError(DigestError):
    """The pages cannot be served where [web] says."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"[web] {host}:{port}: {reason}")


@contextmanager
def serving(
    app: App, *, clock: Callable[[], datetime] = utc_now, proof_cost: int = PROOF_COST
) -> Iterator[int]:
    """Serve the pages at [web] `host` and `port` until the block ends, and give the port.

    Addresses and tokens stand in paths, so there is no access log. Raises WebError when the port is taken.
    """
    web = app.config.web
    with _listening(web.host, web.port) as listener:
        config = uvicorn.Config(
            create_web(app, clock=clock, proof_cost=proof_cost),
            access_log=False,
            log_config=None,
            log_level="critical",  # it would log whole errors, in whose texts there may be addresses
            server_header=False,
            limit_concurrency=_AT_ONCE,
            timeout_graceful_shutdown=_GOODBYE,
            ws="none",
        )
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


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise WebError(host, port, error.strerror or "cannot be used") from error
    with listener:
        # Inherited by what is accepted, of which asyncio cannot tell that it is TCP: else each answer but the
        # first on a line waits 40 ms for the reader's system to acknowledge its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
