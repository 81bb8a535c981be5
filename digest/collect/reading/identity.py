"""Make the keys, ids and fingerprints of posts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from digest.model.links import canonical_url
from digest.model.posts import Post
from digest.model.tags import fold

KEY = 500  # characters; a longer key is replaced by its hash
# The number of the rules that clean posts. A new number is needed if they make other words of the same entry,
# because the difference is then no edit of the publisher.
RULES = 2


def bounded(key: str) -> str:
    """Return a key, or its hash if it is too long."""
    return key if len(key) <= KEY else hash_of(key)


def own_key(post: Post) -> str:
    """Return a key for a post whose id or link another post of its feed has too."""
    link = canonical_url(post.url) if post.url else ""
    return hash_of("\n".join([post.key, link, fold(post.title), str(post.published_at)]))


def has_link_as_key(post: Post) -> bool:
    """Return whether the feed gives no other identifier of a post than its link."""
    return post.url is not None and post.key == bounded(canonical_url(post.url))


def same_link(one: Post, other: Post) -> bool:
    """Return whether both posts have a link, and it leads to the same page."""
    return bool(one.url and other.url) and canonical_url(one.url or "") == canonical_url(other.url or "")


def without_doubles(posts: Iterable[Post]) -> tuple[Post, ...]:
    """Return the entries of one document, each only once; different entries may still have one key.

    Ids are optional and links repeat, so entries with one key are one post only if nothing tells them apart.
    """
    seen: set[tuple[object, ...]] = set()
    kept: list[Post] = []
    for post in posts:
        signs = _signs(post)
        if seen.isdisjoint(signs):
            kept.append(post)
        seen.update(signs)
    return tuple(kept)


def _signs(post: Post) -> tuple[tuple[object, ...], ...]:
    """Return what a double of a post has too, besides its key and link: two of title, date and text."""
    page = post.key, canonical_url(post.url) if post.url else None
    title, date = ("title", fold(post.title)), ("date", post.published_at)
    if has_link_as_key(post):
        return ((*page, title, date),)
    return (*page, title, date), (*page, title, post.blurb), (*page, date, post.blurb)


def post_id(feed_id: str, key: str) -> str:
    """Return the id of a post; it is always the same for the same entry of the same feed."""
    return hash_of(f"{feed_id}\n{key}")[:24]


def fingerprint(post: Post) -> str:
    """Return a hash of the content that a reader sees; it changes when the post is edited."""
    image = post.image.url.partition("?")[0] if post.image else None  # sizes and signatures change daily
    via = [post.via.name, post.via.url] if post.via else []
    seen = [post.title, post.blurb, post.url, post.author, image, post.tags, *via]
    return f"{RULES}-{hash_of(json.dumps(seen, ensure_ascii=False))[:32]}"


def same_rules(one: Post, other: Post) -> bool:
    """Return whether two versions of a post were cleaned by the same rules, so that they can be compared."""
    return _rules(one) == _rules(other)


def _rules(post: Post) -> str:
    return post.fingerprint.rpartition("-")[0]  # versions before 2 wrote no number


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal; the text may contain any characters."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
