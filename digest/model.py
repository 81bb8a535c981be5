"""The words of the product, as frozen values; nothing here reads, writes or knows the time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from digest.publication import Site
from subscribers.model import Frequency

# ── what is reached over the network, and when ─────────────────────────────────────────────


class Security(StrEnum):
    """How the line to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server that takes our mail. `password` is never shown."""

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None  # trusted besides the system's authorities
    connections: int = 4
    timeout: float = 60.0  # seconds a server may be silent
    weight: int | None = None  # its share of the letters beside other servers'; None: all it can take
    require_tls: bool = False  # RFC 8689: it must hand our mail on over TLS only, or bounce it

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What a feed may cost us. Sizes are bytes after decompression, times are seconds."""

    allow_hosts: frozenset[str] = frozenset()  # internal hosts the operator names on purpose
    timeout: float = 30.0  # for one feed, from name look-up to the last byte
    max_bytes: int = 10_000_000
    max_posts: int = 500  # entries read from one feed, newest first as the feed has them
    in_flight: int = 16
    user_agent: str = "newsletter-digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One occurrence of a digest: the local date it is for, when it is composed, when it is sent."""

    local_date: date
    cutoff_at: datetime
    send_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A feed as the ledger has it: its validators, its health, when it is next due."""

    id: str
    name: str
    url: str  # as configured; may hold a password, so it is never shown
    next_fetch_at: datetime
    final_url: str | None = None  # after permanent redirects; fetched instead of `url`
    etag: str | None = None
    last_modified: str | None = None
    status: str = "new"  # then "ok", "unchanged", "failed" or "gone"
    detail: str = ""  # one sentence for people
    failures: int = 0  # in a row
    last_fetch_at: datetime | None = None
    last_ok_at: datetime | None = None


# ── posts ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that fits a mail: absolute http(s), PNG, JPEG or GIF. Sizes are pixels."""

    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One entry of a feed, cleaned: plain text everywhere, never markup.

    `id` is made of the feed's id and `key` (what the feed calls this entry), so the same entry always
    has the same id. `fingerprint` changes when the content a reader sees changes.
    """

    id: str
    feed_id: str
    key: str
    title: str
    blurb: str
    first_seen_at: datetime
    fingerprint: str
    url: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    image: Image | None = None
    tags: tuple[str, ...] = ()  # as the publisher writes them; compare with `digest.tags.fold`
    language: str | None = None


class PostState(StrEnum):
    """Where a post stands in one digest. It is never lost: every post is in exactly one state."""

    WAITING = "waiting"
    RESERVED = "reserved"  # frozen into an edition that has not gone yet
    USED = "used"
    DROPPED = "dropped"  # will not be mailed, with a reason
    DEFERRED = "deferred"  # kept back by an editor for a later edition


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPost:
    """A post a digest has not used yet, with the name and the configured feed it came from."""

    post: Post
    feed_name: str


# ── editions ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a story can be read: a feed's name and the link there."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the reader sees: one post, or several that tell the same thing."""

    id: str  # the id of its first post
    title: str
    blurb: str
    url: str | None
    source: str
    author: str | None
    published_at: datetime | None
    image: Image | None
    tags: tuple[str, ...]
    topic: str  # slug of the section that claims it
    rule: str  # which rule placed it: "tag: climate", "keyword: rail", "feed: Harbour News", "catch-all"
    also: tuple[Source, ...] = ()  # "also in …"
    post_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A topic in one edition: stories in full, then headlines of the others."""

    slug: str
    title: str
    stories: tuple[Story, ...]
    more: tuple[Story, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One dated digest as it was frozen: all that its mail, text, archive and previews are made from.

    The lead stands only in `lead`, not again in its section. `subject_template` and
    `preheader_template` are frozen too, for they are filled per choice of topics.
    """

    id: str  # "daily-2026-11-22", "daily-2026-11-22-2"
    digest: str
    title: str
    local_date: date
    zone: str
    language: str
    cutoff_at: datetime
    send_at: datetime
    site: Site
    sender: str
    reply_to: str | None
    subject_template: str
    preheader_template: str
    lead: Story | None
    sections: tuple[Section, ...]

    def stories(self) -> Iterator[Story]:
        """Yield every story once, in the order a reader meets them."""
        if self.lead:
            yield self.lead
        for section in self.sections:
            yield from section.stories
            yield from section.more


class EditionState(StrEnum):
    """draft → approved → sending → sent; or skipped, cancelled, from any state before sent."""

    DRAFT = "draft"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRecord:
    """An edition with what has become of it."""

    edition: Edition
    hash: str  # of the canonical snapshot
    state: EditionState
    frequency: Frequency = Frequency.EACH  # whom it is for; any other one is gathered from editions
    reason: str = ""  # one sentence: why skipped, cancelled or paused
    approved_by: str | None = None
    approved_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    paused_at: datetime | None = None  # set: nothing of it is sent until it is resumed

    @property
    def dated_at(self) -> datetime:
        """When it is said to have gone: at its send time, or when somebody sent it before that."""
        return min(self.edition.send_at, self.started_at or self.edition.send_at)


