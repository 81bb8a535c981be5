"""Plan an edition with no transaction open, and save the plan if its input is still the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from digest.model.editions import Composed
from digest.storage.database import Connection, Database
from digest.storage.editions.drafts import lock_digest

log = logging.getLogger(__name__)

Seen = TypeVar("Seen")
Planned = TypeVar("Planned")

# The number of plans that are made with no transaction open. A change during one of them is rare. If three in
# a row are out of date, changes may never stop, and composing must come to an end.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps(Generic[Seen, Planned]):
    """The steps that make an edition. `read` returns all that `plan` depends on: equal input, equal plan."""

    read: Callable[[Connection], Seen]
    plan: Callable[[Seen], Planned]
    keep: Callable[[Connection, Planned], Composed]


def plan_and_keep(database: Database, digest: str, steps: Steps[Seen, Planned]) -> Composed:
    """Plan an edition, and save the plan if its input has not changed; otherwise plan again.

    Planning renders emails, which takes seconds. On SQLite, no reader could sign up or unsubscribe while a
    write transaction is open for so long. So only the fourth plan, after three that were out of date, is made
    inside the write transaction, where its input cannot change.
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
    """Yield a connection in a write transaction; no other transaction composes this digest meanwhile."""
    with database.write() as connection:
        lock_digest(connection, digest)
        yield connection
