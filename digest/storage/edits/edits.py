"""Store an edition's base and its list of edits; the list is append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from digest.model.editions import MERGED, Edition, EditionRecord
from digest.model.posts import DROPPED_BY, WITHDRAWN, Fate, PostState
from digest.model.snapshot import to_json
from digest.storage.editions.drafts import lock_digest
from digest.storage.editions.records import lock_edition
from digest.storage.posts import batches
from digest.storage.tables.editions import editions, edits
from digest.storage.tables.posts import digest_posts

_BY_EDITOR = (DROPPED_BY, WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEdit:
    """An edit as it is stored; `digest.compose.edits.operations` reads its operation."""

    number: int
    by: str
    at: datetime
    operation: Mapping[str, Any]
    hash: str | None = None  # of the snapshot that it led to; None: it was not kept in earlier versions


def lock_for_edit(connection: Connection, digest: str, edition_id: str) -> EditionRecord:
    """Return an edition, and keep others from changing it and from composing its digest until the commit."""
    # Composing takes posts that wait, and an edit may give posts back or take them again.
    lock_digest(connection, digest)
    return lock_edition(connection, edition_id)


def keep_base(connection: Connection, edition: Edition) -> None:
    """Save the base of an edition that has edits."""
    base = update(editions).where(editions.c.id == edition.id).values(base=to_json(edition))
    connection.execute(base)


def edits_of(connection: Connection, edition_id: str) -> tuple[StoredEdit, ...]:
    """Return the edits of an edition in their order."""
    columns = edits.c.number, edits.c.by, edits.c.at, edits.c.operation, edits.c.hash
    found = select(*columns).where(edits.c.edition_id == edition_id).order_by(edits.c.number)
    return tuple(
        StoredEdit(number=number, by=by, at=at, operation=operation, hash=made)
        for number, by, at, operation, made in connection.execute(found)
    )


def is_merged(connection: Connection, edition_id: str) -> bool:
    """Tell whether an edition was merged from several others."""
    merged = select(editions.c.id).where(editions.c.reason == f"{MERGED}{edition_id}").limit(1)
    return connection.scalar(merged) is not None


def append(connection: Connection, edition_id: str, new: Sequence[StoredEdit]) -> None:
    """Append edits to the list of an edition that is locked; their numbers follow those of the list."""
    rows = [
        {
            "edition_id": edition_id,
            "number": each.number,
            "by": each.by,
            "at": each.at,
            "operation": dict(each.operation),
            "hash": each.hash,
        }
        for each in new
    ]
    connection.execute(insert(edits), rows)


def move_posts(
    connection: Connection, edition: Edition, fates: Mapping[str, Fate], now: datetime
) -> tuple[str, ...]:
    """Give posts of an edition other states in its digest, unless another edition has them by now.

    Posts that were dropped for another reason stay dropped, too. Return the ids of those that should be in
    the edition but cannot be; the transaction must not be committed then.
    """
    rows = _rows(connection, edition.digest, list(fates))
    taken = {post_id for post_id in fates if not _is_free(rows.get(post_id), edition.id)}
    for post_id, fate in fates.items():
        if post_id not in taken:
            _move(connection, edition, post_id, fate, now)
    return tuple(each for each in fates if each in taken and fates[each].state is PostState.RESERVED)


def _move(connection: Connection, edition: Edition, post_id: str, fate: Fate, now: datetime) -> None:
    values = {
        "state": fate.state,
        "reason": fate.reason,
        "edition_id": edition.id if _stays(fate) else None,
        "held_until": fate.until,
        "changed_at": now,
    }
    one = digest_posts.c.digest == edition.digest, digest_posts.c.post_id == post_id
    connection.execute(update(digest_posts).where(*one).values(values))


def _stays(fate: Fate) -> bool:
    """Tell whether a post belongs to its edition still: it is in it, or an editor may take it back."""
    by_editor = fate.reason.startswith(_BY_EDITOR)
    return by_editor or fate.state in (PostState.RESERVED, PostState.DEFERRED)


def _rows(connection: Connection, digest: str, post_ids: Sequence[str]) -> dict[str, Any]:
    columns = (
        digest_posts.c.post_id,
        digest_posts.c.state,
        digest_posts.c.edition_id,
        digest_posts.c.reason,
    )
    query = select(*columns).where(digest_posts.c.digest == digest)
    return {
        row.post_id: row
        for part in batches(post_ids)
        for row in connection.execute(query.where(digest_posts.c.post_id.in_(part)))
    }


def _is_free(row: Any, edition_id: str) -> bool:
    """Tell whether an edition may take a post: nobody has it, or an editor took it out of this edition."""
    if row is None or row.state in (PostState.WAITING, PostState.DEFERRED, PostState.HELD):
        return True
    own = bool(row.edition_id == edition_id)
    return own and bool(row.state == PostState.RESERVED or row.reason.startswith(_BY_EDITOR))
