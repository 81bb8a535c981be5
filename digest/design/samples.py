"""Make the sample editions of the live preview: an operator's own digest, with invented stories."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from digest.collect.reading.pictures.copies import WIDE, copies_of
from digest.config import Config
from digest.model.editions import Coverage, Edition, Heading, Section, Source, Story
from digest.model.links import parse_copy_name, picture_url
from digest.model.posts import Image, Via
from digest.model.publication import Digest
from digest.render.sample import sample_of
from digest.render.shipped import shipped

_STORIES = Path(__file__).with_name("stories.toml")
_FEW = 3
_INVENTED = (
    Heading(slug="outdoors", title="Outdoors"),
    Heading(slug="on-the-move", title="On the move"),
    Heading(slug="table", title="At the table"),
)
_ARABIC = (
    Heading(slug="outdoors", title="في الهواء الطلق"),
    Heading(slug="on-the-move", title="على الطريق"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEdition:
    """One edition of the live preview; `name` is a part of addresses."""

    name: str
    title: str
    edition: Edition


def sample_editions(config: Config, digest: Digest) -> tuple[SampleEdition, ...]:
    """Return editions of many stories, of three and of one, and one that is read from right to left.

    Topics, introduction and sponsor are the digest's own, as far as there are any.
    """
    invented, arabic = (_stories(part, config.site.base_url) for part in ("stories", "arabic"))
    headings = _headings(config, digest) or _INVENTED
    base = sample_of(digest, config.site, [(each.slug, each.title) for each in headings])
    whole = replace(base, language="en", number=128, headings=headings)
    right = replace(
        whole, language="ar", title="جريدة الصباح", headings=_ARABIC, introduction="", sponsor=None
    )
    return (
        SampleEdition(name="many", title=f"{len(invented)} stories", edition=_with(whole, invented)),
        SampleEdition(name="few", title=f"{_FEW} stories", edition=_with(whole, invented[:_FEW])),
        SampleEdition(name="one", title="1 story", edition=_with(whole, invented[:1])),
        SampleEdition(name="rtl", title="Right to left", edition=_with(right, arabic)),
    )


def sample_picture(name: str) -> bytes | None:
    """Return a picture of the samples by the last part of its address; None if it is another's."""
    parsed = parse_copy_name(name)
    file = _files().get(parsed[0]) if parsed else None
    if parsed is None or file is None:
        return None
    large, small = _copies(file)
    return small if parsed[1] else large


def _headings(config: Config, digest: Digest) -> tuple[Heading, ...]:
    return tuple(
        Heading(slug=topic.slug, title=topic.title, quota=topic.quota, colour=topic.colour)
        for topic in config.topics
        if topic.slug in digest.topics
    )


def _with(edition: Edition, stories: Sequence[Story]) -> Edition:
    """Return an edition with these stories: the first is its lead, if it has one."""
    lead, rest = (None, stories) if edition.lead is None else (stories[0], stories[1:])
    first = edition.headings[0].slug
    return replace(
        edition,
        lead=replace(lead, topic=first) if lead else None,
        sections=tuple(_sections(edition.headings, rest)),
    )


def _sections(headings: Sequence[Heading], stories: Sequence[Story]) -> Iterator[Section]:
    """Yield sections with equal shares of the stories, as far as these go."""
    share = -(-len(stories) // len(headings))
    for place, heading in enumerate(headings):
        part = [replace(each, topic=heading.slug) for each in stories[place * share : (place + 1) * share]]
        if part:
            shown = len(part) if heading.quota is None else heading.quota
            yield Section(
                slug=heading.slug,
                title=heading.title,
                stories=tuple(part[:shown]),
                more=tuple(part[shown:]),
                colour=heading.colour,
            )


def _stories(part: str, base_url: str) -> tuple[Story, ...]:
    return tuple(_story(number, told, base_url) for number, told in enumerate(_told()[part]))


def _story(number: int, told: Mapping[str, Any], base_url: str) -> Story:
    coverage: Mapping[str, str] = told.get("coverage", {})
    return Story(
        id=f"sample-{number}",
        title=told["title"],
        blurb=told["blurb"],
        url=f"https://news.example.org/2026/{number}",
        source=told["source"],
        author=told["author"],
        published_at=None,
        image=_image(told, base_url),
        tags=(),
        topic="",
        rule="",
        also=tuple(Source(name=name) for name in told.get("also", ())),
        coverage=tuple(
            Coverage(post_id="", title=title, source=source) for source, title in coverage.items()
        ),
        via=Via(name=told["via"]) if "via" in told else None,
        note=told.get("note", ""),
    )


def _image(told: Mapping[str, Any], base_url: str) -> Image | None:
    if "picture" not in told:
        return None
    url = picture_url(base_url, _hash(told["picture"]))
    return Image(url=url, alt=told["alt"], width=WIDE[0], height=WIDE[1])


def _hash(file: str) -> str:
    """Return a name in the form of our copies' names, so that templates treat the picture as a copy."""
    return hashlib.sha256(file.encode()).hexdigest()


@lru_cache(maxsize=1)
def _told() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    return tomllib.loads(_STORIES.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _files() -> Mapping[str, str]:
    return {
        _hash(told["picture"]): told["picture"]
        for part in _told().values()
        for told in part
        if "picture" in told
    }


@lru_cache(maxsize=64)
def _copies(file: str) -> tuple[bytes, bytes]:
    """Return both copies of a picture of the demo."""
    found = copies_of((shipped("demo") / "pictures" / file).read_bytes())
    assert not isinstance(found, str), found
    return found.large, found.small
