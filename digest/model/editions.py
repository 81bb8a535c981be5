"""Stories, sections, editions and their states as frozen values, and the refusal of a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from digest.model.errors import StateError
from digest.model.posts import Image, Via
from digest.model.publication import Site, Sponsor, Style
from subscribers.model import Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One occurrence of a digest: its local date, the time when it is composed, the time when it is sent."""

    local_date: date
    cutoff_at: datetime
    send_at: datetime


# ── editions ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place where a story can be read: a feed's name, and the link."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Another feed's report of what a story tells: its headline and link stand under the story."""

    post_id: str
    title: str
    source: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A topic that claims a story, and the rule by which it does."""

    topic: str  # its slug
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The item that a reader sees: one post, or several posts that cover the same thing."""

    id: str  # the id of its first post
    title: str
    blurb: str
    url: str | None
    source: str
    author: str | None
    published_at: datetime | None
    image: Image | None
    tags: tuple[str, ...]
    topic: str  # the slug of its section
    rule: str  # the rule that placed it: "tag: climate", "keyword: rail", "feed: Harbour News", "catch-all"
    also: tuple[Source, ...] = ()  # "also in …"
    post_ids: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()  # of the other topics, in the digest's order; see `choose`
    via: Via | None = None  # the publication that had it first
    coverage: tuple[Coverage, ...] = ()  # "also: another headline"; their posts are in `post_ids`
    note: str = ""  # Markdown: an editor's note under the story

    @property
    def covered_by(self) -> int:
        """Return the number of feeds that cover the story."""
        return 1 + len(self.also) + len({each.source for each in self.coverage})

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the slugs of all topics that claim the story, its own section first."""
        return self.topic, *(claim.topic for claim in self.claims)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A topic in one edition: stories in full, then the headlines of the others."""

    slug: str
    title: str
    stories: tuple[Story, ...]
    more: tuple[Story, ...] = ()
    colour: str = ""  # "#2f6a3c"; empty: the accent


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The title of a topic, and how many of its stories are shown in full (None: all).

    A found topic that is too large is shown as parts. Readers choose the whole, so each part names its
    `section`.
    """

    slug: str
    title: str
    quota: int | None = None
    section: str = ""  # the slug of the whole; empty: the topic itself
    colour: str = ""  # "#2f6a3c"; empty: the accent

    @property
    def choice(self) -> str:
        """Return the slug by which readers choose this topic."""
        return self.section or self.slug


class Every(StrEnum):
    """How often an edition comes, if one word can say it."""

    DAY = "day"
    WEEKDAY = "weekday"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One dated digest as it was frozen: its emails, web archive and previews are made only from this.

    The lead is only in `lead`, not also in its section. A story is in one section. `headings` has all topics
    that may claim a story, because a reader who did not choose the section gets the story under another of
    its topics. `subject_template` and `preheader_template` are frozen too, because they are filled in for
    each choice of topics.
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
    headings: tuple[Heading, ...] = ()  # in the digest's order; see `headings_of`
    style: Style = Style.NEWSPAPER
    number: int = 0  # the n-th edition of its digest; 0: unknown, as in editions of earlier versions
    next_at: datetime | None = None  # the send time of the next edition, as planned at the cutoff
    every: Every | None = None
    introduction: str = ""  # Markdown
    signed: str = ""  # the name under the introduction
    sponsor: Sponsor | None = None

    def stories(self) -> Iterator[Story]:
        """Yield every story once, in reading order."""
        if self.lead:
            yield self.lead
        for section in self.sections:
            yield from section.stories
            yield from section.more


class EditionState(StrEnum):
    """draft → approved → sending → sent; or skipped, cancelled, from any state before sent.

    An approved edition whose approval becomes void is a draft again.
    """

    DRAFT = "draft"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


AHEAD = (EditionState.DRAFT, EditionState.APPROVED)  # these editions may still begin to be sent
OPEN = (*AHEAD, EditionState.SENDING)
PUBLIC = (EditionState.SENDING, EditionState.SENT)  # anybody may read these editions on the web


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRecord:
    """An edition with its state and its history."""

    edition: Edition
    hash: str  # of the canonical snapshot
    state: EditionState
    frequency: Frequency = Frequency.EACH  # of its readers; not EACH: it was gathered from other editions
    reason: str = ""  # one sentence: why skipped, cancelled or paused
    approved_by: str | None = None
    approved_at: datetime | None = None
    look: str | None = None  # the hash of all that the approval covers; None: not approved, or long ago
    voided_at: datetime | None = None  # when its last approval became void, if it was not approved again
    started_at: datetime | None = None
    finished_at: datetime | None = None
    paused_at: datetime | None = None  # if set, no message is sent until the edition is resumed

    @property
    def is_ahead(self) -> bool:
        """Tell whether the edition may still begin to be sent."""
        return self.state in AHEAD

    @property
    def dated_at(self) -> datetime:
        """Return the time shown for the edition: its send time, or its start if it was sent before that."""
        return min(self.edition.send_at, self.started_at or self.edition.send_at)


class StepKind(StrEnum):
    """The kind of a step in the history of an edition. The values are stored; edits are kept elsewhere."""

    APPROVED = "approved"
    VOID = "void"  # the approval, so that the edition is a draft again
    PAUSED = "paused"
    RESUMED = "resumed"
    REPLANNED = "replanned"  # it has another base: new words of publishers, or new posts
    TESTED = "tested"  # a test message was sent
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCause:
    """The person who takes a step of an edition, the time and the reason; an approval names its look too."""

    at: datetime
    by: str = ""  # empty: the program
    why: str = ""  # a clause
    look: str | None = None  # the hash of what an approval covers


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an edition: who took it, when, and what the edition was then.

    `edits` is the number of edits that it had, and `look` the hash of what an approval covers. Editions of
    earlier versions have no steps.
    """

    kind: StepKind
    at: datetime
    by: str  # empty: the program
    detail: str  # a clause: why, or to whom
    edits: int
    hash: str  # of the canonical snapshot, after the step
    look: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A correction that editors made after an edition was sent; it stands on the web copy."""

    number: int
    by: str
    at: datetime
    text: str  # Markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedEdition:
    """An edition whose snapshot cannot be used, as far as it is known from its other columns."""

    id: str
    digest: str
    state: EditionState
    send_at: datetime
    damage: str  # a phrase that says what is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The result of compose: an edition, or one sentence that says why there is none."""

    record: EditionRecord | None
    reason: str
    used: int = 0  # posts in the edition
    carried: int = 0  # posts carried over to the next edition
    dropped: int = 0  # posts too old, or already published


