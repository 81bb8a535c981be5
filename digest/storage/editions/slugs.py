"""Find the digests that are in the database but not in the configuration, and rename them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, func, insert, select, update

from digest.model.editions import OPEN, EditionState
from digest.model.errors import RenameError
from digest.model.posts import PostState
from digest.model.snapshot import text_hash, to_json
from digest.storage.editions.records import base_of, load_edition
from digest.storage.tables.editions import editions
from digest.storage.tables.links import renamed
from digest.storage.tables.posts import digest_posts
from digest.storage.tables.schedules import occurrences, schedules
from subscribers.model import Frequency, SubscriptionState
from subscribers.store.tables import subscriptions

_WAITS = (PostState.WAITING, PostState.DEFERRED, PostState.RESERVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """The rows of a slug that is not in the configuration."""

    slug: str
    subscriptions: int = 0  # active
    posts: int = 0  # waiting, deferred or reserved
    editions: int = 0  # open: draft, approved or sending

    def text(self) -> str:
        """Return the counts in words: "2 subscriptions and 1 open edition"."""
        nouns = {
            "subscription": self.subscriptions,
            "waiting post": self.posts,
            "open edition": self.editions,
        }
        parts = [f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in nouns.items() if count]
        return " and ".join(", ".join(parts).rsplit(", ", 1)) or "nothing"


def left_behind(connection: Connection, configured: Collection[str]) -> tuple[LeftBehind, ...]:
    """Return each slug that has any of these rows but is not among the `configured` slugs."""
    queries = {
        "subscriptions": select(subscriptions.c.digest, func.count())
        .where(subscriptions.c.state == SubscriptionState.ACTIVE)
        .group_by(subscriptions.c.digest),
        "posts": select(digest_posts.c.digest, func.count())
        .where(digest_posts.c.state.in_(_WAITS))
        .group_by(digest_posts.c.digest),
        "editions": select(editions.c.digest, func.count())
        .where(editions.c.state.in_(OPEN))
        .group_by(editions.c.digest),
    }
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, query in queries.items():
        for slug, count in connection.execute(query):
            found[slug][name] = count
    return tuple(LeftBehind(slug=slug, **found[slug]) for slug in sorted(found.keys() - set(configured)))


def rename_digest(connection: Connection, old: str, new: str) -> LeftBehind:
    """Give everything of the digest `old` that still counts to the digest `new`; return what was moved.

    Subscriptions, posts, occurrences and open editions move; sent editions stay in the archive of `old`.
    Raises RenameError if `new` has subscriptions or editions, if `old` has nothing, or while an edition is
    being sent.
    """
    moved = next((each for each in left_behind(connection, ()) if each.slug == old), None)
    if moved is None:
        raise RenameError(f"the database has nothing of a digest {old!r}")
    for table, what in ((subscriptions, "subscriptions"), (editions, "editions")):
        if connection.execute(select(table.c.digest).where(table.c.digest == new).limit(1)).first():
            raise RenameError(f"{new!r} has {what} already, so nothing can be moved to it")
    for edition_id in _open_ids(connection, old):
        _rename_edition(connection, edition_id, new)
    fresh = select(digest_posts.c.post_id).where(digest_posts.c.digest == old).scalar_subquery()
    connection.execute(
        delete(digest_posts).where(digest_posts.c.digest == new, digest_posts.c.post_id.in_(fresh))
    )
    for table in (digest_posts, subscriptions):
        connection.execute(update(table).where(table.c.digest == old).values(digest=new))
    for before, after in zip(_keys(old), _keys(new), strict=True):
        for table in (occurrences, schedules):
            connection.execute(delete(table).where(table.c.schedule == after))
            connection.execute(update(table).where(table.c.schedule == before).values(schedule=after))
    connection.execute(update(renamed).where(renamed.c.new == old).values(new=new))
    connection.execute(delete(renamed).where(renamed.c.old.in_((old, new))))
    connection.execute(insert(renamed).values(old=old, new=new))
    return moved


def renamed_slugs(connection: Connection) -> dict[str, str]:
    """Return the present slug of each digest that was renamed, by each of its earlier slugs."""
    return {row.old: row.new for row in connection.execute(select(renamed.c.old, renamed.c.new))}


def _open_ids(connection: Connection, slug: str) -> tuple[str, ...]:
    found = select(editions.c.id, editions.c.state).where(
        editions.c.digest == slug, editions.c.state.in_(OPEN)
    )
    rows = connection.execute(found.order_by(editions.c.id)).all()
    for edition_id, state in rows:
        if state == EditionState.SENDING:
            raise RenameError(f"edition {edition_id} is being sent; wait until it is sent, or cancel it")
    return tuple(edition_id for edition_id, _ in rows)


def _rename_edition(connection: Connection, edition_id: str, new: str) -> None:
    """Change the digest in the row and in the snapshot, because links and recipients follow the snapshot.

    The hash changes with the snapshot, so an approval of the edition is void: it is a draft again.
    """
    record = load_edition(connection, edition_id)
    base, snapshot = (
        to_json(replace(each, digest=new)) for each in (base_of(connection, record), record.edition)
    )
    changed = {"digest": new, "snapshot": snapshot, "hash": text_hash(snapshot), "base": base}
    draft = {"state": EditionState.DRAFT, "approved_by": None, "approved_at": None, "look": None}
    connection.execute(update(editions).where(editions.c.id == edition_id).values(changed | draft))


def _keys(slug: str) -> tuple[str, ...]:
    """Return the keys of all cadences of a digest; see `digest.schedule.cadence`."""
    gathered = (f"gather:{slug}:{each}" for each in Frequency if each is not Frequency.EACH)
    return (f"compose:{slug}", *gathered)
