"""The values templates see: all that one may use, as docs/templates.md describes it field by field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypedDict

from digest.publication import Site
from digest.render.phrases import Phrases
from subscribers.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteValues:
    """Who publishes."""

    name: str
    url: str
    postal_address: tuple[str, ...]  # lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageValues:
    """An image with the size it is shown at, in pixels."""

    url: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceValues:
    """Another place that tells the story."""

    name: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryValues:
    """One story. What a feed does not tell is None, or empty text."""

    title: str
    blurb: str
    url: str | None
    source: str
    author: str
    time: str
    topic: str  # the title of its section; empty under the catch-all
    image: ImageValues | None
    also: tuple[SourceValues, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionValues:
    """A topic: stories in full, then headlines."""

    slug: str
    title: str
    stories: tuple[StoryValues, ...]
    more: tuple[StoryValues, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineValues:
    """What a subject or preheader line in config.toml may use."""

    title: str
    date: str
    count: int
    lead: StoryValues  # the first story, when the edition has no lead
    titles: tuple[str, ...]  # of every story, in reading order
    topics: tuple[str, ...]
    site: SiteValues


class ChoiceValues(TypedDict):
    """What differs between two choices of topics, among what every template of an edition may use."""

    subject: str
    preheader: str
    lead: StoryValues | None
    headlines: tuple[StoryValues, ...]
    sections: tuple[SectionValues, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionValues:
    """What every template of an edition may use."""

    title: str
    date: str
    iso_date: str
    language: str  # of the reader: what the template itself says is in it
    direction: str
    content_language: str  # of the edition: its titles and stories are in it
    content_direction: str
    site: SiteValues
    subject: str
    preheader: str
    lead: StoryValues | None
    headlines: tuple[StoryValues, ...]
    sections: tuple[SectionValues, ...]
    count: int
    phrases: Phrases
    web_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderValues:
    """What a mail may use besides: its reader's links, and the sides text starts and ends at."""

    unsubscribe: str
    preferences: str
    start: str
    end: str
    content_start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageValues:
    """What the web copy may use besides. It knows no reader."""

    stylesheet: str | None
    archive_url: str | None
    subscribe_url: str | None  # None where the digest takes no sign-ups (any more)
    feed_url: str | None  # the digest as an Atom feed
    home_url: str  # where everything that can be subscribed to is offered
    choices: tuple[tuple[str, str], ...]  # languages the page can be read in: tag, name in itself
    published: str  # when it went, in ISO 8601; of what has not gone, the day it is for


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """What is around a web copy: its address, the list of editions, its stylesheet (None: written into it).

    `subscribe` is the form of its digest, `feed` the digest as an Atom feed.
    `home` is where the name of the site leads; its address when empty.
    `choices` are languages the page is offered in by `?language=`: tag, and name in itself.
    `published_at` is when the edition went; None for a preview.
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
    """Return the fields of `values` by name, as they are."""
    return {field.name: getattr(values, field.name) for field in fields(values)}


def site_values(site: Site) -> SiteValues:
    """Return who publishes, as mails and pages show it."""
    lines = (one_line(line) for line in site.postal_address.splitlines())
    return SiteValues(
        name=one_line(site.name), url=site.base_url, postal_address=tuple(line for line in lines if line)
    )
