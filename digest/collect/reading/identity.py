"""Make the ids and fingerprints of posts, and recognise posts whose ids a publisher has changed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from digest.model.links import canonical_url
from digest.model.posts import Post
from digest.model.tags import fold

_SEVERAL = 3  # posts that must be found by their links before links alone prove a change of ids


def keep_known(posts: Sequence[Post], known: Sequence[Post]) -> tuple[Post, ...]:
    """Return `posts`; a post that is stored under another id gets that id, so that it is not mailed again.

    A link counts if only one post has it, in the document and in the database, and if the title and date are
    the same too, or at least three posts, and half the document, are found by their links.
    """
    # A link alone proves little, because some feeds give every post the same link.
    found = _by_link(posts, known)
    moved = len(found) >= _SEVERAL and 2 * len(found) >= len(posts)
    return tuple(
        replace(post, id=found[post.key].id)
        if post.key in found and (moved or _alike(post, found[post.key]))
        else post
        for post in posts
    )


def _by_link(posts: Sequence[Post], known: Sequence[Post]) -> dict[str, Post]:
    """Return the stored post for the key of each unknown post: the one with its link, if only one has it."""
    present = {post.key for post in posts}
    keys = {one.key for one in known}
    here = Counter(canonical_url(post.url) for post in posts if post.url)
    linked = [(canonical_url(one.url), one) for one in known if one.url]
    there = Counter(link for link, _ in linked)
    missing = {link: one for link, one in linked if one.key not in present}
    found = {}
    for post in posts:
        link = canonical_url(post.url) if post.url else ""
        if link in missing and post.key not in keys and here[link] == there[link] == 1:
            found[post.key] = missing[link]
    return found


def _alike(post: Post, known: Post) -> bool:
    dates = {post.published_at, known.published_at} - {None}
    return fold(post.title) == fold(known.title) and len(dates) <= 1


def post_id(feed_id: str, key: str) -> str:
    """Return the id of a post; it is always the same for the same entry of the same feed."""
    return hash_of(f"{feed_id}\n{key}")[:24]


def fingerprint(post: Post) -> str:
    """Return a hash of the content that a reader sees; it changes when the post is edited."""
    image = post.image.url.partition("?")[0] if post.image else None  # sizes and signatures change daily
    seen = [post.title, post.blurb, post.url, post.author, image, post.tags]
    return hash_of(json.dumps(seen, ensure_ascii=False))[:32]


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal; the text may contain any characters."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
