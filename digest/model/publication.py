"""A publication as its operator configures it: site, feeds, topics and digests, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The publisher: shown at the foot of every email and used to build links."""

    name: str
    base_url: str  # absolute http(s), without a trailing slash
    postal_address: str
    language: str = "en"  # BCP 47


LINK_PLACES = ("slug", "path", "year", "month", "day")  # that the link of posts in a folder may name


class SourceKind(StrEnum):
    """The kind of source that a feed's address leads to."""

    FEED = "feed"  # RSS, Atom, RDF or JSON Feed
    WORDPRESS = "wordpress"  # a site, read by its REST interface, or else by its feed
    PAGE = "page"  # a web page without a feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of posts as configured. `url` is absolute: http, https or file."""

    name: str
    url: str
    source: SourceKind = SourceKind.FEED
    complete: bool = False  # its posts get blurbs and pictures that they lack from their pages
    link: str = ""  # makes the addresses of posts in a folder: "https://example.org/{slug}/"
    tags: tuple[str, ...] = ()  # given to every post of this feed
    topics: tuple[str, ...] = ()  # slugs of topics that claim every post of this feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A heading, and the rule that places stories under it.

    A story belongs here if it has one of `tags` (compared by `keys_of`, after `aliases`), or one of its
    `keywords` is in a title, blurb or tag, or it comes from one of `feeds` (names).
    """

    slug: str
    title: str
    about: str = ""  # a sentence for readers who choose topics
    tags: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()  # (a tag as written, the tag that it means)
    keywords: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    order: int = 0  # smaller numbers come first; equal ones keep the order of the file
    quota: int | None = None  # stories shown in full; the others become "more in this topic"


class Review(StrEnum):
    """The policy for an edition that nobody has approved by its send time."""

    SEND = "send"  # it is sent as it is
    HOLD = "hold"  # it waits for approval, however late
    SKIP = "skip"  # it is skipped, and its posts are carried over to the next edition


class Lead(StrEnum):
    """The rule that chooses the story at the top."""

    AUTO = "auto"  # covered by most feeds, then under a topic, then with an image, then the newest
    NEWEST = "newest"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """A frequency that readers may choose besides each edition, and the schedule of its gathered editions."""

    frequency: Frequency
    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A recurring publication: its feeds, topics, schedule and sender."""

    slug: str
    title: str
    schedule: str  # "weekdays at 07:00", or a cron line; see `digest.schedule.text`
    sender: str  # the From header: "Name <address>"
    about: str = ""  # a sentence for readers who choose digests
    zone: str = "UTC"  # IANA name
    feeds: tuple[str, ...] = ()  # names; empty: all feeds
    topics: tuple[str, ...] = ()  # slugs; empty: topics are found in the posts' own tags
    cutoff: timedelta = timedelta(minutes=30)  # how long before the send time an edition is composed
    late: timedelta = timedelta(hours=4)  # an edition may be sent so late after an outage; then it is skipped
    minimum: int = 1  # stories; with fewer there is no edition
    maximum: int = 30  # stories; extra ones are carried over to the next edition
    max_age: timedelta | None = None  # older posts are dropped, with this reason
    lead: Lead = Lead.AUTO
    review: Review = Review.SEND
    reply_to: str | None = None
    subject: str = "{{ lead.title }}"  # Jinja2
    preheader: str = "{{ titles[1:4] | join(' · ') }}"  # Jinja2
    catch_all: str = "More stories"  # the heading for stories under no topic
    gather: tuple[Gathering, ...] = ()
    skip: tuple[date, ...] = ()  # local dates without an edition; posts wait for the next one

    @property
    def frequencies(self) -> frozenset[Frequency]:
        """Return the frequencies that readers may choose besides each edition."""
        return frozenset(gathering.frequency for gathering in self.gather)

    def schedule_of(self, frequency: Frequency) -> str:
        """Return the schedule of a frequency; a frequency that is not offered counts as each edition."""
        found = (each.schedule for each in self.gather if each.frequency is frequency)
        return next(found, self.schedule)


CATCH_ALL = "more"  # the slug of the section for stories under no topic, unless a topic has this slug
CATCH_ALL_RULE = "catch-all"
