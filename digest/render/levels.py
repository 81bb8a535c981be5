"""Decide how much of each story an email shows: its levels, by the number of stories and their rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from digest.collect.reading.prose import cut, sentences
from digest.model.editions import Edition, Section, Story
from digest.model.publication import Style

SHORT = 3  # so many stories are composed without topics and rules
WIDE = 260  # pixels of a feature's picture at least, if its width is known
CONTENTS = 8  # from so many stories on, an email has a list of contents
PER_TOPIC = 2  # features in one topic at the most
ABOUT = 130  # characters of a story's text
MOST = 160  # characters of its first sentence, if that is longer

_LARGE = 8  # a topic with more stories than this shows more of them in the style "brief"


class Level(StrEnum):
    """The form in which an email shows a story."""

    LEAD = "lead"  # at the top, with its whole text
    FEATURE = "feature"  # a wide picture and some sentences
    STORY = "story"  # a small picture and some sentences
    BRIEF = "brief"  # a headline in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """The places in an email: stories with some of their text, and how many of these are features."""

    shown: int
    features: int


def levels_of(edition: Edition) -> tuple[tuple[Level, ...], ...]:
    """Return the levels of the stories in each section of a reader's edition, in reading order.

    The edition's lead is always the lead. A story that stands alone is a lead too. The headlines of a section
    (`more`) are briefs, and so are the last stories of a section that are beyond the room of the email.
    """
    sections = edition.sections
    return _levels(edition.style, edition.lead is not None, tuple(_shape(each) for each in sections))


@lru_cache(maxsize=4_096)
def beginning(text: str, most: int = 0) -> str:
    """Return the first sentences of a text: at `most` so many, or as many as fit into about 130 characters.

    There is at least one; a sentence of more than 160 characters is cut at a word.
    """
    end = 0
    for number, sentence in enumerate(sentences(text)):
        longer = text.index(sentence, end) + len(sentence)
        if end and (longer > ABOUT or number == most):
            break
        end = longer
    return cut(text[:end], MOST)


_Shape = tuple[tuple[bool, ...], int]  # of a section: which of its stories can be features, and its headlines


def _shape(section: Section) -> _Shape:
    return tuple(_has_wide_picture(story) for story in section.stories), len(section.more)


def _has_wide_picture(story: Story) -> bool:
    return story.image is not None and (story.image.width or WIDE) >= WIDE


@lru_cache(maxsize=4_096)  # choices of topics have few shapes
def _levels(style: Style, led: bool, shapes: Sequence[_Shape]) -> tuple[tuple[Level, ...], ...]:
    total = led + sum(len(pictures) + more for pictures, more in shapes)
    if total == 1:
        return tuple((Level.LEAD,) * (len(pictures) + more) for pictures, more in shapes)
    shown = _shown(style, total, shapes)
    features = _features(style, total, shapes, shown)
    return tuple(
        (
            *(Level.FEATURE if (at, turn) in features else Level.STORY for turn in range(shown[at])),
            *((Level.BRIEF,) * (len(pictures) + more - shown[at])),
        )
        for at, (pictures, more) in enumerate(shapes)
    )


def _shown(style: Style, total: int, shapes: Sequence[_Shape]) -> list[int]:
    """Return how many stories of each section are shown with some of their text, from its first on."""
    full = [len(pictures) for pictures, _ in shapes]
    if style is Style.LINKS:
        return [0] * len(shapes)
    if total < CONTENTS:
        return full
    if style is Style.BRIEF:
        sizes = [len(pictures) + more for pictures, more in shapes]
        return [min(known, 5 if size > _LARGE else 3) for known, size in zip(full, sizes, strict=True)]
    shown = [0] * len(shapes)
    # Every topic shows one story at least, so that none consists of headlines only.
    room = max(_room(total).shown, sum(known > 0 for known in full))
    for at, _ in _by_rank(shapes)[:room]:
        shown[at] += 1
    return shown


def _features(
    style: Style, total: int, shapes: Sequence[_Shape], shown: Sequence[int]
) -> frozenset[tuple[int, int]]:
    """Return the features, each as the number of its section and its place there."""
    if style is not Style.NEWSPAPER:
        return frozenset()
    ranked = [(at, turn) for at, turn in _by_rank(shapes) if turn < shown[at]]
    if total <= SHORT:
        return frozenset(ranked)
    pictured = (place for place in _few_of_each(ranked, shapes))
    return frozenset(place for place, _ in zip(pictured, range(_room(total).features), strict=False))


def _few_of_each(ranked: Sequence[tuple[int, int]], shapes: Sequence[_Shape]) -> Iterator[tuple[int, int]]:
    taken = [0] * len(shapes)
    for at, turn in ranked:
        if shapes[at][0][turn] and taken[at] < PER_TOPIC:
            taken[at] += 1
            yield at, turn


def _by_rank(shapes: Sequence[_Shape]) -> list[tuple[int, int]]:
    """Return the places of all stories that are no headlines: the first of every topic, then the second, …"""
    turns = sorted((turn, at) for at, (pictures, _) in enumerate(shapes) for turn in range(len(pictures)))
    return [(at, turn) for turn, at in turns]


def _room(total: int) -> _Room:
    if total < CONTENTS:
        return _Room(shown=total, features=2)
    return _Room(shown=8, features=2) if total < 20 else _Room(shown=13, features=4)
