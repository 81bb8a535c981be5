"""The fixed words of an edition in one language, as a value that can be kept and used again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from digest.model.editions import Edition, Story
from digest.render.languages.dates import day_and_time, direction, long_date, moment, tag
from digest.render.languages.languages import Phrases, phrases_for, words_for


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionWords:
    """The texts and dates around an edition's stories, in one language.

    `times` are the times of its stories by id, as far as they are known; `time` makes the others.
    """

    language: str
    tag: str  # for HTML's lang
    direction: str
    date: str
    phrases: Phrases
    times: Mapping[str, str] = field(default_factory=dict)
    next: str = ""  # the day and time of the next edition: "Tuesday at 7:00"

    def time(self, story: Story, edition: Edition) -> str:
        """Return the time of a story of this edition; empty if it has none."""
        known = self.times.get(story.id)
        return _time(story, edition, self.language) if known is None else known


def words_of(edition: Edition, language: str) -> EditionWords:
    """Return the words of an edition in a language, without the times of its stories."""
    return EditionWords(
        language=language,
        tag=tag(language),
        direction=direction(language),
        date=long_date(edition.local_date, language),
        phrases=phrases_for(language, edition.every),
        next=_next(edition, language),
    )


@lru_cache(maxsize=32)  # the pages of the desk ask for the same words again
def all_words_of(edition: Edition, language: str) -> EditionWords:
    """Return the words of an edition in a language, with the times of all its stories."""
    times = {story.id: _time(story, edition, language) for story in edition.stories()}
    return replace(words_of(edition, language), times=times)


def words_from(kept: Mapping[str, Any]) -> EditionWords:
    """Return the words that `asdict` once made a mapping of.

    A later version of the program may have more phrases; these come from that version.
    """
    phrases = phrases_for(kept["language"]).replaced(kept["phrases"])
    return EditionWords(**{**kept, "phrases": phrases})


def _next(edition: Edition, language: str) -> str:
    if edition.next_at is None:
        return ""
    day, time = day_and_time(edition.next_at, now=edition.send_at, zone=edition.zone, language=language)
    return words_for(language)("{days} at {time}", days=day, time=time)


def _time(story: Story, edition: Edition, language: str) -> str:
    if story.published_at is None:
        return ""
    return moment(story.published_at, day=edition.local_date, zone=edition.zone, language=language)
