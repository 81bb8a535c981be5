"""The shapes of requests and answers, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(max_length=200)]


class Shape(BaseModel):
    """The base of all shapes: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class RequestShape(Shape):
    """A subscription to one digest, with the reader's choices."""

    digest: Short
    topics: Annotated[
        str, Field(max_length=4_000, description="a,b: only these topics; -a,-b: all topics except these")
    ] = ""
    hour: Annotated[
        Short, Field(description="The earliest delivery time in the reader's time zone, for example 07:30")
    ] = ""
    zone: Annotated[Short, Field(description="The reader's time zone, for example Europe/Berlin")] = ""
    frequency: Annotated[Short, Field(description="each, daily or weekly, if the digest offers it")] = ""


class SignupShape(Shape):
    """A sign-up, with the ticket and the solved challenge from `GET /form`."""

    address: Annotated[str, Field(max_length=320)]
    digests: Annotated[list[RequestShape], Field(min_length=1, max_length=100)]
    language: Short = ""
    ticket: Annotated[str, Field(max_length=4_000)]
    proof: Annotated[str, Field(max_length=4_000)]


class SignupAccepted(Shape):
    """The answer to a sign-up; it is the same for every address."""

    message: str


class FormWords(Shape):
    """The texts of a form, in its language."""

    address: str
    button: str
    wording: str
    failed: str
    often: str


class FormShape(Shape):
    """The texts and styles of a form, with the ticket and the challenge that keep bots out."""

    title: str
    language: str
    words: FormWords
    style: Annotated[str, Field(description="A style sheet in the publisher's colours and fonts")]
    ticket: str
    challenge: Annotated[dict[str, Any], Field(description="A proof-of-work challenge (ALTCHA, version 2)")]


class TopicShape(Shape):
    """A topic that readers can choose."""

    slug: str
    title: str
    about: str


class DigestShape(Shape):
    """A digest that readers can subscribe to."""

    slug: str
    title: str
    about: str
    schedule: str
    rhythm: Annotated[str, Field(description="The schedule in words, in the requested language")]
    zone: str
    next_at: datetime | None
    topics: list[TopicShape]
    frequencies: Annotated[
        list[str], Field(description="The frequencies readers can choose: each, daily, weekly")
    ]
    archive: str


class EditionShape(Shape):
    """An edition that has been sent to readers."""

    id: str
    digest: str
    title: str
    subject: str
    local_date: str
    number: Annotated[int, Field(description="128 for the 128th edition of its digest; 0 if it is not known")]
    sent_at: datetime
    url: str


class EditionContent(EditionShape):
    """An edition with its content as it was frozen, and the hash of the content."""

    hash: str
    snapshot: dict[str, Any]


class DeskEditionShape(Shape):
    """An edition in any state, as the staff sees it."""

    id: str
    digest: str
    title: str
    subject: str
    local_date: str
    number: int
    state: str
    held: bool
    reason: Annotated[str, Field(description="Why it was held, skipped or cancelled")]
    approved_by: str | None
    cutoff_at: datetime
    send_at: datetime


class FindingShape(Shape):
    """One problem of an email; `block` keeps the edition from being approved and sent."""

    level: str
    message: str
    rule: str  # see the guide to the preflight
    where: str  # in words
    fix: str


class DeskEditionContent(DeskEditionShape):
    """An edition with its content, and the hash of all that an approval would cover."""

    hash: str
    findings: list[FindingShape]
    snapshot: dict[str, Any]


class ApprovalShape(Shape):
    """An approval of what has this hash, and of nothing else."""

    hash: Annotated[str, Field(min_length=64, max_length=64, pattern="^[0-9a-f]+$")]


class ReasonShape(Shape):
    """The reason that the colleagues read."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class SkipShape(ReasonShape):
    """One date of a digest that is left out."""

    day: Annotated[date, Field(description="A date in the zone of the digest: 2026-12-24")]


class SkippedShape(Shape):
    """A date that is left out, and the edition that was skipped with it, if there was one."""

    digest: str
    day: date
    edition: str | None


class SubscriptionShape(Shape):
    """A reader's choice of one digest."""

    digest: str
    state: str
    topics: str
    hour: str | None
    zone: str | None
    frequency: str
    paused_until: datetime | None


class SubscriberShape(Shape):
    """A reader on the list, with their subscriptions."""

    id: str
    address: str
    state: str
    language: str
    format: str
    suppressed: str | None
    confirmed_at: datetime | None
    digests: list[SubscriptionShape]


class ConsentShape(Shape):
    """One entry of a reader's consent history."""

    act: str
    at: datetime
    source: str
    wording: str
    client: str
    detail: dict[str, Any]


class SubscriberHistory(SubscriberShape):
    """A reader with their whole history."""

    history: list[ConsentShape]


class NewSubscriber(Shape):
    """A reader who agreed elsewhere; `source` says where and is kept as evidence."""

    address: Annotated[str, Field(max_length=320)]
    digests: Annotated[list[RequestShape], Field(min_length=1, max_length=100)]
    source: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Outcome(Shape):
    """The result of adding a reader: new, added, known, left or suppressed."""

    outcome: str


class Problem(Shape):
    """A problem in one sentence. A problem the reader can fix is in their language and names the field."""

    detail: str
    field: str = ""
