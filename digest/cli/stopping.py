"""Hear SIGTERM and SIGINT as a wish to stop: what is on the wire is finished, the rest is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """Give an event that the first signal sets; a second one ends the process as usual."""
    stop = Event()
    # A handler runs between any two steps of the main thread, perhaps while that holds the lock of the
    # event; setting it there would wait for ever. A SimpleQueue may be put to from anywhere.
    heard: SimpleQueue[bool] = SimpleQueue()
    listener = Thread(target=_listen, args=(heard, stop), name="signals", daemon=True)
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def hear(_number: int, _frame: FrameType | None) -> None:
        heard.put(True)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    listener.start()
    for number in _SIGNALS:
        signal.signal(number, hear)
    try:
        yield stop
    finally:
        restore()
        heard.put(False)
        listener.join()


def _listen(heard: SimpleQueue[bool], stop: Event) -> None:
    if heard.get():
        stop.set()
