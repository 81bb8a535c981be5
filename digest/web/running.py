"""Run uvicorn in a thread of its own, without logs: paths contain tokens, and errors contain addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn


def quiet_config(application: Any, grace: int) -> uvicorn.Config:
    """Return the configuration of a server of `application`; a stop waits `grace` seconds for requests."""
    return uvicorn.Config(
        application,
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        # limit_concurrency is not set, because it counts connections: silent ones would block all pages.
        timeout_graceful_shutdown=grace,
        ws="none",
    )


@contextmanager
def running(config: uvicorn.Config, listener: socket.socket) -> Iterator[int]:
    """Run a server until the block ends, and yield its port."""
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listener],), name="web", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
