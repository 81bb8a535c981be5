"""Remember where the links of editions lead, and how many points SpamAssassin gives to an edition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from digest.model.links import LinkAnswer
from digest.storage.posts import batches
from digest.storage.tables.desk import link_answers, spam_scores
from subscribers.store.tables import upsert

ASKED_AGAIN_AFTER = timedelta(hours=6)
RETRIED_AFTER = timedelta(hours=1)  # if there was no answer
KEPT_FOR = timedelta(days=2)  # answers that are older say nothing


def known_links(connection: Connection, urls: Iterable[str], now: datetime) -> dict[str, LinkAnswer]:
    """Return what is known about links, without what is too old to be believed."""
    found: dict[str, LinkAnswer] = {}
    for part in batches(sorted(set(urls))):
        query = select(link_answers).where(
            link_answers.c.url.in_(part), link_answers.c.checked_at > now - KEPT_FOR
        )
        found.update((row.url, LinkAnswer(**row._mapping)) for row in connection.execute(query))
    return found


def is_fresh(answer: LinkAnswer, now: datetime) -> bool:
    """Tell whether a link need not be asked again yet."""
    return answer.checked_at > now - (ASKED_AGAIN_AFTER if answer.answered else RETRIED_AFTER)


def save_links(connection: Connection, answers: Iterable[LinkAnswer]) -> None:
    """Save answers; a later one replaces an earlier one."""
    for answer in answers:
        values = {column.name: getattr(answer, column.name) for column in link_answers.c}
        statement = upsert(connection, link_answers).values(values)
        statement = statement.on_conflict_do_update(index_elements=[link_answers.c.url], set_=values)
        connection.execute(statement)


def known_score(connection: Connection, snapshot: str) -> tuple[float, Mapping[str, float]] | None:
    """Return the points of the edition with this snapshot's hash, and those of each rule; None: not known."""
    row = connection.execute(select(spam_scores).where(spam_scores.c.hash == snapshot)).one_or_none()
    return (row.score, row.rules) if row else None


def save_score(
    connection: Connection, snapshot: str, score: float, rules: Mapping[str, float], now: datetime
) -> None:
    """Save the points of an edition by its snapshot's hash."""
    values: dict[str, Any] = {"score": score, "rules": dict(rules), "checked_at": now}
    statement = upsert(connection, spam_scores).values(hash=snapshot, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[spam_scores.c.hash], set_=values))


def forget_answers(connection: Connection, now: datetime) -> None:
    """Remove what is too old to be believed."""
    for table in (link_answers, spam_scores):
        connection.execute(delete(table).where(table.c.checked_at < now - KEPT_FOR))
