"""Write an edition as canonical JSON, hash it, read it again, and reduce it to one reader's topics."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

from digest.model.editions import Edition, Section, Source, Story
from digest.model.posts import Image
from digest.model.publication import CATCH_ALL_RULE, Site
from subscribers.model import Choice

# ── the snapshot ────────────────────────────────────────────────────────────────────────────


def to_json(edition: Edition) -> str:
    """Return the canonical JSON of `edition`: sorted keys, no spaces, times in UTC."""
    return json.dumps(
        asdict(edition), default=_iso, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )


def from_json(text: str) -> Edition:
    """Return the edition that `to_json` wrote as `text`; raises ValueError for any other text."""
    try:
        return _edition(json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the snapshot of an edition: {error}") from error


def content_hash(edition: Edition) -> str:
    """Return the SHA-256 of the canonical JSON in UTF-8, as 64 hex digits."""
    return text_hash(to_json(edition))


def text_hash(snapshot: str) -> str:
    """Return the `content_hash` of the edition whose canonical JSON is `snapshot`."""
    return hashlib.sha256(snapshot.encode()).hexdigest()


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a snapshot cannot contain a {type(value).__name__}")


def _edition(data: dict[str, Any]) -> Edition:
    return Edition(
        **data
        | {
            "local_date": date.fromisoformat(data["local_date"]),
            "cutoff_at": datetime.fromisoformat(data["cutoff_at"]),
            "send_at": datetime.fromisoformat(data["send_at"]),
            "site": Site(**data["site"]),
            "lead": _story(data["lead"]) if data["lead"] else None,
            "sections": tuple(_section(section) for section in data["sections"]),
        }
    )


def _section(data: dict[str, Any]) -> Section:
    stories = {part: tuple(_story(story) for story in data[part]) for part in ("stories", "more")}
    return Section(**data | stories)


def _story(data: dict[str, Any]) -> Story:
    published = data["published_at"]
    return Story(
        **data
        | {
            "published_at": datetime.fromisoformat(published) if published else None,
            "image": Image(**data["image"]) if data["image"] else None,
            "tags": tuple(data["tags"]),
            "also": tuple(Source(**source) for source in data["also"]),
            "post_ids": tuple(data["post_ids"]),
        }
    )


# ── one reader's edition ────────────────────────────────────────────────────────────────────


def choose(edition: Edition, choice: Choice) -> Edition | None:
    """Return `edition` with only the topics of `choice`, or None if no story is left.

    A reader who did not choose the lead's topic gets another lead, the most prominent of the remaining
    stories. An edition without a lead gets none.
    """
    sections = tuple(section for section in edition.sections if choice.wants(section.slug))
    if edition.lead is None or choice.wants(edition.lead.topic):
        chosen = replace(edition, sections=sections)
    elif sections:
        lead = min((story for one in sections for story in (*one.stories, *one.more)), key=prominence)
        left = (_without(section, lead) for section in sections)
        chosen = replace(edition, lead=lead, sections=tuple(section for section in left if section))
    else:
        return None
    return chosen if chosen.lead or chosen.sections else None


def prominence(story: Story) -> tuple[int, bool, bool, float, str]:
    """Return the sort key of `Lead.AUTO`: covered by most feeds, under a topic, with an image, the newest."""
    newest = -story.published_at.timestamp() if story.published_at else 0.0
    return -len(story.also), story.rule == CATCH_ALL_RULE, story.image is None, newest, story.id


def _without(section: Section, story: Story) -> Section | None:
    """Return `section` without `story`; a headline takes its place in full, if there is one."""
    rest = tuple(each for each in (*section.stories, *section.more) if each.id != story.id)
    full = len(section.stories)
    return replace(section, stories=rest[:full], more=rest[full:]) if rest else None
