"""Find the next edition of a digest: one that is composed already, or what would be composed now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from digest.compose.plan import PlanInput, plan
from digest.config import Config
from digest.model.editions import Edition
from digest.model.publication import Digest
from digest.schedule.cadence import Cadence
from digest.storage.database import Database
from digest.storage.editions.lists import list_editions
from digest.storage.posts import waiting_posts

_NEWEST = 5  # editions that are looked at


def open_editions(database: Database, digest: Digest) -> Iterator[Edition]:
    """Yield the newest editions of a digest that are still to be sent."""
    with database.read() as connection:
        newest = list_editions(connection, digest.slug, _NEWEST)
    return (record.edition for record in newest if record.is_ahead)


def planned_edition(database: Database, config: Config, digest: Digest, now: datetime) -> Edition | None:
    """Return the edition that the waiting posts would make now, or None if there are none."""
    plan_input = PlanInput(
        digest=replace(digest, minimum=1),
        site=config.site,
        due=next(Cadence(digest=digest).coming(now)),
        topics=config.topics,
        feeds=config.feeds,
    )
    with database.read() as connection:
        waiting = waiting_posts(connection, digest.slug)
    return plan(waiting, (), plan_input).edition
