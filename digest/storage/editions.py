"""Store editions: frozen snapshots with their hashes, and the posts that were published in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)

from digest.model.editions import DamagedEdition, Edition, EditionRecord, EditionState
from digest.model.errors import DamagedError, NotFoundError
from digest.model.posts import DROPPED_BY, Post, PostState, PublishedPost, WaitingPost
from digest.model.snapshot import from_json, sections_in, text_hash, to_json
from digest.storage.tables.editions import editions
from digest.storage.tables.posts import digest_posts, feeds, posts
from subscribers.model import Frequency

_LINKS_PER_QUERY = 500
_AT_ONCE = 20  # editions in memory; a snapshot may have some 100 kB
PUBLIC = (EditionState.SENDING, EditionState.SENT)  # anybody may read these editions on the web
OPEN = (EditionState.DRAFT, EditionState.APPROVED, EditionState.SENDING)


# ── editions ────────────────────────────────────────────────────────────────────────────────


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


def load_edition(connection: Connection, edition_id: str) -> EditionRecord:
    """Return an edition. Raises NotFoundError, and DamagedError if its snapshot is damaged."""
    row = connection.execute(select(editions).where(editions.c.id == edition_id)).one_or_none()
    if row is None:
        raise NotFoundError("edition", edition_id)
    return _record(row)


def base_of(connection: Connection, record: EditionRecord) -> Edition:
    """Return an edition without its edits. Raises DamagedError."""
    query = select(editions.c.base).where(editions.c.id == record.edition.id)
    text: str | None = connection.scalar(query)
    if text is None:
        return record.edition
    try:
        return from_json(text)
    except ValueError as error:
        raise DamagedError(record.edition.id, f"its base cannot be read: {error}") from error


def lock_edition(connection: Connection, edition_id: str) -> EditionRecord:
    """Return an edition like `load_edition`, and keep everybody else from changing it until the commit.

    On PostgreSQL, late answers wait too (`digest.storage.ledger.settling`). On SQLite, nobody else writes.
    """
    connection.execute(select(editions.c.id).where(editions.c.id == edition_id).with_for_update())
    return load_edition(connection, edition_id)


def usable_editions(connection: Connection, ids: Iterable[str]) -> tuple[EditionRecord, ...]:
    """Return the editions with these ids, in this order, without damaged ones."""
    found = []
    for edition_id in ids:
        with suppress(DamagedError):
            found.append(load_edition(connection, edition_id))
    return tuple(found)


def list_editions(
    connection: Connection, digest: str | None = None, limit: int = 50
) -> tuple[EditionRecord, ...]:
    """Return those of the newest editions that are not damaged, newest first."""
    found = newest_editions(connection, digest, limit)
    return tuple(each for each in found if isinstance(each, EditionRecord))


def newest_editions(
    connection: Connection, digest: str | None = None, limit: int = 50
) -> tuple[EditionRecord | DamagedEdition, ...]:
    """Return the newest editions, of one digest or of all, newest first; a damaged one hides no other."""
    newest = select(editions).order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(limit)
    found = newest if digest is None else newest.where(editions.c.digest == digest)
    return tuple(_record_or_damage(row) for row in connection.execute(found))


def damaged_editions(connection: Connection) -> tuple[DamagedEdition, ...]:
    """Read every edition and return those whose snapshots cannot be used, oldest first."""
    every = select(editions).order_by(editions.c.send_at, editions.c.id)
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(every)
    checked = (_record_or_damage(row) for row in rows)
    return tuple(each for each in checked if isinstance(each, DamagedEdition))


def last_edition(connection: Connection, digest: str) -> EditionRecord | None:
    """Return the newest edition of a digest in any state, without gathered editions."""
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    newest = select(editions).where(*own).order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(1)
    return next(iter(_records(connection, newest)), None)


def edition_before(connection: Connection, record: EditionRecord) -> EditionRecord | None:
    """Return the edition of the same digest and frequency that was sent, or is to be sent, before another."""
    edition = record.edition
    own = editions.c.digest == edition.digest, editions.c.frequency == record.frequency
    earlier = editions.c.state.in_((*OPEN, *PUBLIC)), editions.c.send_at < edition.send_at
    newest = select(editions).where(*own, *earlier).order_by(editions.c.send_at.desc(), editions.c.id.desc())
    return next(iter(_records(connection, newest.limit(1))), None)


def open_before(connection: Connection, before: datetime) -> tuple[EditionRecord, ...]:
    """Return the editions that are to be sent before a time and have not begun, without damaged ones."""
    ahead = editions.c.state.in_((EditionState.DRAFT, EditionState.APPROVED)), editions.c.send_at < before
    found = map(_record_or_damage, connection.execute(select(editions).where(*ahead).limit(_AT_ONCE)))
    return tuple(each for each in found if isinstance(each, EditionRecord))


def last_sections(
    connection: Connection, digest: str, *, since: datetime | None = None, limit: int = 100
) -> tuple[tuple[tuple[str, str, int], ...], ...]:
    """Return the sections of the newest editions of a digest, newest first: slug, title and stories of each.

    `since` is the earliest cutoff. Gathered editions only repeat those of others, so they are left out.
    """
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    newest = select(editions.c.sections).where(*own, editions.c.sections.is_not(None))
    newest = newest.order_by(editions.c.send_at.desc(), editions.c.id.desc()).limit(limit)
    found = newest if since is None else newest.where(editions.c.cutoff_at >= since)
    return tuple(
        tuple((slug, title, count) for slug, title, count in sections)
        for sections in connection.scalars(found)
    )


def public_editions(
    connection: Connection, digest: str, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> tuple[EditionRecord, ...]:
    """Return a page of the editions that readers have been sent, newest first, without damaged ones.

    `before` is the send time and the id of the last edition on the page before.
    """
    newest = select(editions).where(editions.c.digest == digest, editions.c.state.in_(PUBLIC))
    newest = newest.order_by(editions.c.send_at.desc(), editions.c.id.desc())
    found: list[EditionRecord] = []
    while (missing := limit - len(found)) > 0:
        rows = connection.execute(_older(newest, before).limit(missing)).all()
        found += (each for each in map(_record_or_damage, rows) if isinstance(each, EditionRecord))
        if len(rows) < missing:
            break
        before = (rows[-1].send_at, rows[-1].id)
    return tuple(found)


def _older(newest: Select[Any], before: tuple[datetime, str] | None) -> Select[Any]:
    if before is None:
        return newest
    send_at, edition_id = literal(before[0], editions.c.send_at.type), literal(before[1])
    return newest.where(tuple_(editions.c.send_at, editions.c.id) < tuple_(send_at, edition_id))


def newest_public_id(connection: Connection, digest: str) -> str | None:
    """Return the id of the newest edition that readers have been sent, without gathered editions."""
    own = editions.c.digest == digest, editions.c.frequency == Frequency.EACH
    of_digest = *own, editions.c.state.in_(PUBLIC)
    newest = select(editions.c.id).where(*of_digest).order_by(editions.c.send_at.desc(), editions.c.id.desc())
    return connection.execute(newest.limit(1)).scalar_one_or_none()


def public_dates(connection: Connection, *, limit: int) -> tuple[tuple[str, str, datetime], ...]:
    """Return digest, id and date of the newest editions that readers have been sent.

    The date is the send time, or the time when sending began, if that was earlier.
    """
    columns = editions.c.digest, editions.c.id, editions.c.send_at, editions.c.started_at
    newest = select(*columns).where(editions.c.state.in_(PUBLIC)).order_by(editions.c.send_at.desc())
    return tuple(
        (slug, name, min(send_at, started_at or send_at))
        for slug, name, send_at, started_at in connection.execute(newest.limit(limit))
    )


def settled_after(connection: Connection, now: datetime) -> frozenset[tuple[str, Frequency, datetime]]:
    """Return digest, frequency and send time of editions whose send time is after `now` but that are decided.

    They have been sent early, or were skipped or cancelled.
    """
    over = (*PUBLIC, EditionState.SKIPPED, EditionState.CANCELLED)
    columns = editions.c.digest, editions.c.frequency, editions.c.send_at
    ahead = select(*columns).where(editions.c.state.in_(over), editions.c.send_at > now)
    return frozenset((slug, Frequency(frequency), at) for slug, frequency, at in connection.execute(ahead))


def sending_editions(connection: Connection) -> tuple[tuple[str, datetime], ...]:
    """Return the editions that are being sent, each with the time when this began."""
    found = select(editions.c.id, editions.c.started_at).where(editions.c.state == EditionState.SENDING)
    return tuple((edition_id, at) for edition_id, at in connection.execute(found.order_by(editions.c.id)))


def states_of(connection: Connection, ids: Collection[str]) -> dict[str, tuple[EditionState, str]]:
    """Return the state and the reason of each edition with one of these ids, by its id."""
    query = select(editions.c.id, editions.c.state, editions.c.reason).where(editions.c.id.in_(sorted(ids)))
    return {name: (EditionState(state), reason) for name, state, reason in connection.execute(query)}


def open_edition(
    connection: Connection, digest: str, local_date: date, frequency: Frequency = Frequency.EACH
) -> EditionRecord | None:
    """Return the edition of a day and frequency that may still go out; None if there is none."""
    of_day = editions.c.digest == digest, editions.c.local_date == local_date, editions.c.state.in_(OPEN)
    found = select(editions).where(*of_day, editions.c.frequency == frequency).order_by(editions.c.id)
    return next(iter(_records(connection, found)), None)


def due_editions(connection: Connection, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return id and digest of the open editions whose time has come, oldest first.

    Editions in `sending` are included even before their send time, so that an edition that was sent by hand,
    or interrupted by a crash, is continued.
    """
    # Only ids are read, because an edition with a damaged snapshot must not stop the others.
    due = or_(editions.c.send_at <= now, editions.c.state == EditionState.SENDING)
    found = (
        select(editions.c.id, editions.c.digest)
        .where(editions.c.state.in_(OPEN), due)
        .order_by(editions.c.send_at, editions.c.id)
    )
    return tuple((edition_id, slug) for edition_id, slug in connection.execute(found))


