"""Wait: for a database that is away, and, after a stop, for answers to what is on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic, sleep
from typing import TypeVar

from digest.model.errors import OutageError
from digest.send.outbox import Outbox
from digest.storage.database import Database

_LONGEST = 4.0  # seconds between two tries
Value = TypeVar("Value")
Other = TypeVar("Other")
_AWAY = object()


class Waiting:
    """The waiting of one sender. Its steps in the database are tried again until the database answers.

    `come_back` records the answers that were kept, before the first step after an outage. It may raise
    OutageError.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        come_back: Callable[[], None],
        *,
        clock: Callable[[], datetime],
        stop: Callable[[], bool],
    ) -> None:
        self._database, self._outbox, self._come_back = database, outbox, come_back
        self._clock, self._stop = clock, stop
        self._stopped_at: datetime | None = None
        self._try_at: float | None = None  # when to try the database again; None: it is not away
        self._pause = 0.0  # seconds before the next try; it doubles with each

    @property
    def is_away(self) -> bool:
        """Tell whether the database did not answer the last step."""
        return self._try_at is not None

    def has_drained_enough(self) -> bool:
        """Tell, after a stop, whether the time for answers to what is on the wire is over."""
        if self._stopped_at is None and self._stop():
            self._stopped_at = self._clock()
        return self._stopped_at is not None and self._clock() - self._stopped_at >= self._outbox.drain

    def unless_away(self, step: Callable[[], Value], otherwise: Other) -> Value | Other:
        """Take a step, and return `otherwise` if the database is away; it is tried again after a pause."""
        if self._try_at is not None and monotonic() < self._try_at:
            return otherwise
        try:
            if self._try_at is not None:
                self._come_back()
                self._try_at, self._pause = None, 0.0
            return step()
        except OutageError as error:
            self._database.note_outage(error)
            self._pause = min(self._pause * 2 or self._outbox.retry_database, _LONGEST)
            self._try_at = monotonic() + self._pause
            return otherwise

    def surely(self, step: Callable[[], object]) -> None:
        """Take a step when no message is in flight; wait for the database as long as it takes.

        After a stop, this waits no longer than for answers, and raises OutageError.
        """
        while self.unless_away(step, otherwise=_AWAY) is _AWAY:
            if self.has_drained_enough():
                raise OutageError("stopped while the database was away")
            sleep(self._pause)
