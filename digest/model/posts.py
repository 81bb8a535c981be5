"""Feeds, posts and the reports of collect as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digest.model.tags import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """The limits on what one feed may cost. Sizes are in bytes after decompression, times in seconds."""

    allow_hosts: frozenset[str] = frozenset()  # internal hosts that the operator allows on purpose
    timeout: float = 30.0  # for one feed, from the DNS lookup to the last byte
    max_bytes: int = 10_000_000
    max_posts: int = 500  # entries read from one feed: the first ones, which are usually the newest
    in_flight: int = 16
    user_agent: str = "newsletter-digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """A feed as it is stored: its validators, its health, and when it is next due."""

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
    gap: int = 0  # the number of entries when all of them were new at once; 0 if that never happened
    gap_at: datetime | None = None
    fallback: str = ""  # why the feed of a WordPress site is read instead of its REST interface
    wishes: str = ""  # how often it may be asked; see digest.collect.fetching.timing
    pace: str = ""  # how often it is asked, and why: "every hour, as its server wishes"
    body_hash: str | None = None  # of the last document that was read; the same bytes are not read again
    whole_at: datetime | None = None  # the last answer with a document: "not modified" is believed for a day
    changed_at: datetime | None = None  # the last document that was not the same as the one before
    failed_at: datetime | None = None  # the first of its failures in a row
    moved_to: str | None = None  # a permanent redirect that is not saved yet
    moved_seen: int = 0  # the answers in a row with this redirect
    moved_at: datetime | None = None  # the first of them
    takers: str = ""  # the digests that have its recent posts


class HubState(StrEnum):
    """How far we have come with the hub of a feed."""

    FOUND = "found"  # it was not asked yet
    PENDING = "pending"  # asked, and not verified yet
    ACTIVE = "active"
    DENIED = "denied"  # by the hub
    GONE = "gone"  # the hub does not exist any more


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRow:
    """The hub of a feed as it is stored: what we have asked of it, and when it last told of new posts."""

    feed_id: str
    hub: str
    topic: str  # the feed's address as the hub knows it
    state: HubState = HubState.FOUND
    next_at: datetime  # when the hub is asked next
    asked_at: datetime | None = None  # None once the hub has answered
    lease_until: datetime | None = None
    pushed_at: datetime | None = None  # the last push; the feed is due if it was not fetched since
    failures: int = 0  # requests in a row without a verification


# ── posts ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that can be shown in an email: absolute http(s), PNG, JPEG or GIF. Sizes are in pixels."""

    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """The publication that had a post first, as the post names it."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A picture that a feed offers with a post. With a `reason`, the end of a sentence, it is left out."""

    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None
    convert: bool = False  # emails can show only a copy of it: it is WebP or AVIF, or at an internal address
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The facts found at the address of a picture or of a post's page. Sizes are in pixels."""

    url: str
    checked_at: datetime
    answered: bool = True
    reason: str = ""  # why it cannot be a story's picture, as the end of a sentence
    width: int | None = None
    height: int | None = None
    shown: bool = False  # mail programs can show the picture itself
    copy: str | None = None  # the hash of the larger copy
    copy_width: int | None = None
    copy_height: int | None = None
    leads_to: str | None = None  # of a page: the picture that it names


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One entry of a feed, cleaned: every field is plain text, never markup.

    `id` is made from the feed's id and `key` (the feed's own identifier of the entry), so the same entry
    always has the same id. `fingerprint` changes when the content that a reader sees changes.
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
    image: Image | None = None  # the first of `pictures` that emails can show; at the cutoff, a copy of it
    pictures: tuple[Candidate, ...] = ()  # best first, then those that are left out
    tags: tuple[str, ...] = ()  # as the publisher writes them; compare them with `digest.model.tags.fold`
    language: str | None = None
    via: Via | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """The facts that a post's page states; all are empty if it failed or is about something else."""

    blurb: str = ""
    image: Image | None = None
    pictures: tuple[Candidate, ...] = ()


def shown_via(post: Post, feed_name: str) -> Via | None:
    """Return the publication that had a post first, unless it is the feed in which the post is shown."""
    via = post.via
    return via if via and fold(via.name) != fold(feed_name) else None