def taken_ids(connection: Connection, name: str) -> frozenset[str]:
    """Return all ids of editions that begin with `name`, in any digest."""
    return frozenset(
        connection.scalars(select(editions.c.id).where(editions.c.id.startswith(name, autoescape=True)))
    )


def _records(connection: Connection, query: Select[Any]) -> tuple[EditionRecord, ...]:
    return tuple(_record(row) for row in connection.execute(query))


def _record_or_damage(row: Row[Any]) -> EditionRecord | DamagedEdition:
    try:
        return _record(row)
    except DamagedError as error:
        return DamagedEdition(
            id=row.id,
            digest=row.digest,
            state=EditionState(row.state),
            send_at=row.send_at,
            damage=error.damage,
        )


def _record(row: Row[Any]) -> EditionRecord:
    return EditionRecord(
        edition=_snapshot(row.id, row.hash, row.snapshot),
        hash=row.hash,
        state=EditionState(row.state),
        frequency=Frequency(row.frequency),
        reason=row.reason,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        look=row.look,
        voided_at=row.voided_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        paused_at=row.paused_at,
    )


@lru_cache(maxsize=8)  # one sending reads the same edition several times, and a snapshot never changes
def _snapshot(edition_id: str, content_hash: str, snapshot: str) -> Edition:
    """Return the frozen edition, after a check that its snapshot still has its hash."""
    if text_hash(snapshot) != content_hash:
        raise DamagedError(edition_id, "its snapshot no longer matches its hash")
    try:
        return from_json(snapshot)
    except ValueError as error:
        raise DamagedError(edition_id, f"its snapshot cannot be read: {error}") from error


