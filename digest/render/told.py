"""Make of an edition the values templates see: cleaned, dated, with safe links and sized images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from digest.links import web_url
from digest.model import Edition, Image, ReaderLinks, Section, Story
from digest.render.dates import direction, long_date, moment, tag
from digest.render.phrases import phrases_for
from digest.render.spoken import spoken
from digest.render.values import (
    ChoiceValues,
    EditionValues,
    ImageValues,
    LineValues,
    PageLinks,
    PageValues,
    ReaderValues,
    SectionValues,
    SourceValues,
    StoryValues,
    as_mapping,
    site_values,
)
from subscribers.text import one_line

LEAD_BOX = (592, 480)  # the width of the column inside its padding; what is taller is made narrower
THUMB_BOX = (120, 120)
HEADLINES = 5  # in the list at the top
_KEPT = 10_000
_UNCLAIMED = "catch-all"  # the rule of a story that no topic claims
_GUESS = 2 / 3  # height of an image whose size the feed does not tell


def mail_values(
    edition: Edition, told: Told, links: ReaderLinks, *, subject: str, preheader: str, web: str | None
) -> dict[str, object]:
    """Return all that a mail template may use, by name. The web copy it leads to is in its own language."""
    if web is not None and told.language != edition.language:
        web = f"{web}?language={told.language}"
    shared = edition_values(edition, told, subject=subject, preheader=preheader, web=web)
    return as_mapping(shared) | as_mapping(reader_values(edition, told, links))


def page_values(
    edition: Edition, told: Told, links: PageLinks, *, subject: str, preheader: str
) -> dict[str, object]:
    """Return all that the template of the web copy may use, by name."""
    shared = edition_values(edition, told, subject=subject, preheader=preheader, web=links.web)
    page = PageValues(
        stylesheet=links.stylesheet,
        archive_url=web_url(links.archive),
        subscribe_url=web_url(links.subscribe),
        feed_url=web_url(links.feed),
        home_url=links.home or told.site.url,
        choices=links.choices,
        published=links.published_at.isoformat(timespec="seconds")
        if links.published_at
        else edition.local_date.isoformat(),
    )
    return as_mapping(shared) | as_mapping(page)


def line_values(edition: Edition, told: Told | None = None) -> LineValues | None:
    """Return what the subject and preheader lines see; None for an edition without stories."""
    told = told or Told(edition)
    first = next(edition.stories(), None)
    if first is None:
        return None
    topics = told.topics(edition)
    titles = tuple(told.title(story) for story in edition.stories())
    return LineValues(
        title=told.name,
        date=told.date,
        count=len(titles),
        lead=told.story(first, topics, LEAD_BOX),
        titles=titles,
        topics=tuple(told.title(section) for section in edition.sections),
        site=told.site,
    )


def edition_values(
    edition: Edition, told: Told, *, subject: str, preheader: str, web: str | None
) -> EditionValues:
    """Return what mail and web copy share. `web` is the address of the copy, if there is one."""
    return EditionValues(
        title=told.name,
        date=told.date,
        iso_date=edition.local_date.isoformat(),
        language=tag(told.language),
        direction=direction(told.language),
        content_language=tag(edition.language),
        content_direction=direction(edition.language),
        site=told.site,
        phrases=phrases_for(told.language),
        web_url=web_url(web),
        **choice_values(edition, told, subject=subject, preheader=preheader),
    )


def choice_values(chosen: Edition, told: Told, *, subject: str, preheader: str) -> ChoiceValues:
    """Return what a choice of topics makes of an edition, with the values `told` has kept of others."""
    topics = told.topics(chosen)
    return {
        "subject": subject,
        "preheader": preheader,
        "lead": told.story(chosen.lead, topics, LEAD_BOX) if chosen.lead else None,
        "headlines": tuple(told.story(story, topics) for story in _headlines(chosen.sections)),
        "sections": tuple(told.section(section, topics) for section in chosen.sections),
        "count": sum(1 for _ in chosen.stories()),
    }


def reader_values(edition: Edition, told: Told, links: ReaderLinks) -> ReaderValues:
    """Return what differs between readers. The links pass unchanged, for they may be placeholders."""
    start, end = _sides(told.language)
    return ReaderValues(
        unsubscribe=links.unsubscribe,
        preferences=links.preferences,
        start=start,
        end=end,
        content_start=_sides(edition.language)[0],
    )


class Told:
    """What one edition tells, cleaned and dated, each thing once however many choices of topics ask for it.

    Whatever a choice leaves of the edition may ask; equal answers are then the same object. Dates are
    written for a reader who wants `language`; see `spoken`.
    """

    def __init__(self, edition: Edition, language: str = "") -> None:
        self._edition = edition
        self.language = spoken(language, edition.language)
        self.name = one_line(edition.title)
        self.date = long_date(edition.local_date, self.language)
        self.site = site_values(edition.site)
        self._lines: dict[str, str] = {}
        # Known by ids, so stories are kept with what was made of them, lest others get their ids.
        self._stories: dict[tuple[int, tuple[int, int], str], tuple[Story, StoryValues]] = {}
        self._known: dict[int, _Known] = {}
        self._sections: dict[tuple[object, ...], tuple[Section, SectionValues]] = {}

    def topics(self, chosen: Edition) -> dict[str, str]:
        """Return the titles of the topics that are left, by slug."""
        return {section.slug: self.title(section) for section in chosen.sections}

    def title(self, what: Story | Section) -> str:
        """Return the title of a story or a section as one clean line."""
        if what.title not in self._lines:
            self._lines[what.title] = one_line(what.title)
        return self._lines[what.title]

    def section(self, section: Section, topics: Mapping[str, str]) -> SectionValues:
        """Return a section, its stories with the titles of the `topics` that are left."""
        known = self._known.get(id(section))
        if known is None:
            self._make_room()
            known = self._known[id(section)] = _Known(section)
        key = known.key, *map(topics.get, known.topics)
        told = self._sections.get(key)
        if told is None:
            told = self._sections[key] = section, self._section(section, topics)
        return told[1]

    def story(self, story: Story, topics: Mapping[str, str], box: tuple[int, int] = THUMB_BOX) -> StoryValues:
        """Return a story with an image that fits into `box`."""
        topic = "" if story.rule == _UNCLAIMED else topics.get(story.topic, "")
        key = id(story), box, topic
        told = self._stories.get(key)
        if told is None:
            self._make_room()
            told = self._stories[key] = story, self._story(story, topic, box)
        return told[1]

    def _section(self, section: Section, topics: Mapping[str, str]) -> SectionValues:
        return SectionValues(
            slug=section.slug,
            title=self.title(section),
            stories=tuple(self.story(story, topics) for story in section.stories),
            more=tuple(self.story(story, topics) for story in section.more),
        )

    def _make_room(self) -> None:
        for kept in (self._lines, self._stories, self._known, self._sections):
            if len(kept) >= _KEPT:
                kept.clear()

    def _story(self, story: Story, topic: str, box: tuple[int, int]) -> StoryValues:
        return StoryValues(
            title=self.title(story),
            blurb=one_line(story.blurb),
            url=web_url(story.url),
            source=one_line(story.source),
            author=one_line(story.author or ""),
            time=self._time(story),
            topic=topic,
            image=_image(story.image, box),
            also=tuple(SourceValues(name=one_line(also.name), url=web_url(also.url)) for also in story.also),
        )

    def _time(self, story: Story) -> str:
        if story.published_at is None:
            return ""
        edition = self._edition
        return moment(story.published_at, day=edition.local_date, zone=edition.zone, language=self.language)


class _Known:
    """A section, by what two must have in common to come to the same, and the topics its stories name."""

    __slots__ = ("key", "section", "topics")

    def __init__(self, section: Section) -> None:
        stories = (*section.stories, *section.more)
        self.section = section  # lest another get its id
        self.key = section.slug, section.title, len(section.stories), *map(id, stories)
        self.topics = tuple({story.topic: None for story in stories})


def _headlines(sections: Sequence[Section]) -> tuple[Story, ...]:
    """Choose the list at the top: the first of every topic, then the second of every topic, and so on.

    They stand in reading order. A short edition has no list: it would only say everything twice.
    """
    told = [story for section in sections for story in (*section.stories, *section.more)]
    if len(told) < HEADLINES:
        return ()
    rounds = zip_longest(*(section.stories for section in sections))
    chosen = [story.id for turn in rounds for story in turn if story is not None][:HEADLINES]
    return tuple(story for story in told if story.id in chosen)


def _sides(language: str) -> tuple[str, str]:
    """Return the sides at which lines of a language start and end."""
    return ("right", "left") if direction(language) == "rtl" else ("left", "right")


def _image(image: Image | None, box: tuple[int, int]) -> ImageValues | None:
    url = web_url(image.url) if image else None
    if image is None or url is None:
        return None
    width, height = _fit(image, box)
    return ImageValues(url=url, alt=one_line(image.alt), width=width, height=height)


def _fit(image: Image, box: tuple[int, int]) -> tuple[int, int]:
    """Return the size that keeps the image's shape inside `box` and never blows it up."""
    width = image.width or box[0]
    height = image.height if image.width and image.height else width * _GUESS
    scale = min(box[0] / width, box[1] / height, 1)
    return max(1, round(width * scale)), max(1, round(height * scale))
