"""Turn one entry, from any kind of feed, into one clean post."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from digest.collect.reading.clean import Body, Picture, plain, read_html
from digest.collect.reading.identity import bounded, fingerprint, hash_of, post_id
from digest.collect.reading.images import choose
from digest.collect.reading.prose import blurb, cut, feed_line, is_whole, sentences
from digest.model.links import canonical_url, web_url
from digest.model.posts import Post
from digest.model.tags import fold

TITLE = 300  # characters
MADE_TITLE = 120  # characters of a title that is made from the text
TAGS = 30  # of one post
TAG = 60  # characters
AUTHOR = 100  # characters

_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_EARLY = timedelta(days=1)  # dates may be so far in the future: publishers' clocks can be wrong by hours
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
# Tags that a system gives to posts without a tag, and tags that editors use only for themselves.
_NO_TAGS = """uncategorized, uncategorised, unkategorisiert, allgemein, non classé, sin categoría,
    sem categoria, senza categoria, geen categorie, bez kategorii, без рубрики, 未分类, 未分類,
    headline, featured, front page, frontpage, homepage, sticky"""
_DEFAULT_TAGS = frozenset(" ".join(name.split()) for name in _NO_TAGS.split(","))
_ADDRESS = re.compile(r"[(<]?[^\s@()<>]+@[^\s@()<>]+[)>]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as a feed gives it: texts may be HTML, links may be relative, and anything may be missing."""

    id: str = ""
    link: str = ""
    base: str = ""  # links are relative to this address
    title: str = ""
    summary: str = ""
    content: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    tags: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()  # the feed names them as pictures of the post
    thumbnails: tuple[Picture, ...] = ()  # small versions, or of unknown size
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSource:
    """The values that all posts of one document share."""

    feed_id: str
    now: datetime
    tags: tuple[str, ...] = ()  # the operator gives them to every post
    language: str | None = None


def clean_post(entry: Entry, source: FeedSource) -> Post | None:
    """Return the post of an entry; None if the entry has no title and no title can be made for it."""
    url = web_url(entry.link, entry.base or None)
    bodies = [read_html(html, entry.base or None) for html in (entry.summary, entry.content)]
    paragraphs = _for_blurb(bodies)
    image = choose(_pictures(entry, bodies))
    stated = plain(entry.title, TITLE)
    title = stated if _has_content(stated) else _made_title(paragraphs, image.alt if image else "", url)
    if not title:
        return None
    published_at = _believable(entry.published_at, source.now)
    key = _key(entry.id, url, title, published_at)
    post = Post(
        id=post_id(source.feed_id, key),
        feed_id=source.feed_id,
        key=key,
        url=url,
        title=title,
        blurb=blurb(paragraphs, title),
        author=_author(entry.authors),
        published_at=published_at,
        first_seen_at=source.now,
        image=image,
        tags=_tags((*entry.tags, *source.tags)),
        language=language(entry.language) or source.language,
        fingerprint="",
    )
    return replace(post, fingerprint=fingerprint(post))


def language(text: str) -> str | None:
    """Return a feed's language as a BCP 47 tag, or None if it is not a tag."""
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else None


def _for_blurb(bodies: Sequence[Body]) -> tuple[str, ...]:
    """Return the paragraphs for the blurb: the summary if it is prose, otherwise the content."""
    summary, content = (_from_first_prose(body.paragraphs) for body in bodies)
    if summary and (is_whole(summary[0]) or len(sentences(summary[0])) > 1):
        return summary
    # A summary that ends in the middle of its first sentence is only the beginning of the content.
    if content and (not summary or is_whole(content[0])):
        return content
    return summary or content


def _from_first_prose(paragraphs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paragraphs from the first whole sentence on, without datelines, names and other scraps."""
    for number, text in enumerate(paragraphs):
        if len(text) >= 80 or is_whole(text):
            return paragraphs[number:]
    return paragraphs


def _pictures(entry: Entry, bodies: Sequence[Body]) -> Iterator[Iterable[Picture]]:
    """Yield groups of pictures, best first: those that the feed names, then those in the text, in order."""
    yield entry.pictures
    yield [picture for picture in entry.thumbnails if picture.width]
    for body in reversed(bodies):
        for picture in body.pictures:
            yield (picture,)
    yield entry.thumbnails


def _made_title(paragraphs: Sequence[str], alt: str, url: str | None) -> str:
    """Return a title for an untitled post: its first sentence, its picture's text, or its link's words."""
    first = next((sentence for text in paragraphs for sentence in sentences(text)), "")
    words = _words_of(url) if url else ""
    return cut(next((text for text in (first, alt, words) if _has_content(text)), ""), MADE_TITLE)


def _words_of(url: str) -> str:
    """Return the last part of a link as words: "/2026/the-old-pier/" → "The old pier"."""
    last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1].partition(".")[0]
    words = feed_line(re.sub(r"[-_+]+", " ", last))
    return words[:1].upper() + words[1:] if " " in words else ""


def _has_content(text: str) -> bool:
    return any(char.isalnum() or char > "\u2190" for char in text)  # an emoji counts, punctuation does not


def _believable(moment: datetime | None, now: datetime) -> datetime | None:
    if moment is None or not _OLDEST <= moment <= now + _EARLY:
        return None
    return moment


def _key(entry_id: str, url: str | None, title: str, published_at: datetime | None) -> str:
    """Return the feed's own identifier of an entry: its id, or its link, or its title and date."""
    if stated := feed_line(entry_id):
        return bounded(stated)
    if url:
        return bounded(canonical_url(url))
    return hash_of(f"{title}\n{published_at}")


def _author(names: Sequence[str]) -> str | None:
    """Return the names of a post's authors in one text, without email addresses."""
    shown = (plain(_ADDRESS.sub("", name)) for name in names)
    # "address (Name)" becomes a name in brackets.
    bare = (name[1:-1] if name[:1] + name[-1:] == "()" else name for name in shown)
    return cut(", ".join(dict.fromkeys(filter(None, bare))), AUTHOR) or None


def _tags(written: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are meant for people, each once, in the spelling that comes first."""
    kept: dict[str, str] = {}
    for tag in map(plain, written):
        shown = tag.strip().lstrip("#").strip()
        machine = "|" in shown or "://" in shown
        if not machine and len(shown) <= TAG and (key := fold(shown)) and key not in _DEFAULT_TAGS:
            kept.setdefault(key, shown)
    return tuple(kept.values())[:TAGS]
