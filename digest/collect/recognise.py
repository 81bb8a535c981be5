"""Recognise the posts of a feed: which entries of a document are posts that are stored already.

An id (guid) is optional in RSS, ids and links repeat, and publishers change both. So an entry is compared
with the stored posts of its feed in this order, and each stored post is found by one entry at most:

1. It has the same key, unless everything else says that another post has taken over that key.
2. It has the same title, and the same time or link or text; its key has changed.
3. Most of the document has known links, or known titles with known texts: the site has moved.
4. It has nearly the same title, within days, and no entry is that post any more: it was edited.

Each step only looks at what the steps before it have left: a stored post that is still in the document under
its own key is never taken for another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from digest.collect.likeness import (
    nearly_same_title,
    other_date,
    other_text,
    same_date,
    same_title,
    shares_text,
    shares_title,
    title_words,
    within_days,
)
from digest.collect.reading.identity import has_link_as_key, own_key, post_id, same_link
from digest.model.links import canonical_url
from digest.model.posts import Post
from digest.model.tags import fold

SEVERAL = 3  # posts that must be found by their links or titles before these prove that a site has moved
_CROWD = 50  # if more titles have a word, the word does not lead to a post
_NEAREST = 5  # stored posts whose titles are compared with the title of one entry

Pairs = Iterable[tuple[int, Post]]  # an entry, by its place in the document, and a stored post


def recognise(entries: Sequence[Post], known: Sequence[Post]) -> tuple[Post | None, ...]:
    """Return the stored post that each entry is, or None for a post that is new.

    `known` are the stored posts of this feed that may be meant; the result does not depend on their order.
    """
    matching = _Matching(entries, sorted(known, key=lambda post: post.id))
    matching.take(_by_key(entries, matching.free))
    before = len(matching.found)
    matching.take(_by_facts(matching))
    moved = len(matching.found) - before
    for pairs in (_by_link(matching), _by_title_and_text(matching)):
        several = list(pairs)
        if moved + len(several) >= SEVERAL and 2 * (moved + len(several)) >= len(entries):
            matching.take(several)
    matching.take(_edited(matching))
    return tuple(matching.found.get(place) for place in range(len(entries)))


def with_keys(
    entries: Sequence[Post], found: Sequence[Post | None], known: Sequence[Post]
) -> tuple[Post, ...]:
    """Return the entries, each with an id and a key that no other post of the feed has.

    A stored post keeps its id. An entry whose key belongs to another post gets a key of its own, made from
    its link, title and date.
    """
    keys, ids = {post.key for post in known}, {post.id for post in known}
    wanted = Counter(entry.key for entry in entries)
    keyed: list[Post] = []
    for entry, stored in zip(entries, found, strict=True):
        free = entry.key not in keys
        if stored:
            renamed = free and wanted[entry.key] == 1 and stored.key != own_key(entry)
            keyed.append(replace(entry, id=stored.id, key=entry.key if renamed else stored.key))
        else:
            key = entry.key if free and entry.id not in ids else own_key(entry)
            keyed.append(replace(entry, id=post_id(entry.feed_id, key), key=key))
        keys.add(keyed[-1].key)
    return tuple(keyed)


class _Matching:
    """The entries and stored posts that have not found each other yet."""

    def __init__(self, entries: Sequence[Post], known: Iterable[Post]) -> None:
        self.entries = entries
        self.found: dict[int, Post] = {}
        self.free = {post.id: post for post in known}

    @property
    def left(self) -> list[tuple[int, Post]]:
        """Return the entries that are no stored post so far, each with its place in the document."""
        return [(place, entry) for place, entry in enumerate(self.entries) if place not in self.found]

    def take(self, pairs: Pairs) -> None:
        """Join pairs in their order, each entry and each stored post only once."""
        for place, post in pairs:
            if place not in self.found and post.id in self.free:
                self.found[place] = self.free.pop(post.id)


# ── 1. by key ───────────────────────────────────────────────────────────────────────────────


def _by_key(entries: Sequence[Post], known: dict[str, Post]) -> list[tuple[int, Post]]:
    """Return the pairs with one key, those that agree most first."""
    by_key = {post.key: post for post in known.values()}
    pairs: list[tuple[int, Post]] = []
    for place, entry in enumerate(entries):
        named = (by_key.get(entry.key), by_key.get(own_key(entry)), known.get(entry.id))
        meant = {post.id: post for post in named if post}.values()
        pairs += [(place, post) for post in meant if _keeps_its_key(entry, post)]
    return sorted(pairs, key=lambda pair: (-_agreement(entries[pair[0]], pair[1]), pair[0]))


def _agreement(entry: Post, post: Post) -> int:
    found = (same_title(entry, post), same_date(entry, post), same_link(entry, post))
    return sum(found) + (post.key in (entry.key, own_key(entry)))


def _keeps_its_key(entry: Post, post: Post) -> bool:
    """Return whether the key of an entry means the post that is stored under it.

    Some feeds give one link, or even one id, to post after post. A link alone proves less than an id.
    """
    one_page = not (entry.url and post.url) or same_link(entry, post)
    an_id = not has_link_as_key(entry)
    if shares_text(entry, post) and (an_id or shares_title(entry, post) or not other_date(entry, post)):
        return True
    if same_date(entry, post):
        return shares_title(entry, post) or (an_id and (one_page or not other_text(entry, post)))
    if same_title(entry, post) or nearly_same_title(entry, post):
        return an_id or within_days(entry, post) or not other_text(entry, post)
    if not (an_id and one_page):
        return shares_title(entry, post) and not other_date(entry, post)
    doubts = (other_date(entry, post), other_text(entry, post), not shares_title(entry, post))
    return sum(doubts) < 2


# ── 2. by title, and time or link or text ───────────────────────────────────────────────────


def _by_facts(matching: _Matching) -> Iterator[tuple[int, Post]]:
    """Yield the pairs of which enough is the same although the key is not, the surest first."""
    titles: defaultdict[str, list[Post]] = defaultdict(list)
    pages: defaultdict[str, list[Post]] = defaultdict(list)
    for post in matching.free.values():
        titles[fold(post.title)].append(post)
        if post.url and post.published_at:
            pages[f"{canonical_url(post.url)} {post.published_at}"].append(post)
    left = matching.left
    for proof in (_is_on_one_page, same_date, _has_one_text):
        yield from (
            (place, post)
            for place, entry in left
            for post in titles.get(fold(entry.title), ())
            if proof(entry, post)
        )
    for place, entry in left:
        page = f"{canonical_url(entry.url)} {entry.published_at}" if entry.url else ""
        yield from ((place, post) for post in pages.get(page, ()) if shares_title(entry, post))


def _is_on_one_page(entry: Post, post: Post) -> bool:
    return same_link(entry, post) and not other_date(entry, post)


def _has_one_text(entry: Post, post: Post) -> bool:
    return not other_date(entry, post) and shares_text(entry, post)


# ── 3. a site that has moved ────────────────────────────────────────────────────────────────


def _by_link(matching: _Matching) -> Iterator[tuple[int, Post]]:
    """Yield the pairs with one link that no other has, unless nothing else is the same."""
    for place, post in _unique(matching, lambda post: canonical_url(post.url) if post.url else ""):
        entry = matching.entries[place]
        if shares_title(entry, post) or not (other_date(entry, post) and other_text(entry, post)):
            yield place, post


def _by_title_and_text(matching: _Matching) -> Iterator[tuple[int, Post]]:
    """Yield the pairs with one title that no other has, and one text: all dates have changed."""
    pairs = _unique(matching, lambda post: fold(post.title))
    return (pair for pair in pairs if shares_text(matching.entries[pair[0]], pair[1]))


def _unique(matching: _Matching, name: Callable[[Post], str]) -> Iterator[tuple[int, Post]]:
    here = Counter(name(entry) for entry in matching.entries)
    there = Counter(name(post) for post in (*matching.free.values(), *matching.found.values()))
    stored = {name(post): post for post in matching.free.values()}
    for place, entry in matching.left:
        wanted = name(entry)
        if wanted in stored and here[wanted] == there[wanted] == 1:
            yield place, stored[wanted]


# ── 4. an edited headline ───────────────────────────────────────────────────────────────────


def _edited(matching: _Matching) -> Iterator[tuple[int, Post]]:
    """Yield the pairs in which the entry is an edited version of the stored post, the surest first."""
    free = list(matching.free.values())
    dates = Counter(post.published_at for post in (*matching.entries, *free))
    nearest = _Nearest(free)
    pairs = [(place, entry, post) for place, entry in matching.left for post in nearest.to(entry)]
    for place, entry, post in pairs:
        if same_date(entry, post) and dates[entry.published_at] == 2 and shares_title(entry, post):
            yield place, post
    for place, entry, post in pairs:
        if within_days(entry, post) and _is_edited(entry, post):
            yield place, post


def _is_edited(entry: Post, post: Post) -> bool:
    """Return whether the titles are nearly the same, and the texts do not say otherwise."""
    # The same title at another time is a column ("Photo of the day") unless the text is the same too.
    if other_date(entry, post) and same_title(entry, post):
        return shares_text(entry, post)
    return nearly_same_title(entry, post) and not other_text(entry, post)


class _Nearest:
    """Finds the stored posts that share most words with a title, without comparing all of them."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self._posts = posts
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        for number, post in enumerate(posts):
            for word in set(title_words(post)):
                self._by_word[word].append(number)

    def to(self, entry: Post) -> Iterator[Post]:
        filed = (self._by_word.get(word, []) for word in set(title_words(entry)))
        shared = Counter(number for numbers in filed if len(numbers) <= _CROWD for number in numbers)
        for number, _ in shared.most_common(_NEAREST):
            yield self._posts[number]