# ── posts published before ──────────────────────────────────────────────────────────────────


def published_posts(
    connection: Connection, digest: str, links: Collection[str], since: datetime
) -> tuple[PublishedPost, ...]:
    """Return the posts of editions of `digest` that new posts may repeat: used, reserved, or dropped there.

    These are posts with one of `links` (canonical, see `digest.model.links`), however old, and posts first
    seen at `since` or later. Posts that an editor has dropped count from `since` on. Each post has only the
    fields that are compared: feed, title, text, link and times. A post whose headline has changed since then
    is also returned as it was published, because another feed may still have its first headline.
    """
    ordered = sorted(links)
    parts = (ordered[at : at + _LINKS_PER_QUERY] for at in range(0, len(ordered), _LINKS_PER_QUERY))
    conditions = [_new_since(since), *(posts.c.canonical_url.in_(part) for part in parts)]
    rows = {
        row.id: row
        for each in conditions
        for row in connection.execute(_published(digest, since).where(each))
    }
    now = [_published_post(rows[post_id]) for post_id in sorted(rows)]
    recent = {
        rows[each.waiting.post.id].edition_id for each in now if each.waiting.post.first_seen_at >= since
    }
    headlines = _headlines(connection, recent)
    return (*now, *(before for each in now if (before := _before(each, headlines))))