class PostState(StrEnum):
    """The state of a post in one digest. No post is ever lost: each is in exactly one state."""

    WAITING = "waiting"
    RESERVED = "reserved"  # part of an edition that has not been sent yet
    USED = "used"
    DROPPED = "dropped"  # not going to be mailed; there is a reason
    DEFERRED = "deferred"  # kept by an editor for a later edition
    HELD = "held"  # looks new, but many posts of its feed do at once; waits by itself when its time has come


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPost:
    """A post that a digest has not used yet, with the name of its feed."""

    post: Post
    feed_name: str


# ── editors' own stories ─────────────────────────────────────────────────────────────────────

# The id of the feed whose posts are editors' own stories. Its name is empty, because readers see no source.
DESK = "desk"


def own_key(edition_id: str, number: int) -> str:
    """Return the key of the post that is the own story of an edit."""
    return f"{edition_id}#{number}"


def is_own(post: Post, edition_id: str) -> bool:
    """Tell whether an edit of this edition has added a post."""
    return post.feed_id == DESK and post.key.rpartition("#")[0] == edition_id


# ── what a document does to the posts of its feed ───────────────────────────────────────────

GONE = "it is gone from its feed"
PROTECTED = "it is protected by a password, or private"
BELOW_FIRST_LOOK = "older than the first look"
LONG_AGO = "it was published long before the last edition"
DROPPED_BY = "dropped by "  # the reason begins so if a person has dropped a post; it may be taken back
BY_EDITOR = f"{DROPPED_BY}an editor"
WITHDRAWN = "withdrawn by "  # the reason begins so if an editor's own story was undone; it may be taken back
GONE_AFTER = 2  # full answers in a row without the post
KEPT = -1  # instead of their number: an editor keeps the post, gone or not


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPost:
    """A post that is stored, and what decides whether it is still in its feed."""

    post: Post
    place: int = 0  # in the document in which it was first seen; a larger number is older
    missed: int = 0  # full answers in a row that should contain it and do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """The state of a new post in one digest. A held post waits like any other after `until`."""

    digest: str
    state: PostState
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A post that is not stored yet, its place in its document, and its fate in each digest."""

    post: Post
    place: int
    fates: tuple[Fate, ...]

    @property
    def state(self) -> PostState:
        """Return waiting if the post waits in any digest, else held if it is held in any, else dropped."""
        states = {fate.state for fate in self.fates}
        if not states or PostState.WAITING in states:
            return PostState.WAITING
        return PostState.HELD if PostState.HELD in states else PostState.DROPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPosts:
    """The stored posts of a feed that matter for one document."""

    any: bool = False  # without stored posts, the document is the first look at the feed
    oldest_at: datetime | None = None  # the first date of the stored posts
    usual: int = 0  # posts that were published in the week before the last document
    known: tuple[KnownPost, ...] = ()  # those that the entries may be
    unsent: tuple[KnownPost, ...] = ()  # those that a digest has not mailed yet
    frozen: frozenset[str] = frozenset()  # the ids of those in `known` that are in an edition, not yet sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The changes that one document makes to the posts of its feed; the other posts stay as they are.

    Stored posts are named by their ids.
    """

    arrivals: tuple[Arrival, ...] = ()
    changed: tuple[Post, ...] = ()  # stored already; their key, date or content is another now
    edited: frozenset[str] = frozenset()  # those of which a reader would see the change
    protected: tuple[str, ...] = ()  # stored already, and not to be mailed as they are now
    missed: tuple[str, ...] = ()  # not in the document, but older posts are
    returned: tuple[str, ...] = ()  # missed before, and in the document
    gap: int = 0  # the number of entries if all of them are new: posts before them may be missing
    held: str = ""  # one sentence, if posts are held


# ── what verbs report ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """The result of collecting one feed; a failure is a value here, not an exception."""

    feed: str
    status: str  # "ok", "unchanged", "failed", "gone", "waiting" (backing off)
    new: int = 0  # without those that no digest will mail
    updated: int = 0
    dropped: int = 0  # seen for the first time, and too old or protected
    held: int = 0
    skipped: int = 0  # entries that could not be used, each with a reason in the log
    detail: str = ""  # one sentence for people: what happened and what to do
    next_fetch_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """The result of one run of collect."""

    feeds: tuple[FeedReport, ...]

    @property
    def new(self) -> int:
        """Return the number of posts that were seen for the first time."""
        return sum(report.new for report in self.feeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPost:
    """A post that this digest has already published, and the edition it was in.

    With a `reason`, an editor has dropped it from that edition, so that posts like it stay out as well.
    """

    waiting: WaitingPost
    edition_id: str
    reason: str = ""
