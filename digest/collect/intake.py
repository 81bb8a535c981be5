"""Bring together a document, what is stored of its feed, and the digests that take the feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from digest.collect.complete import with_pages
from digest.collect.judge import FIRST_LOOK, Look, Taker, at_first_look, judge
from digest.collect.reading.identity import own_key, same_rules
from digest.collect.reading.parse import Parsed
from digest.model.links import canonical_url
from digest.model.posts import Fate, FeedRow, Intake, Post, PostState, StoredPosts
from digest.model.publication import Digest, Feed
from digest.schedule.cadence import Cadence
from digest.schedule.schedule import ScheduleError
from digest.storage.database import Connection
from digest.storage.intake.save import save_fates
from digest.storage.intake.stored import (
    Traits,
    frozen_posts,
    posts_like,
    posts_unknown_to,
    posts_with_keys,
    stored_posts,
    unsent_posts,
)
from digest.storage.occurrences import occurrences_of

_COMING = 3  # dates of a digest that are looked at: of the first, the cutoff may be over


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A configured feed, its stored row, and the digests that take it."""

    feed: Feed
    row: FeedRow
    takers: tuple[Taker, ...]
    cutoffs: tuple[datetime, ...] = ()  # the next ones of the digests that take it, the earliest first
    pushed_at: datetime | None = None  # when its hub last told of new posts


def judged(connection: Connection, source: Source, parsed: Parsed, now: datetime) -> Intake:
    """Return what a document does to the posts of its feed; nothing is saved."""
    entries = with_pages(connection, parsed.posts) if source.feed.complete else parsed.posts
    look = Look(
        feed=source.row.name,
        takers=source.takers,
        last_ok_at=source.row.last_ok_at,
        stored=_stored(connection, source, entries),
    )
    return judge(entries, look, now, complete=parsed.complete)


def _stored(connection: Connection, source: Source, entries: Sequence[Post]) -> StoredPosts:
    """Read what is stored of a feed; less is read if all entries are known and unchanged."""
    feed_id = source.row.id
    traits = Traits(
        keys={key for entry in entries for key in (entry.key, own_key(entry))},
        ids={entry.id for entry in entries},
        links={canonical_url(entry.url) for entry in entries if entry.url},
        dates={entry.published_at for entry in entries if entry.published_at},
    )
    known = posts_with_keys(connection, feed_id, traits)
    prints = {each.post.key: each.post.fingerprint for each in known}
    if any(prints.get(entry.key) != entry.fingerprint for entry in entries):
        known = posts_like(connection, feed_id, traits)
    stored = stored_posts(connection, feed_id, known, source.row.last_ok_at)
    unsent = unsent_posts(connection, feed_id, [taker.digest for taker in source.takers])
    others = [each.post.id for each in known if entries and not same_rules(each.post, entries[0])]
    return replace(stored, unsent=unsent, frozen=frozen_posts(connection, others))


def takers_of(connection: Connection, digests: Sequence[Digest], now: datetime) -> dict[str, Taker]:
    """Return each digest with the cutoff of its previous date, by its slug."""
    return {digest.slug: _taker(connection, digest, now) for digest in digests}


def _taker(connection: Connection, digest: Digest, now: datetime) -> Taker:
    cadence = Cadence(digest=digest)
    past = occurrences_of(connection, cadence.key, until=now)
    done = next((each.due_at for each in past if each.done), None)
    # The first edition may be composed late, and its own date is not the previous one then.
    previous_at = done or cadence.last_send_at(now - digest.late) or now - FIRST_LOOK
    return Taker(digest=digest.slug, previous_at=previous_at - digest.cutoff, has_begun=done is not None)


def next_cutoffs(digest: Digest, now: datetime) -> tuple[datetime, ...]:
    """Return the next two cutoffs of a digest after `now`."""
    coming = islice(Cadence(digest=digest).coming(now), _COMING)
    try:
        return tuple(due.cutoff_at for due in coming if due.cutoff_at > now)
    except ScheduleError:
        return ()


def enlisted(connection: Connection, source: Source, now: datetime) -> Source:
    """Give the digests that have just begun to take a feed its recent posts, as at a first look.

    Posts that are in such a digest already, in any state, are left as they are. The row of the feed remembers
    its digests, because asking for each feed at each run whether a post is missing takes seconds.
    """
    row, names = source.row, " ".join(sorted(taker.digest for taker in source.takers))
    if row.takers == names:
        return source
    for taker in source.takers:
        posts = posts_unknown_to(connection, taker.digest, row.id, since=now - FIRST_LOOK)
        reasons = at_first_look(taker, posts, now)
        fates = [(post.id, _fate(taker, reason)) for post, reason in zip(posts, reasons, strict=True)]
        save_fates(connection, fates, now)
    return replace(source, row=replace(row, takers=names))


def _fate(taker: Taker, reason: str) -> Fate:
    state = PostState.DROPPED if reason else PostState.WAITING
    return Fate(digest=taker.digest, state=state, reason=reason)


def takes(digest: Digest, feed: Feed) -> bool:
    """Return whether a digest takes the posts of a feed."""
    return not digest.feeds or feed.name in digest.feeds
