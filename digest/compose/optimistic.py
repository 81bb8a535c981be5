"""Plan an edition with no transaction open, and keep the plan if what it was made from is still the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from digest.model import Composed
from digest.storage.database import Connection, Database
from digest.storage.editions import lock_digest

log = logging.getLogger(__name__)

Seen = TypeVar("Seen")
Planned = TypeVar("Planned")

# Plans made with no transaction open. A change during one of them is rare. When three in a row are out of
# date, changes may never stop, and composing must end.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Generic[Seen, Planned]):
    """How an edition is made. `read` returns all that `plan` depends on: equal values make the same plan."""

    read: Callable[[Connection], Seen]
    plan: Callable[[Seen], Planned]
    keep: Callable[[Connection, Planned], Composed]


def plan_and_keep(database: Database, digest: str, steps: Steps[Seen, Planned]) -> Composed:
    """Plan an edition, and keep the plan if nothing it was made from has changed; else plan again.

    A plan renders emails, which takes seconds. On SQLite a write transaction that stayed open for so
    long would let no reader sign up or unsubscribe. So only the fourth plan, made when three were out
    of date before they could be kept, is made inside the write transaction, where it cannot be overtaken.
    """
    for _ in range(_ATTEMPTS):
        with database.read() as connection:
            seen = steps.read(connection)
        planned = steps.plan(seen)
        with _locked(database, digest) as connection:
            if steps.read(connection) == seen:
                return steps.keep(connection, planned)
        log.info("%s: something changed while an edition was planned; it is planned again", digest)
    with _locked(database, digest) as connection:
        return steps.keep(connection, steps.plan(steps.read(connection)))


@contextmanager
def _locked(database: Database, digest: str) -> Iterator[Connection]:
    """Give a connection in the only write transaction that composes this digest."""
    with database.write() as connection:
        lock_digest(connection, digest)
        yield connection
