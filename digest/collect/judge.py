"""Decide what a document does to the posts of its feed: what is new, known, old, held, protected or gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from digest.collect.likeness import same_title
from digest.collect.reading.identity import same_rules
from digest.collect.reading.placeholders import is_protected
from digest.collect.recognise import recognise, with_keys
from digest.model.posts import (
    BELOW_FIRST_LOOK,
    KEPT,
    LONG_AGO,
    PROTECTED,
    Arrival,
    Fate,
    Intake,
    KnownPost,
    Post,
    PostState,
    StoredPosts,
)
from digest.model.tags import fold

FIRST_LOOK = timedelta(days=7)  # the first look at a feed takes no older posts
FIRST_FEW = 10  # posts that the first look takes where the dates do not decide
LONG = timedelta(days=7)  # so long before the last edition is "long before"
FLOOD = 5  # posts that look new at once; fewer are never held
_LATE = timedelta(hours=3)  # a server may show a post so long after its date
BURST = 30  # new posts at once; fewer with fresh dates are never held
HELD_FOR = timedelta(days=2)
_WEEK = timedelta(days=7)


_NOTHING = StoredPosts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """A digest that takes a feed, and the cutoff of its previous date.

    If the digest has not had a date yet, `previous_at` is the date before by its schedule.
    """

    digest: str
    previous_at: datetime
    has_begun: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A feed as it is known when a document arrives: its stored posts, and the digests that take it."""

    feed: str
    takers: tuple[Taker, ...]
    last_ok_at: datetime | None = None  # the last time when there was a document
    stored: StoredPosts = _NOTHING


def judge(entries: Sequence[Post], look: Look, now: datetime, *, complete: bool = True) -> Intake:
    """Return what the entries of a document mean; `complete` says that every entry could be read."""
    known = {each.post.id: each for each in look.stored.known}
    posts = [each.post for each in known.values()]
    found = recognise(entries, posts)
    keyed = with_keys(entries, found, posts)
    fresh = [(place, post) for place, post in enumerate(keyed) if found[place] is None]
    same = [(_dated(post, stored), stored) for post, stored in zip(keyed, found, strict=True) if stored]
    unfit = _unfit(look, fresh, now)
    news = [post for _, post in fresh if len(unfit[post.id]) < len(look.takers)]
    flood = _flood(look, news, len(entries))
    held = flood or _burst(look, news, now)
    hold = _hold(look, len(held), now)
    all_new = complete and look.stored.any and not same and not flood and len(entries) > 1
    return Intake(
        arrivals=tuple(
            Arrival(
                post=post,
                place=place,
                fates=tuple(_fates(look, unfit[post.id], hold if post.id in held else None)),
            )
            for place, post in fresh
        ),
        changed=tuple(
            _with_image(post, stored) for post, stored in same if _differs(post, stored, look.stored)
        ),
        edited=frozenset(post.id for post, stored in same if _is_edited(post, stored)),
        protected=tuple(post.id for post, _ in same if _is_protected_now(post, known[post.id])),
        missed=tuple(_missed(look.stored, keyed, now)) if complete else (),
        returned=tuple(post.id for post, _ in same if known[post.id].missed > 0),
        gap=len(entries) if all_new else 0,
        held=hold.reason if held else "",
    )


def _is_protected_now(post: Post, known: KnownPost) -> bool:
    """Return whether a stored post is protected, unless an editor may have decided to keep it so."""
    new = known.missed > 0 or _is_edited(post, known.post)
    return new and is_protected(post)


def _with_image(post: Post, stored: Post) -> Post:
    """Return the post with the picture that was settled for it, as long as its feed offers the same ones.

    Sizes and signatures after the "?" of their addresses change every day.
    """
    one, other = (
        [(each.url.partition("?")[0], each.reason) for each in version.pictures] for version in (post, stored)
    )
    return replace(post, image=stored.image) if one == other else post


def _dated(post: Post, stored: Post) -> Post:
    """Return the post with its former date if it has lost its date."""
    return replace(post, published_at=post.published_at or stored.published_at)


def _is_edited(post: Post, stored: Post) -> bool:
    """Return whether the publisher has changed a post; other rules of ours also give it other words."""
    return same_rules(post, stored) and post.fingerprint != stored.fingerprint


def _differs(post: Post, stored: Post, known: StoredPosts) -> bool:
    """Return whether a stored post is replaced by its entry.

    If only our rules differ, a post in an edition keeps its words as long as its headline stays. Otherwise
    the first look after an update of the program would report every story of a draft as changed.
    """
    if post.id in known.frozen and not same_rules(post, stored) and same_title(post, stored):
        return False
    one, other = ((each.key, each.published_at, each.fingerprint) for each in (post, stored))
    return one != other


def _fates(look: Look, unfit: Mapping[str, str], hold: Fate | None) -> Iterator[Fate]:
    for taker in look.takers:
        if reason := unfit.get(taker.digest):
            yield Fate(digest=taker.digest, state=PostState.DROPPED, reason=reason)
        elif hold:
            yield replace(hold, digest=taker.digest)
        else:
            yield Fate(digest=taker.digest, state=PostState.WAITING)


# ── too old, or protected ───────────────────────────────────────────────────────────────────


