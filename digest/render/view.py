"""Turn an edition into the values for templates: clean texts, dates in words, safe links, sized images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from zoneinfo import ZoneInfo

from digest.model.editions import Correction, Edition, Every, Section, Story
from digest.model.links import web_url
from digest.model.messages import ReaderLinks
from digest.model.publication import Style
from digest.render.brand.palette import topic_colour
from digest.render.languages.dates import direction, long_date, tag
from digest.render.languages.edition_words import EditionWords, words_of
from digest.render.languages.languages import spoken, words_for
from digest.render.levels import CONTENTS, SHORT, Level, levels_of
from digest.render.stories import (
    STORY_BOX,
    THUMB_BOX,
    also_of,
    coverage_of,
    have_one_source,
    headlines_of,
    image_of,
    minutes_of,
    rows_of,
    together,
)
from digest.render.values import (
    ChoiceValues,
    ColourValues,
    CorrectionValues,
    EditionValues,
    LineValues,
    PageLinks,
    PageValues,
    ReaderValues,
    SectionValues,
    SourceValues,
    SponsorValues,
    StoryValues,
    as_mapping,
    brand_values,
    site_values,
)
from digest.render.writing.markdown import marked_text
from subscribers.text import one_line

LEAD_BOX = (576, 432)  # the width of the column without its padding; taller images are made narrower
FEATURE_BOX = (260, 260)
BOXES = {Level.LEAD: LEAD_BOX, Level.FEATURE: FEATURE_BOX, Level.STORY: STORY_BOX, Level.BRIEF: STORY_BOX}
_KEPT = 10_000  # entries of each cache
_UNCLAIMED = "catch-all"  # the rule of a story under no topic


def email_values(
    edition: Edition, view: EditionView, links: ReaderLinks, *, subject: str, preheader: str, web: str | None
) -> dict[str, object]:
    """Return all values for an email template, by name. Its links to our pages keep the language."""
    web = _in_language(web, edition, view)
    shared = edition_values(edition, view, subject=subject, preheader=preheader, web=web)
    return as_mapping(shared) | as_mapping(reader_values(edition, view, links))


def _in_language(url: str | None, edition: Edition, view: EditionView) -> str | None:
    """Return the address of one of our pages in the reader's language."""
    return f"{url}?language={view.language}" if url and view.language != edition.language else url


def page_values(
    edition: Edition,
    view: EditionView,
    links: PageLinks,
    *,
    subject: str,
    preheader: str,
    corrections: Sequence[Correction] = (),
) -> dict[str, object]:
    """Return all values for the template of the web copy, by name."""
    shared = edition_values(edition, view, subject=subject, preheader=preheader, web=links.web)
    page = PageValues(
        stylesheet=links.stylesheet,
        archive_url=web_url(links.archive),
        subscribe_url=web_url(links.subscribe),
        feed_url=web_url(links.feed),
        home_url=links.home or view.site.url,
        choices=links.choices,
        published=links.published_at.isoformat(timespec="seconds")
        if links.published_at
        else edition.local_date.isoformat(),
        corrections=tuple(_correction(each, edition, view.words.language) for each in reversed(corrections)),
    )
    return as_mapping(shared) | as_mapping(page)


def _correction(correction: Correction, edition: Edition, language: str) -> CorrectionValues:
    day, say = correction.at.astimezone(ZoneInfo(edition.zone)).date(), words_for(language)
    return CorrectionValues(
        title=say("Correction, {date}:", date=long_date(day, language)),
        iso_date=day.isoformat(),
        text=marked_text(correction.text, direction(edition.language)),
    )


def line_values(edition: Edition, view: EditionView | None = None) -> LineValues | None:
    """Return the values for the subject and preheader templates; None for an edition without stories."""
    view = view or EditionView(edition)
    first = next(edition.stories(), None)
    if first is None:
        return None
    titles = tuple(view.title(story) for story in edition.stories())
    return LineValues(
        title=view.name,
        date=view.date,
        count=len(titles),
        lead=view.story(first, view.topics(edition), LEAD_BOX),
        titles=titles,
        topics=tuple(view.title(section) for section in edition.sections),
        site=view.site,
        number=edition.number,
    )


def edition_values(
    edition: Edition, view: EditionView, *, subject: str, preheader: str, web: str | None
) -> EditionValues:
    """Return the values that emails and the web copy share. `web` is the address of the web copy, if any."""
    return EditionValues(
        title=view.name,
        date=view.date,
        iso_date=edition.local_date.isoformat(),
        language=view.words.tag,
        direction=view.words.direction,
        content_language=tag(edition.language),
        content_direction=direction(edition.language),
        site=view.site,
        brand=brand_values(edition.site),
        phrases=view.words.phrases,
        web_url=web_url(web),
        style=edition.style.value,
        dated=edition.every not in (Every.DAY, Every.WEEKDAY),
        number=edition.number,
        next=view.words.next,
        introduction=marked_text(edition.introduction, direction(edition.language)),
        signed=one_line(edition.signed),
        sponsor=_sponsor(edition),
        topic_colours=tuple(view.colours.values()),
        **choice_values(edition, view, subject=subject, preheader=preheader),
    )


