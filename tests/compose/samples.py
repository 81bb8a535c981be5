"""Sample posts, topics and digests for the tests of compose; a test states only the values it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from digest.compose.plan import PlanInput
from digest.compose.stories.group import Group
from digest.compose.stories.same import gather
from digest.compose.stories.words import words
from digest.model.editions import Due
from digest.model.posts import Image, Post, WaitingPost
from digest.model.publication import Digest, Site, Topic

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
DUE = Due(local_date=date(2026, 11, 22), cutoff_at=NOW, send_at=NOW + timedelta(minutes=30))
SITE = Site(name="Harbour Papers", base_url="https://papers.example.org", postal_address="1 Quay, Port Ellis")
DAILY = Digest(
    slug="daily",
    title="The Daily",
    schedule="every day at 07:00",
    sender="Harbour Papers <daily@example.org>",
)
IMAGE = Image(url="https://img.example.org/lighthouse.jpg", alt="A lighthouse", width=640, height=360)
FEEDS = ("Harbour News", "Coast Weekly", "The Tram Times", "Island Radio")


def published(title: str, feed: str = "Harbour News", *, hours: float = 1, **fields: Any) -> WaitingPost:
    """Return a waiting post published and first seen `hours` before NOW; its id is made of feed and title."""
    at = NOW - timedelta(hours=hours)
    name = str(fields.get("id", f"{feed}/{title}".lower().replace(" ", "-")))
    values: dict[str, Any] = {
        "id": name,
        "feed_id": feed,
        "key": name,
        "title": title,
        "blurb": "A calm day at the harbour, with light winds from the west.",
        "first_seen_at": at,
        "published_at": at,
        "fingerprint": name,
        "url": f"https://{feed.lower().replace(' ', '-')}.example.org/{name.rpartition('/')[2]}",
    }
    return WaitingPost(post=Post(**values | fields), feed_name=feed)


def topic(slug: str, **fields: Any) -> Topic:
    return Topic(slug=slug, title=slug.replace("-", " ").capitalize(), **fields)


def plan_input(*topics: Topic, due: Due = DUE, taken: tuple[str, ...] = (), **digest: Any) -> PlanInput:
    """Return the plan input for the daily digest with `topics`; `digest` changes fields of the digest."""
    fields = {field: getattr(DAILY, field) for field in ("slug", "title", "schedule", "sender")}
    return PlanInput(
        digest=Digest(**fields | {"topics": tuple(topic.slug for topic in topics)} | digest),
        site=SITE,
        due=due,
        topics=topics,
        taken=taken,
    )


def groups(*waiting: WaitingPost) -> tuple[Group, ...]:
    return gather(waiting)


# ── arbitrary posts, many of which cover the same story ─────────────────────────────────────

_titles = st.lists(
    st.sampled_from(words("harbour tram opens storm island bridge lighthouse record 14 15 not again")),
    min_size=1,
    max_size=7,
).map(" ".join)
_links = st.none() | st.sampled_from([f"https://papers.example.org/{number}" for number in range(12)])
_tags = st.lists(
    st.sampled_from(["Trams", "trams", "Tram", "climate-change", "Sea", "News", "a|b"]), max_size=4
)


@st.composite
def posts(draw: st.DrawFn, name: str = "") -> WaitingPost:
    number = draw(st.integers(0, 10**9))
    seen = NOW - timedelta(minutes=draw(st.integers(0, 60 * 24 * 6)))
    return published(
        draw(_titles),
        draw(st.sampled_from(FEEDS)),
        id=name or f"p{number}",
        url=draw(_links),
        tags=tuple(draw(_tags)),
        image=draw(st.none() | st.just(IMAGE)),
        first_seen_at=seen,
        published_at=draw(st.none() | st.just(seen - timedelta(hours=draw(st.integers(-30, 200))))),
    )


waiting = st.lists(posts(), max_size=25, unique_by=lambda each: each.post.id)
topics = st.lists(
    st.builds(
        topic,
        st.sampled_from(["trams", "sea", "climate", "island"]),
        tags=st.lists(st.sampled_from(["tram", "sea", "climate change"]), max_size=2).map(tuple),
        keywords=st.lists(st.sampled_from(["storm", "opens storm", "harbour"]), max_size=1).map(tuple),
        feeds=st.lists(st.sampled_from(FEEDS), max_size=1).map(tuple),
        order=st.integers(0, 2),
        quota=st.none() | st.integers(0, 3),
    ),
    max_size=4,
    unique_by=lambda each: each.slug,
)
