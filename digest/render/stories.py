"""Turn stories into values for templates: their rows, other reports, images, and the time to read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import zip_longest
from math import ceil

from digest.model.editions import Coverage, Section, Source, Story
from digest.model.links import small_picture_url, web_url
from digest.model.posts import Image
from digest.render.levels import Level
from digest.render.values import CoverageValues, ImageValues, SectionValues, SourceValues, StoryValues
from digest.render.writing.text import width
from subscribers.text import one_line

STORY_BOX = (96, 96)
THUMB_BOX = (120, 120)  # for templates that do not know levels
HEADLINES = 5  # in the list at the top
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(
    ["the", "a", "an", "der", "die", "das", "ein", "eine", "el", "la", "los", "las", "un", "una"]
)
_WORDS_A_MINUTE = 230
_GUESS = 2 / 3  # the height of an image, as a share of its width, if the feed does not give its size


def rows_of(stories: Sequence[StoryValues]) -> tuple[tuple[StoryValues, ...], ...]:
    """Return the rows of an email: two features that follow each other, or one story.

    Briefs have no rows. A feature with a picture and one without would not fit side by side.
    """
    rows: list[tuple[StoryValues, ...]] = []
    for story in stories:
        before = rows[-1] if rows else ()
        if story.level == Level.FEATURE and [(one.level, one.image is None) for one in before] == [
            (story.level, story.image is None)
        ]:
            rows[-1] = *before, story
        elif story.level in (Level.FEATURE, Level.STORY):
            rows.append((story,))
    return tuple(rows)


def together(sections: Sequence[SectionValues]) -> SectionValues:
    """Return the stories of some sections as one group without a title."""
    shown = [story for section in sections for row in section.rows for story in row]
    briefs = tuple(story for section in sections for story in section.briefs)
    return SectionValues(
        slug=sections[0].slug,
        title="",
        stories=tuple(story for section in sections for story in section.stories),
        more=tuple(story for section in sections for story in section.more),
        rows=rows_of(shown),
        briefs=briefs,
        count=len(shown) + len(briefs),
        first=next(iter((*shown, *briefs)), None),
    )


def have_one_source(stories: Sequence[StoryValues]) -> bool:
    """Return whether several stories come from one source, which then needs to be named only once."""
    return len(stories) > 1 and len({story.source for story in stories}) == 1


def minutes_of(stories: Iterable[Story]) -> int:
    """Return the minutes that reading these stories takes, rounded up."""
    return max(1, ceil(sum(_length(story.title, story.blurb) for story in stories) / _WORDS_A_MINUTE))


@lru_cache(maxsize=4_096)  # each choice of topics asks again
def _length(title: str, blurb: str) -> float:
    """Return the number of words; in scripts without spaces between words, a word has two letters."""
    text = f"{title} {blurb}"
    return len(text.split()) + (0 if text.isascii() else (width(text) - len(text)) / 2)


def also_of(story: Story) -> tuple[SourceValues, ...]:
    """Return the other sources of a story, and those whose headline is the same."""
    same = (Source(name=each.source, url=each.url) for each in _others(story) if _says(each, story))
    return tuple(
        SourceValues(name=one_line(also.name), url=web_url(also.url)) for also in (*story.also, *same)
    )


def coverage_of(story: Story) -> tuple[CoverageValues, ...]:
    """Return the other headlines of a story."""
    return tuple(
        CoverageValues(title=one_line(each.title), source=one_line(each.source), url=web_url(each.url))
        for each in _others(story)
        if not _says(each, story)
    )


def _others(story: Story) -> tuple[Coverage, ...]:
    """Return the first report of each other feed."""
    first: dict[str, Coverage] = {}
    for each in story.coverage:
        first.setdefault(each.source, each)
    return tuple(first.values())


def _says(other: Coverage, story: Story) -> bool:
    """Return whether a headline is the story's own but for case, punctuation and a leading article.

    An editor's own story has no source, so that there would be nothing to show but its headline.
    """
    return bool(other.source) and _plain(other.title) == _plain(story.title)


def _plain(title: str) -> list[str]:
    words = _WORD.findall(title.casefold())
    return words[1:] if words[:1] and words[0] in _ARTICLES else words


def headlines_of(sections: Sequence[Section]) -> tuple[Story, ...]:
    """Return the stories of the list at the top: the first of every topic, then the second, and so on.

    They are in reading order. A short edition has no list, because the list would only repeat everything.
    """
    stories = [story for section in sections for story in (*section.stories, *section.more)]
    if len(stories) < HEADLINES:
        return ()
    rounds = zip_longest(*(section.stories for section in sections))
    chosen = [story.id for turn in rounds for story in turn if story is not None][:HEADLINES]
    return tuple(story for story in stories if story.id in chosen)


def image_of(image: Image | None, box: tuple[int, int], base_url: str) -> ImageValues | None:
    """Return an image that fits into `box` (pixels), or None if it has no usable address."""
    url = web_url(image.url) if image else None
    if image is None or url is None:
        return None
    width, height = _fit(image, box)
    small = small_picture_url(url, base_url)
    if box in (STORY_BOX, THUMB_BOX) and small != url:  # the small version of our copies is a square
        return ImageValues(url=small, alt=one_line(image.alt), width=box[0], height=box[1])
    return ImageValues(url=url, alt=one_line(image.alt), width=width, height=height)


def _fit(image: Image, box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size inside `box` that keeps the image's shape and does not enlarge the image."""
    width = image.width or box[0]
    height = image.height if image.width and image.height else width * _GUESS
    scale = min(box[0] / width, box[1] / height, 1)
    return max(1, round(width * scale)), max(1, round(height * scale))