def choice_values(chosen: Edition, view: EditionView, *, subject: str, preheader: str) -> ChoiceValues:
    """Return the values that depend on a choice of topics; `view` keeps the values that choices share."""
    chosen = _without_empty_sections(chosen)
    topics = view.topics(chosen)
    levels = levels_of(chosen)
    stories = list(chosen.stories())
    count = len(stories)
    sections = tuple(map(view.section, chosen.sections, repeat(topics), levels))
    return {
        "subject": subject,
        "preheader": preheader,
        "lead": view.story(chosen.lead, topics, LEAD_BOX, Level.LEAD) if chosen.lead else None,
        "headlines": tuple(view.story(story, topics) for story in headlines_of(chosen.sections)),
        "sections": sections,
        "count": count,
        "minutes": minutes_of(chosen.stories()),
        "top": view.story(stories[0], topics, LEAD_BOX, Level.LEAD) if chosen.lead or count == 1 else None,
        "form": ("alone" if count == 1 else "short") if count <= SHORT else "led",
        "contents": sections if _has_contents(chosen, topics, count) else (),
        "groups": view.groups(sections, short=count <= SHORT) if count > 1 else (),
    }


def _without_empty_sections(edition: Edition) -> Edition:
    """Return an edition without headings over nothing; an editor may have moved the last story away."""
    if all(section.stories or section.more for section in edition.sections):
        return edition
    filled = tuple(section for section in edition.sections if section.stories or section.more)
    return replace(edition, sections=filled)


def reader_values(edition: Edition, view: EditionView, links: ReaderLinks) -> ReaderValues:
    """Return the values that differ between readers. The links stay as they are: they may be placeholders."""
    start, end = _sides(view.words.direction)
    return ReaderValues(
        unsubscribe=links.unsubscribe,
        preferences=links.preferences,
        subscribe_url=_in_language(web_url(links.subscribe), edition, view),
        start=start,
        end=end,
        content_start=_sides(direction(edition.language))[0],
    )