def _headlines(connection: Connection, edition_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the title and text with which each story of these editions was frozen, by its first post."""
    frozen = select(editions.c.snapshot).where(editions.c.id.in_(edition_ids))
    headlines: dict[str, tuple[str, str]] = {}
    for snapshot in connection.scalars(frozen):
        with suppress(ValueError, KeyError, TypeError):  # a damaged edition is reported elsewhere
            # Only two fields are needed, so the edition is not made from the snapshot.
            data = json.loads(snapshot)
            sections = [story for each in data["sections"] for story in (*each["stories"], *each["more"])]
            stories = [*sections, *([data["lead"]] if data["lead"] else [])]
            headlines |= {story["id"]: (story["title"], story["blurb"]) for story in stories}
    return headlines


def _before(published: PublishedPost, headlines: Mapping[str, tuple[str, str]]) -> PublishedPost | None:
    """Return a post as it was published, or None if it is the same now."""
    post = published.waiting.post
    title, blurb = headlines.get(post.id, (post.title, post.blurb))
    if (title, blurb) == (post.title, post.blurb):
        return None
    first = replace(post, title=title, blurb=blurb)
    return replace(published, waiting=replace(published.waiting, post=first))


def _new_since(since: datetime) -> ColumnElement[bool]:
    return or_(posts.c.first_seen_at >= since, digest_posts.c.state == PostState.DROPPED)


def _published(digest: str, since: datetime) -> Select[Any]:
    dropped = (
        (digest_posts.c.state == PostState.DROPPED)
        & digest_posts.c.reason.startswith(DROPPED_BY)
        & (digest_posts.c.changed_at >= since)
    )
    published = or_(digest_posts.c.state.in_((PostState.USED, PostState.RESERVED)), dropped)
    why = case((dropped, digest_posts.c.reason), else_="").label("why")
    return (
        select(posts, feeds.c.name.label("feed_name"), digest_posts.c.edition_id, why)
        .join_from(digest_posts, posts)
        .join(feeds)
        .where(digest_posts.c.digest == digest, published, digest_posts.c.edition_id.is_not(None))
    )


def _published_post(row: Row[Any]) -> PublishedPost:
    post = Post(
        id=row.id,
        feed_id=row.feed_id,
        key=row.key,
        title=row.title,
        blurb=row.blurb,
        url=row.url,
        published_at=row.published_at,
        first_seen_at=row.first_seen_at,
        fingerprint=row.fingerprint,
        language=row.language,
    )
    waiting = WaitingPost(post=post, feed_name=row.feed_name)
    return PublishedPost(waiting=waiting, edition_id=row.edition_id, reason=row.why)
