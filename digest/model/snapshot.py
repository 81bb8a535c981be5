"""Write an edition as canonical JSON, hash it, read it again, and reduce it to one reader's topics."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from heapq import merge
from typing import Any

from digest.model.editions import Claim, Coverage, Edition, Every, Heading, Section, Source, Story
from digest.model.posts import Image, Via
from digest.model.publication import CATCH_ALL_RULE, Brand, BrandLink, BrandPicture, Site, Sponsor, Style
from subscribers.model import Choice

# The fields that earlier versions of the program did not have, and the values with which they are left out.
_NEWS: Mapping[str, object] = {
    **{field.name: field.default for field in fields(Brand)},
    **dict.fromkeys(("section", "colour", "note", "introduction", "signed"), ""),
    **dict.fromkeys(("via", "next_at", "every", "sponsor"), None),
    "brand": {},
    "coverage": (),
    "number": 0,
    "style": Style.NEWSPAPER,
}

# ── the snapshot ────────────────────────────────────────────────────────────────────────────


def to_json(edition: Edition) -> str:
    """Return the canonical JSON of `edition`: sorted keys, no spaces, times in UTC.

    Fields that earlier versions did not have are left out where they say nothing, so that hashes stay.
    """
    values = asdict(edition, dict_factory=_without_news)
    return json.dumps(values, default=_iso, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _without_news(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name not in _NEWS or value != _NEWS[name]}


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
            "site": _site(data["site"]),
            "lead": story_from(data["lead"]) if data["lead"] else None,
            "sections": tuple(_section(section) for section in data["sections"]),
            # Snapshots of earlier versions have no headings, and no claims below.
            "headings": tuple(Heading(**heading) for heading in data.get("headings", ())),
            "style": Style(data.get("style", Style.NEWSPAPER)),
            "next_at": _moment(data.get("next_at")),
            "every": Every(data["every"]) if data.get("every") else None,
            "sponsor": Sponsor(**data["sponsor"]) if data.get("sponsor") else None,
        }
    )


def _site(data: dict[str, Any]) -> Site:
    return Site(**data | {"brand": _brand(data.get("brand", {}))})


def _brand(data: dict[str, Any]) -> Brand:
    pictures = {
        name: BrandPicture(**data[name]) for name in ("logo", "logo_dark", "header") if data.get(name)
    }
    links = tuple(BrandLink(**link) for link in data.get("links", ()))
    return Brand(**data | pictures | {"links": links})


def _section(data: dict[str, Any]) -> Section:
    stories = {part: tuple(story_from(story) for story in data[part]) for part in ("stories", "more")}
    return Section(**data | stories)


def story_values(story: Story) -> dict[str, Any]:
    """Return a story as values for JSON, as a snapshot has them."""
    values: dict[str, Any] = json.loads(
        json.dumps(asdict(story, dict_factory=_without_news), default=_iso, ensure_ascii=False)
    )
    return values


def story_from(data: Mapping[str, Any]) -> Story:
    """Return the story of which `data` are the `story_values`."""
    return Story(
        **dict(data)
        | {
            "published_at": _moment(data["published_at"]),
            "image": Image(**data["image"]) if data["image"] else None,
            "tags": tuple(data["tags"]),
            "also": tuple(Source(**source) for source in data["also"]),
            "post_ids": tuple(data["post_ids"]),
            "claims": tuple(Claim(**claim) for claim in data.get("claims", ())),
            "via": Via(**data["via"]) if data.get("via") else None,
            "coverage": tuple(Coverage(**each) for each in data.get("coverage", ())),
        }
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# ── one reader's edition ────────────────────────────────────────────────────────────────────


def choose(edition: Edition, choice: Choice) -> Edition | None:
    """Return `edition` with only the stories of the chosen topics, or None if no story is left.

    A story stands under the first of its topics that the reader chose. A reader who chose no topic of the
    lead gets another lead, the most prominent of the remaining stories. An edition without a lead gets none.
    """
    headings = headings_of(edition)
    chosen = [heading for heading in headings if choice.wants(heading.choice)]
    if len(chosen) == len(headings):
        return edition
    wanted = frozenset(heading.slug for heading in chosen)
    lead = edition.lead
    if lead and lead.topic not in wanted:
        lead = _moved(lead, wanted)
    full = _by_topic([(section.slug, section.stories) for section in edition.sections], wanted)
    more = _by_topic([(section.slug, section.more) for section in edition.sections], wanted)
    queues = {heading: (*full[heading.slug], *more[heading.slug]) for heading in chosen}
    if edition.lead and not lead and any(queues.values()):
        lead = min((story for queue in queues.values() for story in queue), key=prominence)
        queues = {heading: _without(queue, lead) for heading, queue in queues.items()}
    # The edition fits into an email, so no choice of its topics shows more stories in full than the edition.
    room = sum(len(section.stories) for section in edition.sections)
    known = {section.slug: section for section in edition.sections}
    sections = tuple(_shared(section, known) for section in sections_of(queues, room))
    return replace(edition, lead=lead, sections=sections) if lead or sections else None


def headings_of(edition: Edition) -> tuple[Heading, ...]:
    """Return all topics that claim a story of `edition`, in the digest's order.

    Editions of earlier versions have no headings, so the title of a topic that has only the lead is unknown.
    """
    found = {heading.slug: heading for heading in edition.headings}
    claiming = {claim.topic for story in edition.stories() if story.claims for claim in story.claims}
    for section in edition.sections:
        if section.slug not in found:
            quota = len(section.stories) if section.more else None
            found[section.slug] = Heading(
                slug=section.slug, title=section.title, quota=quota, colour=section.colour
            )
        claiming.add(section.slug)
    if edition.lead:
        claiming.add(edition.lead.topic)
        found.setdefault(edition.lead.topic, Heading(slug=edition.lead.topic, title=""))
    return tuple(heading for slug, heading in found.items() if slug in claiming)


def sections_in(edition: Edition) -> tuple[tuple[str, str, int], ...]:
    """Return the topics that readers can choose and under which stories stand: slug, title, stories.

    The largest is first. The catch-all is left out.
    """
    choices = {heading.slug: heading.choice for heading in edition.headings}
    titles = {heading.slug: heading.title for heading in headings_of(edition)}
    titles |= {heading.slug: heading.title for heading in edition.headings}
    claimed = [story.topic for story in edition.stories() if story.rule != CATCH_ALL_RULE]
    counts = Counter(choices.get(topic, topic) for topic in claimed)
    return tuple((slug, titles.get(slug, slug), count) for slug, count in counts.most_common())


def prominence(story: Story) -> tuple[int, bool, bool, float, str]:
    """Return the sort key of `Lead.AUTO`: covered by most feeds, under a topic, with an image, the newest."""
    return -story.covered_by, story.rule == CATCH_ALL_RULE, story.image is None, *age(story)


def age(story: Story) -> tuple[float, str]:
    """Return a key that sorts stories, the newest first."""
    return -story.published_at.timestamp() if story.published_at else 0.0, story.id


def sections_of(queues: Mapping[Heading, Sequence[Story]], room: int) -> Iterator[Section]:
    """Yield a section for each topic with stories.

    The topics' quotas and the `room` limit how many stories are shown in full; the others become headlines.
    """
    # Topics take turns, so that a busy topic does not take all the room.
    turns = sorted(
        (turn, number, story.id)
        for number, (heading, queue) in enumerate(queues.items())
        for turn, story in enumerate(queue[: heading.quota])
    )
    kept = frozenset(story_id for _, _, story_id in turns[:room])
    for heading, queue in queues.items():
        full = sum(story.id in kept for story in queue)
        if queue:
            stories, more = tuple(queue[:full]), tuple(queue[full:])
            yield Section(
                slug=heading.slug, title=heading.title, stories=stories, more=more, colour=heading.colour
            )


def _moved(story: Story, wanted: frozenset[str]) -> Story | None:
    """Return a story whose own topic is not wanted under the first other topic that claims it and is."""
    topic = next((claim.topic for claim in story.claims if claim.topic in wanted), None)
    return _under(story, topic) if topic is not None else None


@lru_cache(maxsize=4_096)  # choices share the result, because each object is rendered once
def _under(story: Story, topic: str) -> Story:
    """Return `story` under the topic of one of its claims, with the claims that come after it."""
    at = story.topics.index(topic)
    return replace(story, topic=topic, rule=story.claims[at - 1].rule, claims=story.claims[at:])


def _by_topic(
    placed: Iterable[tuple[str, Iterable[Story]]], wanted: frozenset[str]
) -> Mapping[str, Sequence[Story]]:
    """Return the wanted stories by topic: those of a section in its order, and the others by their age."""
    own: dict[str, list[Story]] = defaultdict(list)
    moved: dict[str, list[Story]] = defaultdict(list)
    for section, stories in placed:
        for story in stories:
            if section in wanted:
                own[section].append(story)
            elif other := _moved(story, wanted):
                moved[other.topic].append(other)
    for slug, others in moved.items():
        own[slug] = list(merge(own[slug], sorted(others, key=age), key=age))
    return own


def _shared(section: Section, known: Mapping[str, Section]) -> Section:
    """Return the equal section of the edition, if there is one, because each object is rendered once."""
    whole = known.get(section.slug, section)
    return whole if whole == section else section


def _without(stories: Iterable[Story], story: Story) -> tuple[Story, ...]:
    return tuple(each for each in stories if each.id != story.id)
