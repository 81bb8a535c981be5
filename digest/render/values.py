"""The values that templates may use; docs/templates.md describes them field by field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import TypedDict

from markupsafe import Markup

from digest.model.publication import BrandPicture, Site
from digest.render.brand.fonts import (
    ARABIC,
    PAGE_SIZES,
    SIZES,
    TALL,
    PageSizes,
    Sizes,
    headings_of,
    sans_of,
    serif_of,
)
from digest.render.brand.palette import Colours, palette_of
from digest.render.languages.languages import Phrases
from digest.render.writing.markdown import MarkedText
from subscribers.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteValues:
    """The publisher."""

    name: str
    url: str
    postal_address: tuple[str, ...]  # lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageValues:
    """An image, with the size at which it is shown, in pixels."""

    url: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceValues:
    """Another source of the story."""

    name: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandValues:
    """The publisher's colours for light and dark mode, fonts, sizes, pictures and links."""

    light: Colours
    dark: Colours
    serif: Markup
    sans: Markup
    headings: Markup
    arabic: Markup
    sizes: Sizes
    tall: Sizes  # the same with higher lines, for Arabic
    page_sizes: PageSizes
    logo: ImageValues | None
    logo_dark: ImageValues | None
    header: ImageValues | None
    links: tuple[SourceValues, ...]
    privacy_url: str
    imprint_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageValues:
    """Another feed's headline of what the story tells."""

    title: str
    source: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourValues:
    """The colour of a topic: the name of its class in the styles, and its two colours."""

    name: str  # "t1", "t2", … in the order of the edition's topics
    light: str
    dark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SponsorValues:
    """An advertisement. A template must say that it is one."""

    name: str
    url: str | None
    link: str  # the words of its link
    text: MarkedText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryValues:
    """One story. Values that the feed does not give are None or an empty text."""

    title: str
    blurb: str
    url: str | None
    source: str
    author: str
    time: str
    topic: str  # the title of its section; empty under the catch-all
    image: ImageValues | None
    also: tuple[SourceValues, ...]
    coverage: tuple[CoverageValues, ...]
    via: SourceValues | None = None  # the publication that had it first
    note: MarkedText | None = None  # an editor's note
    level: str = ""  # "lead", "feature", "story" or "brief"
    colour: ColourValues | None = None  # of its topic; None: the accent


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionValues:
    """A topic: stories in full, then headlines.

    `rows` and `briefs` are the same stories by their levels: a row is a story, or two features side by side.
    """

    slug: str
    title: str
    stories: tuple[StoryValues, ...]
    more: tuple[StoryValues, ...]
    colour: ColourValues | None = None  # None: the accent
    rows: tuple[tuple[StoryValues, ...], ...] = ()
    briefs: tuple[StoryValues, ...] = ()
    count: int = 0  # all its stories
    first: StoryValues | None = None
    one_source: bool = False  # whether it has more than one story, and all are from the same source


@dataclass(frozen=True, slots=True, kw_only=True)
class LineValues:
    """The values for the subject and preheader templates in config.toml."""

    title: str
    date: str
    count: int
    lead: StoryValues  # the first story if the edition has no lead
    titles: tuple[str, ...]  # of all stories, in reading order
    topics: tuple[str, ...]
    site: SiteValues
    number: int


class ChoiceValues(TypedDict):
    """Those values for an edition's templates that differ between choices of topics."""

    subject: str
    preheader: str
    lead: StoryValues | None
    headlines: tuple[StoryValues, ...]
    sections: tuple[SectionValues, ...]
    count: int
    minutes: int
    top: StoryValues | None
    form: str
    contents: tuple[SectionValues, ...]
    groups: tuple[SectionValues, ...]


