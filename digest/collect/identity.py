"""Recognise posts whose ids a publisher has changed, so that nothing old is mailed as new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from digest.links import canonical_url
from digest.model import Post
from digest.tags import fold

_SEVERAL = 3  # posts found again by their links, before a change of ids is believed by links alone


def keep_known(posts: Sequence[Post], known: Sequence[Post]) -> tuple[Post, ...]:
    """Return `posts`, those that are known under another id with the id the ledger has.

    A link alone proves little, for some feeds give every post the same one. It counts when it is the
    link of one post only, here and in the ledger, and either the title and date are the same too or
    at least three posts, and half the document, are found again like this.
    """
    found = _by_link(posts, known)
    moved = len(found) >= _SEVERAL and 2 * len(found) >= len(posts)
    return tuple(
        replace(post, id=found[post.key].id)
        if post.key in found and (moved or _alike(post, found[post.key]))
        else post
        for post in posts
    )


def _by_link(posts: Sequence[Post], known: Sequence[Post]) -> dict[str, Post]:
    """Map keys of unknown posts to the one known post with that link which the document lacks."""
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
