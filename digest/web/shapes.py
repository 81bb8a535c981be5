"""What the API takes and gives, as its OpenAPI document describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(max_length=200)]


class Shape(BaseModel):
    """Names that are not in it are refused."""

    model_config = ConfigDict(extra="forbid")


class WishShape(Shape):
    """One digest, as a reader wants it."""

    digest: Short
    topics: Annotated[str, Field(max_length=4_000, description="a,b: only these; -a,-b: all but these")] = ""
    hour: Annotated[Short, Field(description="07:30, on the reader's clock")] = ""
    zone: Annotated[Short, Field(description="Europe/Berlin")] = ""
    frequency: Annotated[Short, Field(description="each, daily or weekly, where the digest offers it")] = ""


class SignupShape(Shape):
    """A sign-up, with the ticket and the solved challenge of `GET /form`."""

    address: Annotated[str, Field(max_length=320)]
    digests: Annotated[list[WishShape], Field(min_length=1, max_length=100)]
    language: Short = ""
    ticket: Annotated[str, Field(max_length=4_000)]
    proof: Annotated[str, Field(max_length=4_000)]


class Told(Shape):
    """What is said to everybody, whatever happens behind it."""

    message: str


class FormWords(Shape):
    """The words of a form, in its language."""

    address: str
    button: str
    wording: str
    failed: str
    often: str


class FormShape(Shape):
    """All a form needs: its words, and what proves that a person fills it in."""

    title: str
    language: str
    words: FormWords
    ticket: str
    challenge: Annotated[dict[str, Any], Field(description="ALTCHA, second version")]


class TopicShape(Shape):
    """A topic that can be chosen."""

    slug: str
    title: str
    about: str


class DigestShape(Shape):
    """A digest that can be subscribed to."""

    slug: str
    title: str
    about: str
    schedule: str
    rhythm: Annotated[str, Field(description="the schedule in the language asked for")]
    zone: str
    next_at: datetime | None
    topics: list[TopicShape]
    frequencies: Annotated[list[str], Field(description="what a wish may name: each, daily, weekly")]
    archive: str


class EditionShape(Shape):
    """An edition that readers have been sent."""

    id: str
    digest: str
    title: str
    subject: str
    local_date: str
    sent_at: datetime
    url: str


class EditionContent(EditionShape):
    """An edition with its content as it was frozen, and the hash of that."""

    hash: str
    snapshot: dict[str, Any]


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
    """A reader."""

    id: str
    address: str
    state: str
    language: str
    format: str
    suppressed: str | None
    confirmed_at: datetime | None
    digests: list[SubscriptionShape]


class ConsentShape(Shape):
    """One line of what a reader agreed to or ended."""

    act: str
    at: datetime
    source: str
    wording: str
    client: str
    detail: dict[str, Any]


class SubscriberHistory(SubscriberShape):
    """A reader with everything that happened."""

    history: list[ConsentShape]


class NewSubscriber(Shape):
    """A reader who has agreed elsewhere; `source` says where, and is kept as evidence."""

    address: Annotated[str, Field(max_length=320)]
    digests: Annotated[list[WishShape], Field(min_length=1, max_length=100)]
    source: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Outcome(Shape):
    """What became of it: new, added, known, left, suppressed."""

    outcome: str


class Problem(Shape):
    """What is wrong, in one sentence; in a reader's language where it is theirs to mend, with the field."""

    detail: str
    field: str = ""
