"""Divide the stories of an edition among headings, and a section that is too large into parts.

If one section holds most of the edition, or there are hardly any headings, the largest section is divided
into parts by its next tags. A part is only shown: the section is what readers choose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from digest.compose.sections.filing import Filing
from digest.compose.sections.headings import FEED, FEWEST, MOST, Found, Headings, Past, Story
from digest.compose.sections.learning import learn
from digest.compose.sections.lexicon import titles_of
from digest.compose.sections.names import key_of

_TOO_LARGE = 0.6  # of the edition: a larger section is divided if there are few others …
_FAR_TOO_LARGE = 0.8  # … and an even larger one in any case
_TOO_FEW = 3  # headings: with fewer, the largest section is divided …
_WORTH = 8  # … if it has so many stories
_PART = 0.08  # of the edition: a smaller part is not shown
_LEFT = 2 / 3  # of a section: if so many of its stories are in no part, it stays whole


def divide(stories: Sequence[Story], filing: Filing, past: Past) -> tuple[Found, ...]:
    """Return the headings with their stories, the largest first; stories under none of them are the rest."""
    headings = Headings(stories, filing, past)
    headings.by_section()
    headings.by_tag()
    if filing.joined:
        headings.by_subject()
        headings.by_subject()  # what it has placed tells about other feeds that cover the same stories
        headings.by_feed()
    else:
        headings.by_shared_tag()
    headings.keep_the_largest()
    return tuple(sorted(_with_parts(headings), key=headings.order))


def _with_parts(headings: Headings) -> list[Found]:
    """Return the headings, the largest of them divided into parts if it is too large or they are too few."""
    found = headings.found()
    largest = min(found, key=headings.order, default=None)
    if largest is None or largest.key.startswith(FEED) or len(largest.rules) < _WORTH:
        return found
    share = len(largest.rules) / len(headings.stories)
    if len(found) >= _TOO_FEW and share <= (_TOO_LARGE if len(found) == _TOO_FEW else _FAR_TOO_LARGE):
        return found
    return [each for each in found if each is not largest] + _parts(headings, largest, MOST - len(found))


def _parts(headings: Headings, section: Found, most: int) -> list[Found]:
    """Return a section as its parts, at most so many, and itself with the stories that are in no part."""
    numbers = list(section.rules)
    stories = [headings.stories[number] for number in numbers]
    inner = _inner(headings, section)
    parts = Headings(stories, inner, Past(tags={}, headings=headings.past.headings))
    parts.by_section()
    parts.by_tag()
    parts.by_shared_tag()
    least = max(FEWEST, math.ceil(_PART * len(headings.stories)))
    large = sorted((each for each in parts.found() if len(each.rules) >= least), key=parts.order)[:most]
    parts.placed = {number: (each.key, rule) for each in large for number, rule in each.rules.items()}
    parts.by_tag()
    found = [
        Found(
            key=f"{section.key}/{each.key}",
            name=each.name,
            rules={
                numbers[number]: f"{section.rules[numbers[number]]}, part: {rule}"
                for number, rule in each.rules.items()
            },
            section=section.key,
            section_name=section.name,
        )
        for each in parts.found()
    ]
    left = {numbers[number]: section.rules[numbers[number]] for number in parts.free()}
    whole = len(found) + bool(left) < FEWEST or len(left) > _LEFT * len(numbers)
    return [section] if whole else found + ([replace(section, rules=left)] if left else [])


def _inner(headings: Headings, section: Found) -> Filing:
    """Return how the stories of a section are filed by their next tags."""
    generic = _generic(section, headings.filing)
    lists = [
        tags
        for feed, posts in headings.past.tags.items()
        for tags in posts
        if section.key in {headings.filing.key(key) for key in headings.filing.sections(feed).keys(tags)}
    ]
    learned = learn(lists, generic)
    feeds = {waiting.feed_name for number in section.rules for waiting in headings.stories[number]}
    return Filing(learned=dict.fromkeys(feeds, learned), ignored=generic, only_tags=True)


def _generic(section: Found, filing: Filing) -> frozenset[str]:
    """Return the keys of tags that name the whole section."""
    names = [section.key, section.name, *(titles_of(section.key) if filing.joined else ())]
    keys = {key for name in names if (key := key_of(name))}
    return frozenset(keys | {f"{key}s" for key in keys})