def _unfit(look: Look, fresh: Sequence[tuple[int, Post]], now: datetime) -> dict[str, dict[str, str]]:
    """Return the reason why a digest does not mail a new post, by post and digest."""
    posts = [post for _, post in fresh]
    found: dict[str, dict[str, str]] = {post.id: {} for post in posts}
    for taker in look.takers:
        if look.stored.any:
            reasons = tuple(_later_reason(look, taker, post, now) for post in posts)
        else:
            reasons = at_first_look(taker, posts, now)
        for post, reason in zip(posts, reasons, strict=True):
            if reason:
                found[post.id][taker.digest] = reason
    return found


def at_first_look(taker: Taker, posts: Sequence[Post], now: datetime) -> tuple[str, ...]:
    """Return for each post of a feed that is new to a digest why it is not mailed, or "" if it is.

    The posts stand in the order of their document, which decides where there are no dates.
    """
    return tuple(
        _first_reason(taker, post, _is_first_few(place, posts), now) for place, post in enumerate(posts)
    )


def _first_reason(taker: Taker, post: Post, among_first: bool, now: datetime) -> str:
    if is_protected(post):
        return PROTECTED
    at, since = post.published_at, _since(taker, now)
    # A document may have no dates, and a digest that has never had an edition should begin with one.
    few = among_first and (at is None or (not taker.has_begun and at >= now - FIRST_LOOK))
    return "" if few or (at is not None and at >= since) else BELOW_FIRST_LOOK


def _later_reason(look: Look, taker: Taker, post: Post, now: datetime) -> str:
    if is_protected(post):
        return PROTECTED
    at, oldest_at = post.published_at, look.stored.oldest_at
    if at is None:
        return ""
    # Below the oldest stored post, a feed shows what it did not show at the first look.
    if oldest_at is not None and at < min(oldest_at, _since(taker, now)):
        return BELOW_FIRST_LOOK
    return LONG_AGO if at < min(taker.previous_at, look.last_ok_at or now) - LONG else ""


def _since(taker: Taker, now: datetime) -> datetime:
    return max(taker.previous_at, now - FIRST_LOOK)


def _is_first_few(place: int, posts: Sequence[Post]) -> bool:
    """Return whether a post is among the newest of its document, or the first where there are no dates."""
    at = posts[place].published_at
    if at is None:
        return place < FIRST_FEW
    newer = sum(post.published_at is not None and post.published_at > at for post in posts)
    return newer < FIRST_FEW


# ── held ────────────────────────────────────────────────────────────────────────────────────


def _flood(look: Look, news: Sequence[Post], size: int) -> frozenset[str]:
    """Return the posts that look new although the feed should have shown them before, if most do so at once.

    That happens when a site moves and changes its ids, links, titles and dates.
    """
    if not look.stored.any:
        return frozenset()
    titles = {fold(each.post.title) for each in look.stored.known}
    seen_at = look.last_ok_at
    late = [post for post in news if _is_late(post, titles, seen_at and seen_at - _LATE)]
    if len(late) < FLOOD or 2 * len(late) <= size:
        return frozenset()
    return frozenset(post.id for post in news if _is_late(post, titles, seen_at))


def _is_late(post: Post, titles: Collection[str], seen_at: datetime | None) -> bool:
    at = post.published_at
    return at is None or seen_at is None or at <= seen_at or fold(post.title) in titles


def _burst(look: Look, news: Sequence[Post], now: datetime) -> frozenset[str]:
    """Return all new posts if they are far more than the feed usually has in the time since the last look."""
    if not look.stored.any:
        return frozenset()
    weeks = max(1.0, (now - (look.last_ok_at or now)) / _WEEK)
    many = len(news) >= BURST and len(news) > look.stored.usual * weeks
    return frozenset(post.id for post in news if many)


def _hold(look: Look, count: int, now: datetime) -> Fate:
    until = now + HELD_FOR
    reason = f"{count} posts of {look.feed} look new at once; held until {until:%Y-%m-%d %H:%M} UTC"
    return Fate(digest="", state=PostState.HELD, reason=reason, until=until)


# ── gone ────────────────────────────────────────────────────────────────────────────────────


def _missed(stored: StoredPosts, entries: Sequence[Post], now: datetime) -> Iterator[str]:
    """Yield the ids of unsent posts that are not in the document although an older post still is."""
    known = {each.post.id: each for each in stored.known}
    ages = [_age(known.get(post.id), post, place, now) for place, post in enumerate(entries)]
    oldest = _oldest_end(ages)
    present = {post.id for post in entries}
    for each in stored.unsent:
        absent = each.post.id not in present and each.missed != KEPT
        if absent and oldest is not None and oldest < _age(each, each.post, each.place, now):
            yield each.post.id


def _age(stored: KnownPost | None, post: Post, place: int, now: datetime) -> tuple[datetime, datetime, int]:
    """Return a key that is smaller for older posts; without a date, a post is as old as its first sight."""
    first_seen_at = stored.post.first_seen_at if stored else now
    first_place = stored.place if stored else place
    return post.published_at or first_seen_at, first_seen_at, -first_place


def _oldest_end(ages: Sequence[tuple[datetime, datetime, int]]) -> tuple[datetime, datetime, int] | None:
    """Return the age of the entry at the end where the document has its oldest ones; None if it has no order.

    The minimum would be wrong: many sites keep an old post at the top, and below it, posts come and go.
    """
    pairs = list(pairwise(ages))
    if 3 * sum(one >= other for one, other in pairs) >= 2 * len(pairs):
        return ages[-1] if ages else None
    if 3 * sum(one <= other for one, other in pairs) >= 2 * len(pairs):
        return ages[0]
    return None
