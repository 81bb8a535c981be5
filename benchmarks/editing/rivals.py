"""Other ways to place posts and to join stories: the simplest that could work, to compare with."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import combinations

from benchmarks.editing.labelled import LabelledPost
from digest.model.tags import fold

MOST = 8  # headings
_DAYS = timedelta(days=3)


def first_tag(posts: Sequence[LabelledPost]) -> dict[str, str]:
    """Return each post under its first tag, if another post begins with it too."""
    firsts = {post.id: fold(post.tags[0]) for post in posts if post.tags}
    return largest(firsts)


def greedy_tags(posts: Sequence[LabelledPost]) -> dict[str, str]:
    """Return each post under a tag that it shares; eight times, the tag with the most posts is taken."""
    carriers: dict[str, dict[str, None]] = defaultdict(dict)
    for post in posts:
        for tag in post.tags:
            carriers[fold(tag)][post.id] = None
    placed: dict[str, str] = {}
    for _ in range(MOST):
        free = {tag: [each for each in ids if each not in placed] for tag, ids in carriers.items()}
        best = max(free, key=lambda tag: len(free[tag]), default="")
        if len(free.get(best, ())) < 2:
            break
        placed |= dict.fromkeys(free[best], best)
    return placed


def largest(headings: dict[str, str]) -> dict[str, str]:
    """Return the posts of the eight largest headings, without headings of one post."""
    sizes = Counter(headings.values())
    kept = {heading for heading, size in sizes.most_common(MOST) if size > 1}
    return {post: heading for post, heading in headings.items() if heading in kept}


def strict_titles(posts: Sequence[LabelledPost]) -> set[frozenset[str]]:
    """Return the pairs of posts of two feeds whose titles have the same words, within three days."""
    return {
        frozenset((one.id, other.id))
        for one, other in combinations(posts, 2)
        if one.feed != other.feed and abs(one.at - other.at) <= _DAYS and _words(one) == _words(other)
    }


def _words(post: LabelledPost) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", post.title.casefold()))
