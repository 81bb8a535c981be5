"""A publication as its operator configures it: site, brand, feeds, topics and digests, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandPicture:
    """A picture that we serve under /brand/, and the size at which it is shown, in pixels."""

    name: str  # the SHA-256 of its bytes, and its kind: "….png" or "….jpg"
    width: int
    height: int
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandLink:
    """A link at the foot of emails and pages."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The looks of a publisher. An empty value means the default, which `digest.render.brand` defines.

    It is a part of each snapshot, because an edition is sent as it was approved. Colours are "#rrggbb", for
    light mode; those for dark mode are derived.
    """

    accent: str = ""
    band: str = ""
    paper: str = ""
    ink: str = ""
    serif: str = ""  # the name of a font
    sans: str = ""
    headings: str = ""  # "serif" or "sans"
    logo: BrandPicture | None = None  # opaque, in the colour of the band
    logo_dark: BrandPicture | None = None
    header: BrandPicture | None = None
    links: tuple[BrandLink, ...] = ()
    privacy_url: str = ""
    imprint_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The publisher: shown at the foot of every email and used to build links."""

    name: str
    base_url: str  # absolute http(s), without a trailing slash
    postal_address: str
    language: str = "en"  # BCP 47
    brand: Brand = field(default_factory=Brand)


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
    colour: str = ""  # of its heading in light mode, "#2f6a3c"; empty: the accent
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


HEADLINES = "{{ titles[1:4] | join(' · ') }}"  # the preheader of a digest that has none of its own


class Style(StrEnum):
    """The composition of an email: how much of each story it shows."""

    NEWSPAPER = "newspaper"  # a lead, some stories with large pictures, and briefs at the end
    BRIEF = "brief"  # a sentence for each story
    LINKS = "links"  # one story to read, then headlines only


@dataclass(frozen=True, slots=True, kw_only=True)
class Sponsor:
    """An advertisement in an edition; emails and pages always say that it is one."""

    name: str
    text: str  # Markdown
    url: str
    link: str = ""  # the words of the link; empty: the name


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
    head_start: timedelta = timedelta(0)  # of the staff's copies before the readers'; 0: there are none
    late: timedelta = timedelta(hours=4)  # an edition may be sent so late after an outage; then it is skipped
    minimum: int = 1  # stories; with fewer there is no edition
    maximum: int = 30  # stories; extra ones are carried over to the next edition
    max_age: timedelta | None = None  # older posts are dropped, with this reason
    lead: Lead = Lead.AUTO
    review: Review = Review.SEND
    approvals: int = 1  # persons who must approve the same look of an edition
    reply_to: str | None = None
    subject: str = "{{ lead.title }}"  # Jinja2
    preheader: str = HEADLINES  # Jinja2
    catch_all: str = "More stories"  # the heading for stories under no topic
    gather: tuple[Gathering, ...] = ()
    style: Style = Style.NEWSPAPER
    introduction: str = ""  # Markdown: the editor's words at the top of each edition
    signed: str = ""  # the name under the introduction
    sponsor: Sponsor | None = None
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
