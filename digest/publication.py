"""A publication as its operator describes it: site, feeds, topics and digests, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who publishes: shown at the foot of every mail and used to build links."""

    name: str
    base_url: str  # absolute http(s), without a trailing slash
    postal_address: str
    language: str = "en"  # BCP 47


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of posts as configured. `url` is absolute: http, https or file."""

    name: str
    url: str
    tags: tuple[str, ...] = ()  # given to every post of this feed
    topics: tuple[str, ...] = ()  # slugs of topics that claim every post of this feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A heading, and the rule that brings stories under it.

    A post belongs when it has one of `tags` (compared folded, after `aliases`), one of `keywords` as
    whole words in its title or blurb, or comes from one of `feeds` (names).
    """

    slug: str
    title: str
    about: str = ""  # a sentence for who chooses
    tags: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()  # (tag as written, tag it stands for)
    keywords: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    order: int = 0  # smaller stands first; equal keeps the order of the file
    quota: int | None = None  # stories shown in full; the others become "more in this topic"


class Review(StrEnum):
    """What happens at the send time to an edition nobody has approved."""

    SEND = "send"  # it goes as it is
    HOLD = "hold"  # it waits for approval, however late
    SKIP = "skip"  # it is skipped, and its posts are carried to the next


class Lead(StrEnum):
    """How the story at the top is chosen."""

    AUTO = "auto"  # told by most feeds, then with an image, then the newest
    NEWEST = "newest"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """A frequency readers may choose besides each edition, and when its gathered editions are sent."""

    frequency: Frequency
    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A recurring publication: its feeds, topics, schedule and sender."""

    slug: str
    title: str
    schedule: str  # "weekdays at 07:00", or a cron line with names; see `digest.schedule`
    sender: str  # the From header: "Name <address>"
    about: str = ""  # a sentence for who chooses
    zone: str = "UTC"  # IANA name
    feeds: tuple[str, ...] = ()  # names; empty: all feeds
    topics: tuple[str, ...] = ()  # slugs; empty: found in the posts' own tags
    cutoff: timedelta = timedelta(minutes=30)  # how long before the send time it is composed
    late: timedelta = timedelta(hours=4)  # after an outage, sent up to this late; then carried
    minimum: int = 1
    maximum: int = 30
    max_age: timedelta | None = None  # posts published longer ago than this are dropped, and shown so
    lead: Lead = Lead.AUTO
    review: Review = Review.SEND
    reply_to: str | None = None
    subject: str = "{{ lead.title }}"  # Jinja2
    preheader: str = "{{ titles[1:4] | join(' · ') }}"  # Jinja2
    catch_all: str = "More stories"  # heading for what no topic claims
    gather: tuple[Gathering, ...] = ()

    @property
    def frequencies(self) -> frozenset[Frequency]:
        """Return what readers may choose besides each edition."""
        return frozenset(gathering.frequency for gathering in self.gather)

    def schedule_of(self, frequency: Frequency) -> str:
        """Return when a reader with that frequency is mailed; one that is not offered means each edition."""
        found = (each.schedule for each in self.gather if each.frequency is frequency)
        return next(found, self.schedule)