# ── mail ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A rendered edition for one choice of topics; reader's fields are still placeholders.

    Its parts are cut between lines where mails of other choices have pieces in common with it, which are
    then the same strings. A mail of text alone has no pieces of html.
    """

    subject: str
    preheader: str
    html_pieces: tuple[str, ...]
    text_pieces: tuple[str, ...]

    @classmethod
    def whole(cls, *, subject: str, preheader: str = "", html: str, text: str) -> Mail:
        """Return a mail that nobody cut; empty `html` is none."""
        return cls(
            subject=subject,
            preheader=preheader,
            html_pieces=(html,) if html else (),
            text_pieces=(text,),
        )

    @property
    def html(self) -> str:
        """Return the part for programs that show HTML; empty where there is none."""
        return "".join(self.html_pieces)

    @property
    def text(self) -> str:
        """Return the same in plain text."""
        return "".join(self.text_pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLinks:
    """What differs between two readers' mails of one choice of topics."""

    unsubscribe: str
    preferences: str


class Letter(NamedTuple):
    """One mail ready for the wire.

    Its `parts`, `size` bytes together, are a whole RFC 5322 message: CRLF line ends, 7-bit, lines of at most
    998 bytes, ending in CRLF, not dot-stuffed. Most are the same bytes in every letter of an edition, and
    are not copied before they are written. `key` comes back in the receipt; it means nothing to a
    transport. Whoever says `plain` has made sure that all is ASCII and no line begins with a dot; a
    transport that is not told so looks for itself.
    """

    key: int
    sender: str  # envelope: MAIL FROM
    recipient: str  # envelope: RCPT TO
    parts: tuple[bytes, ...]
    size: int
    plain: bool = False

    @classmethod
    def whole(cls, key: int, sender: str, recipient: str, data: bytes) -> Letter:
        """Return a letter of its own, which has no parts in common with others."""
        return cls(key, sender, recipient, (data,), len(data))

    @property
    def data(self) -> bytes:
        """Return the whole message."""
        return b"".join(self.parts)


class Outcome(StrEnum):
    """What became of a letter handed to a transport."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # the server said: later (4xx)
    REJECTED = "rejected"  # the server said: never (5xx)
    UNCERTAIN = "uncertain"  # on the wire when the line broke; it may or may not have arrived
    UNSENT = "unsent"  # nothing of it was accepted by any server; safe to hand over again


class Receipt(NamedTuple):
    """What the mail server answered for one letter. `reply` is one line, without control characters."""

    key: int
    outcome: Outcome
    code: int | None = None  # RFC 5321 reply code
    enhanced: str | None = None  # RFC 3463: "5.1.1"
    reply: str = ""


class Transport(Protocol):
    """Takes letters, gives receipts, in any order. The one seam to the world of mail servers."""

    def carry(self, groups: Iterator[Sequence[Letter]]) -> Generator[Sequence[Receipt], None, None]:
        """Send every letter of every group and yield its receipt, exactly one for each.

        `groups` is asked for the next group only when its letters can go on the wire at once, so what
        was asked for and not yet answered is all that can be in doubt. An empty group means: nothing to
        send just now, ask again soon. When `groups` ends, what is on the wire is finished; an empty
        list of receipts, about once a second, is a chance to give up and close the generator.
        Raises TransportError when no letter can be sent until an operator changes something.
        """
        ...


class DeliveryState(StrEnum):
    """One edition on its way to one subscriber."""

    QUEUED = "queued"
    CLAIMED = "claimed"  # leased by a sender, not on the wire
    WIRE = "wire"  # about to be, or being, written to a server
    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # will be tried again at `due_at`
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"  # left, was suppressed, nothing in the chosen topics, or the edition was cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One reader's copy, as the ledger has it. `address` is None after erasure."""

    edition_id: str
    subscriber_id: int
    address: str | None
    variant: str
    state: DeliveryState
    due_at: datetime | None  # a time of its own: the reader's, or that of the next try
    tries: int
    code: int | None
    reply: str
    changed_at: datetime


# ── what verbs report ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What one collection brought from one feed; a failure is a value here."""

    feed: str
    status: str  # "ok", "unchanged", "failed", "gone", "waiting" (backing off)
    new: int = 0
    updated: int = 0
    skipped: int = 0  # entries that could not be used, each with a reason in the log
    detail: str = ""  # one sentence for people: what happened and what to do
    next_fetch_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """What one run of collect did."""

    feeds: tuple[FeedReport, ...]

    @property
    def new(self) -> int:
        """Return how many posts were seen for the first time."""
        return sum(report.new for report in self.feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What compose decided: an edition, or one sentence why there is none."""

    record: EditionRecord | None
    reason: str
    used: int = 0  # posts in the edition
    carried: int = 0  # posts left for the next
    dropped: int = 0  # posts too old, or told before


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Deliveries of one edition, by state; `total` is their sum."""

    by_state: tuple[tuple[DeliveryState, int], ...]

    @property
    def total(self) -> int:
        """Return the number of readers the edition was addressed to."""
        return sum(count for _, count in self.by_state)

    def of(self, *states: DeliveryState) -> int:
        """Return how many deliveries are in one of `states`."""
        return sum(count for state, count in self.by_state if state in states)

    @property
    def open(self) -> int:
        """Return how many deliveries may still change by themselves."""
        state = DeliveryState
        return self.of(state.QUEUED, state.CLAIMED, state.WIRE, state.DEFERRED)
