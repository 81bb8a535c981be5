"""Choose the picture of a post among those that its feed offers, and keep the others with the reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from digest.collect.fetching.addresses import leads_inside
from digest.collect.reading.identity import fingerprint
from digest.collect.reading.pictures.offers import WIDEST, Picture, is_convertible, sized, usefulness
from digest.collect.reading.pictures.reasons import Joined, is_doubtful, reason_against
from digest.collect.reading.pictures.sizes import without_size
from digest.collect.reading.prose import feed_line
from digest.model.posts import Candidate, Image, Post

KEPT = 6  # candidates of one post, and as many that are left out
_ALT = 200  # characters
_FILE_NAME = re.compile(
    r"[\w.-]+\.(jpe?g|png|gif|webp|avif)|(img|dsc|image|screenshot|photo)[-_ ]?[\d_-]*",
    re.IGNORECASE,
)
COMMON_POSTS = 3  # a picture of so many posts of a feed …
COMMON_SHARE = 0.1  # … and of this share of them is the feed's default, and says nothing about a post
MANY_POSTS = 5  # so many are enough, whatever their share
WARNED = "its post has a content warning"
COMMON = "it is a default: many posts of the feed have it"


def candidates(groups: Iterable[Iterable[Picture]], page: str | None = None) -> tuple[Candidate, ...]:
    """Return the pictures that may be shown with a post, best first, then those that may not, with reasons.

    The best groups come first. A picture that is offered in several sizes is one candidate: its best version,
    with what all of them say. `page` is the address of the post.
    """
    judged = [(joined, reason_against(joined, page)) for joined in _joined(groups)]
    fitting = [joined for joined, reason in judged if not reason]
    fitting.sort(key=lambda joined: (is_doubtful(joined, page), joined.place, _in_group(joined)))
    left_out = [replace(_candidate(joined), reason=reason) for joined, reason in judged if reason]
    return (*map(_candidate, fitting[:KEPT]), *left_out[:KEPT])


def image_of(found: Iterable[Candidate]) -> Image | None:
    """Return the first candidate that emails can show as it is; WebP and AVIF need a copy."""
    for each in found:
        if not each.reason and not each.convert:
            return Image(url=each.url, alt=each.alt, width=each.width, height=each.height)
    return None


def without_common(posts: Sequence[Post]) -> tuple[Post, ...]:
    """Return the posts of a document without the pictures that are common to many of them."""
    names = [{without_size(each.url) for each in post.pictures if not each.reason} for post in posts]
    shown = Counter(name for found in names for name in found)
    least = min(max(COMMON_POSTS, COMMON_SHARE * len(posts)), MANY_POSTS)
    common = {name for name, times in shown.items() if times >= least}
    return tuple(_without(post, common) for post in posts)


def _without(post: Post, common: set[str]) -> Post:
    found = [
        replace(each, reason=COMMON) if not each.reason and without_size(each.url) in common else each
        for each in post.pictures
    ]
    found.sort(key=lambda each: bool(each.reason))
    cleaned = replace(post, pictures=tuple(found), image=image_of(found))
    return replace(cleaned, fingerprint=fingerprint(cleaned))


def _joined(groups: Iterable[Iterable[Picture]]) -> list[Joined]:
    """Join what the elements of a post say about one picture."""
    places: dict[str, list[tuple[int, Picture]]] = {}
    for place, group in enumerate(groups):
        for picture in group:
            places.setdefault(without_size(picture.url), []).append((place, sized(picture)))
    return [_join(found) for found in places.values()]


def _join(found: Sequence[tuple[int, Picture]]) -> Joined:
    pictures = tuple(picture for _, picture in found)
    best = max(pictures, key=usefulness)
    same = [each for each in pictures if each.url == best.url and each.width]
    size = (best.width, best.height) if best.width or not same else (same[0].width, same[0].height)
    alt = max((each.alt for each in pictures if not _FILE_NAME.fullmatch(each.alt)), key=len, default="")
    kind = best.kind or next((each.kind for each in pictures if each.url == best.url and each.kind), "")
    in_text = Counter(place for place, picture in found if picture.from_text and not picture.twin)
    return Joined(
        picture=replace(best, width=size[0], height=size[1], alt=alt, kind=kind),
        pictures=pictures,
        place=min(place for place, _ in found),
        times=max(in_text.values(), default=0),
    )


def _in_group(joined: Joined) -> tuple[bool, int]:
    """Return the rank in a group: of those that a feed names, the widest goes first; in a text, the first."""
    picture = joined.picture
    shown, width = usefulness(picture)
    return (False, 0) if picture.from_text else (not shown, -(width if picture.width else WIDEST))


def _candidate(joined: Joined) -> Candidate:
    picture = joined.picture
    return Candidate(
        url=picture.url,
        alt=feed_line(picture.alt, _ALT),
        width=picture.width,
        height=picture.height,
        convert=is_convertible(picture.url, picture.kind) or leads_inside(picture.url),
    )