# The names of the values that differ between choices of topics; a part must be given those that it needs.
OF_A_CHOICE = frozenset(ChoiceValues.__annotations__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionValues:
    """The values for all templates of an edition."""

    title: str
    date: str
    iso_date: str
    language: str  # the reader's language; the texts of the template itself are in it
    direction: str
    content_language: str  # the edition's language, for titles and stories
    content_direction: str
    site: SiteValues
    brand: BrandValues
    subject: str
    preheader: str
    lead: StoryValues | None
    headlines: tuple[StoryValues, ...]
    sections: tuple[SectionValues, ...]
    count: int
    minutes: int  # the time that reading its stories takes
    top: StoryValues | None  # the lead, or the only story
    form: str  # "alone", "short" or "led"
    contents: tuple[SectionValues, ...]  # the topics for a list of contents
    groups: tuple[SectionValues, ...]  # the topics; of few stories, one group without a title
    phrases: Phrases
    web_url: str | None
    style: str
    dated: bool  # whether stories say when they were published, which says little in a daily edition
    number: int  # 0: unknown
    next: str  # the day and time of the next edition; empty: unknown
    introduction: MarkedText | None
    signed: str
    sponsor: SponsorValues | None
    topic_colours: tuple[ColourValues, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderValues:
    """More values for email templates: the reader's links, and the sides where text starts and ends."""

    unsubscribe: str
    preferences: str
    subscribe_url: str | None  # the sign-up form of the digest
    start: str
    end: str
    content_start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionValues:
    """A correction of an edition that has been sent."""

    title: str  # "Correction, Monday, November 23, 2026:", in the language of the page
    iso_date: str
    text: MarkedText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageValues:
    """More values for the template of the web copy; it has no reader."""

    stylesheet: str | None
    archive_url: str | None
    subscribe_url: str | None  # None if the digest takes no sign-ups, or not any more
    feed_url: str | None  # the digest as an Atom feed
    home_url: str  # the page that offers all digests
    choices: tuple[tuple[str, str], ...]  # the page's languages: tag, and name in that language
    published: str  # the time when the edition went out, in ISO 8601, or its date if it has not gone out
    corrections: tuple[CorrectionValues, ...]  # made after it went out, the newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """The links of a web copy: its address, the archive, its stylesheet (None: the page contains its styles).

    `subscribe` is the sign-up form of its digest, and `feed` is the digest as an Atom feed.
    `home` is the target of the site's name; empty means the site's address.
    `choices` are the languages for `?language=`: tag, and name in that language.
    `published_at` is the time when the edition went out; None for a preview.
    """

    web: str | None = None
    archive: str | None = None
    subscribe: str | None = None
    feed: str | None = None
    stylesheet: str | None = None
    home: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    published_at: datetime | None = None


def as_mapping(values: LineValues | EditionValues | ReaderValues | PageValues) -> dict[str, object]:
    """Return the fields of `values` by name; nested values stay as they are."""
    return {field.name: getattr(values, field.name) for field in fields(values)}


def site_values(site: Site) -> SiteValues:
    """Return the publisher, as emails and pages show it."""
    lines = (one_line(line) for line in site.postal_address.splitlines())
    return SiteValues(
        name=one_line(site.name), url=site.base_url, postal_address=tuple(line for line in lines if line)
    )


@lru_cache(maxsize=64)
def brand_values(site: Site) -> BrandValues:
    """Return the looks of a publisher, for all emails and pages."""
    brand, palette = site.brand, palette_of(site.brand)
    return BrandValues(
        light=palette.light,
        dark=palette.dark,
        serif=serif_of(brand),
        sans=sans_of(brand),
        headings=headings_of(brand),
        arabic=ARABIC,
        sizes=SIZES,
        tall=TALL,
        page_sizes=PAGE_SIZES,
        logo=_brand_image(brand.logo, site),
        logo_dark=_brand_image(brand.logo_dark, site),
        header=_brand_image(brand.header, site),
        links=tuple(SourceValues(name=one_line(link.name), url=link.url) for link in brand.links),
        privacy_url=brand.privacy_url,
        imprint_url=brand.imprint_url,
    )


def _brand_image(picture: BrandPicture | None, site: Site) -> ImageValues | None:
    if picture is None:
        return None
    url = f"{site.base_url}/brand/{picture.name}"
    return ImageValues(url=url, alt=one_line(picture.alt), width=picture.width, height=picture.height)
