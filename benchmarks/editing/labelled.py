"""Labelled posts, and how they are read from JSON files of your own.

A file is a list of posts of one feed, in the order of their dates:

    [{"title": "Tram to the harbour", "tags": ["City", "tram"], "section": "City",
      "url": "https://example.org/a", "date": "2026-11-22T08:00:00Z", "blurb": "…"}, …]

`tags` are in the order in which the feed writes them. `section` is the label: the publisher's own first
category. It may be left out, and so may `blurb`, `url`, `language`, `feed` (else the file's name) and
`sections` (all categories of the post, the first one first).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from digest.model.posts import Post, WaitingPost


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPost:
    """A post, and the sections under which its publisher filed it: the first one is its label."""

    feed: str
    title: str
    blurb: str
    url: str
    tags: tuple[str, ...]
    sections: tuple[str, ...]
    at: datetime
    language: str | None = None

    @property
    def id(self) -> str:
        """Return the id of its post, which is the same in each run."""
        return sha256(f"{self.feed} {self.url}".encode()).hexdigest()[:16]

    def waiting(self) -> WaitingPost:
        """Return the post as it would wait for an edition."""
        post = Post(
            id=self.id,
            feed_id=self.feed,
            key=self.url,
            title=self.title,
            blurb=self.blurb,
            first_seen_at=self.at,
            fingerprint=self.id,
            url=self.url,
            published_at=self.at,
            tags=self.tags,
            language=self.language,
        )
        return WaitingPost(post=post, feed_name=self.feed)


Blog = Sequence[LabelledPost]  # one feed, the oldest post first


def read_blog(path: Path) -> Blog:
    """Return the posts of a JSON file; a mistake in it raises ValueError or KeyError."""
    posts = [
        _post(item, path.stem, number) for number, item in enumerate(json.loads(path.read_text("utf-8")))
    ]
    return sorted(posts, key=lambda post: post.at)


def _post(item: dict[str, Any], feed: str, number: int) -> LabelledPost:
    first = item.get("section")
    at = datetime.fromisoformat(item["date"])
    return LabelledPost(
        feed=item.get("feed") or feed,
        title=item["title"],
        blurb=item.get("blurb") or "",
        url=item.get("url") or f"https://example.org/{number}",
        tags=tuple(item["tags"]),
        sections=tuple(item.get("sections") or ([first] if first else [])),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        language=item.get("language"),
    )
