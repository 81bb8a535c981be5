"""Save new editions as drafts, each with an id and a number of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, or_, select, update

from digest.model.editions import MERGED, OPEN, PUBLIC, Edition, EditionRecord, EditionState, StepCause
from digest.model.errors import MergeError
from digest.model.posts import PostState
from digest.model.snapshot import sections_in, text_hash, to_json
from digest.storage.editions.records import load_edition, lock_edition
from digest.storage.editions.steps import advance_seen
from digest.storage.posts import batches
from digest.storage.tables.editions import editions
from digest.storage.tables.posts import digest_posts
from subscribers.model import Frequency


def lock_digest(connection: Connection, digest: str) -> None:
    """Make every other writer that locks the same digest wait until this transaction ends."""
    # SQLite has one writer at a time anyway.
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(f"digest:{digest}".encode()).digest()[:8], signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def insert_edition(
    connection: Connection, edition: Edition, frequency: Frequency = Frequency.EACH
) -> EditionRecord:
    """Save a new edition as a draft; its id must be free."""
    snapshot = to_json(edition)
    record = EditionRecord(
        edition=edition, hash=text_hash(snapshot), state=EditionState.DRAFT, frequency=frequency
    )
    row = {
        "id": edition.id,
        "digest": edition.digest,
        "local_date": edition.local_date,
        "frequency": frequency,
        "number": edition.number,
        "state": record.state,
        "cutoff_at": edition.cutoff_at,
        "send_at": edition.send_at,
        "snapshot": snapshot,
        "hash": record.hash,
        "sections": sections_in(edition),
    }
    connection.execute(insert(editions).values(row))
    return record


def next_number(connection: Connection, digest: str, frequency: Frequency = Frequency.EACH) -> int:
    """Return the number of the next edition: one more than the last that was sent or is planned.

    An edition that is skipped or cancelled gives its number back, unless it has begun to be sent.
    """
    own = editions.c.digest == digest, editions.c.frequency == frequency
    counted = or_(editions.c.state.in_((*OPEN, *PUBLIC)), editions.c.started_at.is_not(None))
    return (connection.scalar(select(func.max(editions.c.number)).where(*own, counted)) or 0) + 1


def taken_ids(connection: Connection, name: str) -> frozenset[str]:
    """Return all ids of editions that begin with `name`, in any digest."""
    return frozenset(
        connection.scalars(select(editions.c.id).where(editions.c.id.startswith(name, autoescape=True)))
    )


def replace_editions(
    connection: Connection, records: Sequence[EditionRecord], edition: Edition, now: datetime
) -> EditionRecord:
    """Save a draft that takes the place of editions that have not begun to be sent, and skip these.

    The posts that they reserve are reserved by the draft; posts that are not in the draft wait again. If one
    of the editions was approved, its approval is void. Raises MergeError if one of them is not as the caller
    has seen it, or has begun to be sent; the transaction must not be committed then.
    """
    # Dropping posts locks several editions too, in the same order.
    for record in sorted(records, key=lambda each: each.edition.id):
        if not record.is_ahead or lock_edition(connection, record.edition.id) != record:
            what = f"{record.edition.id} has changed or has begun to be sent meanwhile"
            raise MergeError(
                f"nothing is merged, because {what}; to look at it: digest editions {record.edition.id}"
            )
    insert_edition(connection, edition)
    _hand_over(connection, [record.edition.id for record in records], edition, now)
    for record in records:
        advance_seen(connection, record, EditionState.SKIPPED, StepCause(at=now, why=f"{MERGED}{edition.id}"))
    if any(record.state is EditionState.APPROVED or record.voided_at for record in records):
        void = {"voided_at": now, "reason": "it was merged from several editions"}
        connection.execute(update(editions).where(editions.c.id == edition.id).values(void))
    return load_edition(connection, edition.id)


def _hand_over(connection: Connection, edition_ids: Sequence[str], edition: Edition, now: datetime) -> None:
    """Let an edition reserve its posts, which other editions reserve now."""
    reserved = (
        digest_posts.c.digest == edition.digest,
        digest_posts.c.state == PostState.RESERVED,
        digest_posts.c.edition_id.in_(edition_ids),
    )
    post_ids = [post_id for story in edition.stories() for post_id in story.post_ids]
    for part in batches(post_ids):
        of_draft = update(digest_posts).where(*reserved, digest_posts.c.post_id.in_(part))
        connection.execute(of_draft.values(edition_id=edition.id, changed_at=now))
