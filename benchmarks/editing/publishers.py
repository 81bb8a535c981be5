"""Write the posts of invented blogs whose sections are known. Their words are in `blogs.toml`.

The same file gives the same posts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.editing.labelled import Blog, LabelledPost
from digest.model.tags import slug

END = datetime(2026, 11, 22, 6, tzinfo=UTC)
_POSTS = 300  # of each blog
_EVERY = timedelta(hours=4)  # a blog has a post
_UMBRELLA = 0.25  # of the posts are also in the category that means nothing
_SYLLABLES = (
    (
        "Mar",
        "Tes",
        "Bren",
        "Cal",
        "Dov",
        "Eld",
        "Fen",
        "Gar",
        "Hol",
        "Ive",
        "Lin",
        "Nor",
        "Orr",
        "Pel",
        "Ros",
    ),
    ("a", "an", "e", "el", "en", "er", "i", "in", "o", "ol", "or", "u", "um", "y", "ys"),
    ("bec", "by", "cote", "dale", "der", "ford", "ham", "ley", "low", "mere", "sin", "stead", "ton", "wick"),
)


class Order(StrEnum):
    """The order in which a feed writes the categories and tags of a post."""

    CATEGORIES = "categories"  # categories, then tags, both by name
    AUTHOR = "author"  # categories, then tags, as they were typed
    TAGS = "tags"  # no categories; the author often types the main subject first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A table of `blogs.toml`, which explains the keys."""

    name: str
    language: str
    order: Order
    second: float
    everywhere: Sequence[str]
    sections: Mapping[str, Sequence[str]]
    umbrella: str | None = None


def blogs(*orders: Order) -> list[Blog]:
    """Return the blogs whose feeds write their tags in one of `orders`."""
    plans = [_Plan(**table) for table in tables("blogs.toml", "blog")]
    return [_blog(plan) for plan in plans if plan.order in orders]


def order_lost(blog: Blog, *, by_name: bool) -> Blog:
    """Return the blog with each list of tags sorted by name, or shuffled."""
    random = Random(blog[0].feed)
    return [
        replace(
            post,
            tags=tuple(
                sorted(post.tags, key=str.casefold) if by_name else random.sample(post.tags, len(post.tags))
            ),
        )
        for post in blog
    ]


def tables(file: str, key: str) -> list[dict[str, Any]]:
    """Return the tables `[[key]]` of a file beside this module."""
    found = tomllib.loads((Path(__file__).parent / file).read_text("utf-8"))[key]
    assert isinstance(found, list)
    return found


def invented_place(random: Random) -> str:
    """Return two names that hardly any other post has, so that no two posts look like one story."""
    return " ".join("".join(map(random.choice, _SYLLABLES)) for _ in range(2))


# ── one blog ────────────────────────────────────────────────────────────────────────────────


def _blog(plan: _Plan) -> Blog:
    random = Random(plan.name)
    home = f"https://{slug(plan.name)}.example.org"
    return [
        _post(plan, f"{home}/{number}", END - _EVERY * (_POSTS - number), random) for number in range(_POSTS)
    ]


def _post(plan: _Plan, url: str, at: datetime, random: Random) -> LabelledPost:
    sections = _sections(plan, random)
    tags = _tags(plan, sections, random)
    place = invented_place(random)
    labels = [section for section in sections if section != plan.umbrella]
    return LabelledPost(
        feed=plan.name,
        title=f"{place}: {tags[0]}",
        blurb=f"{place}, {invented_place(random)}.",
        url=url,
        tags=tuple(_listed(plan.order, sections, tags, random)),
        sections=tuple(sorted(labels, key=str.casefold) if plan.order == Order.CATEGORIES else labels),
        at=at,
        language=plan.language,
    )


def _sections(plan: _Plan, random: Random) -> list[str]:
    names = list(plan.sections)
    weights = [1 / (place + 2) for place in range(len(names))]  # a few are large, and most are small
    chosen = random.choices(names, weights)
    if random.random() < plan.second:
        chosen += random.choices(names, weights)
    if plan.umbrella and random.random() < _UMBRELLA:
        chosen.append(plan.umbrella)
    return list(dict.fromkeys(chosen))


def _tags(plan: _Plan, sections: Sequence[str], random: Random) -> list[str]:
    tags = random.sample(plan.sections[sections[0]], random.randint(1, 2))
    tags += random.sample(plan.everywhere, random.choice((0, 1, 1, 2)))
    if random.random() < 0.06:  # another section's name as a tag
        tags.append(random.choice(list(plan.sections)))
    return [tag for tag in dict.fromkeys(tags) if tag not in sections]


def _listed(order: Order, sections: Sequence[str], tags: Sequence[str], random: Random) -> Iterable[str]:
    match Order(order):
        case Order.CATEGORIES:
            return [*sorted(sections, key=str.casefold), *sorted(tags, key=str.casefold)]
        case Order.AUTHOR:
            return [*sections, *tags]
        case Order.TAGS:
            every = [*sections, *tags] if random.random() < 0.8 else tags
            return every if random.random() < 0.6 else random.sample(every, len(every))