class EditionView:
    """The stories and sections of one edition as values for templates, each made only once.

    It serves all choices of topics of the edition; for equal stories and sections it returns the same object.
    Dates are written in the reader's `language`; see `spoken`. If `words` are given, they are used instead.
    """

    def __init__(self, edition: Edition, language: str = "", words: EditionWords | None = None) -> None:
        self._edition = edition
        self.words = words or words_of(edition, spoken(language, edition.language))
        self.language = self.words.language
        self.name = one_line(edition.title)
        self.date = self.words.date
        self.languages = tuple(dict.fromkeys((tag(edition.language), self.words.tag)))
        self.site = site_values(edition.site)
        self.colours = _colours(edition)
        self._colour_of = {each.slug: self.colours.get(each.colour) for each in edition.headings}
        self._lines: dict[str, str] = {}
        # The keys are ids of objects. The objects are kept too, because otherwise new objects could get their
        # ids.
        self._stories: dict[tuple[int, tuple[int, int], str, Level], tuple[Story, StoryValues]] = {}
        self._known: dict[int, _Known] = {}
        self._sections: dict[tuple[object, ...], tuple[Section, SectionValues]] = {}
        self._groups: dict[tuple[int, ...], tuple[tuple[SectionValues, ...], SectionValues]] = {}

    def topics(self, chosen: Edition) -> dict[str, str]:
        """Return the titles of the topics in `chosen`, by slug; stories of one group have none."""
        if _is_one_group(chosen):
            return {}
        return {section.slug: self.title(section) for section in chosen.sections}

    def title(self, what: Story | Section) -> str:
        """Return the title of a story or a section as one clean line."""
        if what.title not in self._lines:
            self._lines[what.title] = one_line(what.title)
        return self._lines[what.title]

    def section(
        self, section: Section, topics: Mapping[str, str], levels: tuple[Level, ...]
    ) -> SectionValues:
        """Return a section with the levels of its stories.

        It and its stories have the titles of the chosen `topics`, if there are any.
        """
        known = self._known.get(id(section))
        if known is None:
            self._make_room()
            known = self._known[id(section)] = _Known(section)
        key = known.key, levels, *map(topics.get, known.topics)
        view = self._sections.get(key)
        if view is None:
            view = self._sections[key] = section, self._section(section, topics, levels)
        return view[1]

    def groups(self, sections: tuple[SectionValues, ...], *, short: bool) -> tuple[SectionValues, ...]:
        """Return the groups of a reader's email: its sections, or all stories together if they are few."""
        if not short or not sections:
            return sections
        key = tuple(map(id, sections))
        if key not in self._groups:
            self._make_room()
            self._groups[key] = sections, together(sections)
        return (self._groups[key][1],)

    def story(
        self,
        story: Story,
        topics: Mapping[str, str],
        box: tuple[int, int] = THUMB_BOX,
        level: Level = Level.STORY,
    ) -> StoryValues:
        """Return a story at a level; its image fits into `box`."""
        topic = "" if story.rule == _UNCLAIMED else topics.get(story.topic, "")
        key = id(story), box, topic, level
        view = self._stories.get(key)
        if view is None:
            self._make_room()
            view = self._stories[key] = story, self._story(story, topic, box, level)
        return view[1]

    def _section(
        self, section: Section, topics: Mapping[str, str], levels: tuple[Level, ...]
    ) -> SectionValues:
        placed = list(zip((*section.stories, *section.more), levels, strict=True))
        small = [self.story(story, topics, THUMB_BOX, level) for story, level in placed]
        shown = [self.story(story, topics, BOXES[level], level) for story, level in placed]
        return SectionValues(
            slug=section.slug,
            title=self.title(section) if topics else "",
            stories=tuple(small[: len(section.stories)]),
            more=tuple(small[len(section.stories) :]),
            colour=self.colours.get(section.colour),
            rows=rows_of(shown),
            briefs=tuple(story for story in shown if story.level == Level.BRIEF),
            count=len(shown),
            first=shown[0] if shown else None,
            one_source=have_one_source(shown),
        )

    def _make_room(self) -> None:
        for kept in (self._lines, self._stories, self._known, self._sections, self._groups):
            if len(kept) >= _KEPT:
                kept.clear()

    def _story(self, story: Story, topic: str, box: tuple[int, int], level: Level) -> StoryValues:
        return StoryValues(
            title=self.title(story),
            blurb=one_line(story.blurb),
            url=web_url(story.url),
            source=one_line(story.source),
            author=one_line(story.author or ""),
            time=self.words.time(story, self._edition),
            topic=topic,
            image=image_of(story.image, box, self._edition.site.base_url),
            also=also_of(story),
            via=SourceValues(name=one_line(story.via.name), url=web_url(story.via.url))
            if story.via
            else None,
            coverage=coverage_of(story),
            note=marked_text(story.note, direction(self._edition.language)),
            level=level.value,
            colour=self._colour_of.get(story.topic),
        )


class _Known:
    """A section with its cache key, which is equal for equal sections, and the topics of its stories."""

    __slots__ = ("key", "section", "topics")

    def __init__(self, section: Section) -> None:
        stories = (*section.stories, *section.more)
        self.section = section  # it is kept, because otherwise a new section could get its id
        self.key = section.slug, section.title, section.colour, len(section.stories), *map(id, stories)
        self.topics = tuple({story.topic: None for story in stories})


def _has_contents(chosen: Edition, topics: Mapping[str, str], count: int) -> bool:
    """Return whether a list of topics says more than the headings: not over one topic, or over headlines."""
    return len(topics) > 1 and count >= CONTENTS and chosen.style is Style.NEWSPAPER


def _colours(edition: Edition) -> dict[str, ColourValues]:
    """Return the colours of all topics of an edition, which do not depend on a choice of topics."""
    colours = dict.fromkeys(heading.colour for heading in edition.headings if heading.colour)
    shown = {colour: topic_colour(colour, edition.site.brand) for colour in colours}
    return {
        colour: ColourValues(name=f"t{number}", light=light, dark=dark)
        for number, (colour, (light, dark)) in enumerate(shown.items(), 1)
    }


def _sponsor(edition: Edition) -> SponsorValues | None:
    sponsor = edition.sponsor
    if sponsor is None:
        return None
    return SponsorValues(
        name=one_line(sponsor.name),
        url=web_url(sponsor.url),
        link=one_line(sponsor.link or sponsor.name),
        text=marked_text(sponsor.text, direction(edition.language)),
    )


def _is_one_group(edition: Edition) -> bool:
    """Return whether a heading would say nothing, because all stories stand in one group.

    Where other topics are configured, the name of the only topic with stories says something, unless it is
    the catch-all.
    """
    stories = list(edition.stories())
    if len({story.topic for story in stories}) != 1 or any(section.more for section in edition.sections):
        return False
    return len(edition.headings) == 1 or all(story.rule == _UNCLAIMED for story in stories)


def _sides(direction: str) -> tuple[str, str]:
    """Return the sides where lines of this direction start and end."""
    return ("right", "left") if direction == "rtl" else ("left", "right")