EDITED, CORRECTED = "edited", "corrected on the web"
MERGED = "merged into "  # the reason of a skipped edition begins so if another has its posts
_CARRIED = "its posts are carried over to the next edition"
_OVER = {
    EditionState.SENT: "it has been sent to its readers",
    EditionState.SKIPPED: _CARRIED,
    EditionState.CANCELLED: "a cancelled edition cannot be resumed, and its unsent messages are skipped",
}


def status_text(record: EditionRecord) -> str:
    """Return an edition's state in words: "a draft", "approved and paused"."""
    state = "a draft" if record.state is EditionState.DRAFT else record.state.value
    return f"{state} and paused" if record.paused_at else state


def refusal(record: EditionRecord, wanted: str) -> StateError:
    """Return the error for a step that an edition cannot take: "approved", "sent again", "paused", …"""
    shown = "sent" if wanted == EditionState.SENDING else wanted
    return StateError(record.edition.id, status_text(record), shown, advice=_advice(record, shown))


def _advice(record: EditionRecord, wanted: str) -> str:
    edition_id = record.edition.id
    if record.state is EditionState.SKIPPED and record.reason.startswith(MERGED):
        return f"it was {record.reason}"
    if record.state in _OVER:
        return _OVER[record.state] if record.started_at else _CARRIED
    if wanted == EDITED and record.started_at:
        began = f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"sending began at {began}; to stop it: digest pause {edition_id}"
    if record.paused_at:
        return f"resume it with: digest resume {edition_id}"
    if record.state is EditionState.APPROVED and wanted == "sent":
        return "it was changed meanwhile; run the command again"
    if record.state is EditionState.DRAFT and wanted == "approved":
        return f"it was changed meanwhile; look at it again: digest preview {edition_id}"
    if record.state is EditionState.DRAFT and wanted == "sent":
        return f"approve it first: digest approve {edition_id}"
    return {
        "approved": "it does not need approval any more",
        "resumed": "it is not paused",
        "sent again": f"it has not been sent yet: digest send {edition_id}",
        CORRECTED: "it has not been sent yet, so it can be edited",
    }.get(wanted, "")
