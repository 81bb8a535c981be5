"""Turn one entry, from any kind of feed, into one clean post."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from digest.collect.reading.clean import Body, plain, read_html
from digest.collect.reading.identity import bounded, fingerprint, hash_of, post_id
from digest.collect.reading.images import WARNED, candidates, image_of
from digest.collect.reading.pictures.offers import Picture
from digest.collect.reading.prose import (
    announces,
    blurb,
    cut,
    feed_line,
    is_cut,
    is_whole,
    sentences,
    told,
    words_of,
)
from digest.collect.wording.bylines import byline, is_own_name
from digest.model.links import canonical_url, shown_url, site_of, web_url
from digest.model.posts import Post, Via
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
    sin categorizar, sem categoria, senza categoria, geen categorie, ongecategoriseerd, bez kategorii,
    okategoriserad, okategoriserade, ukategorisert, ikke kategoriseret, luokittelematon, nezařazené,
    necategorizat, kategorisiz, без рубрики, без категории, без категорії,
    χωρίς κατηγορία, غير مصنف, بدون تصنيف,
    ללא קטגוריה, دسته بندی نشده, 未分类, 未分類, 미분류, chưa phân loại, tak berkategori,
    headline, featured, front page, frontpage, homepage, sticky"""
_DEFAULT_TAGS = frozenset(" ".join(name.split()) for name in _NO_TAGS.split(","))
# Ids, hashes, the formats of WordPress, communities of Reddit, and words that every post has.
_IDLE_TAG = re.compile(
    r"_.*|[\d\W]+|(?=[a-f]*\d)[0-9a-f]{8,}|post-format-.*|[ru]/\w+|\w+_id|(?:blog ?)?posts?|articles?|blogs?"
    r"|standard|slider|carousel|hero|top ?stor(?:y|ies)|no ?index|exclude.*|rss|feed",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[A-Z]+|[a-z]+")
_SMALL = "(?:And|Of|The|For|In|On|Or|To|With)"
_SMALL_WORD = re.compile(rf"(?<=[A-Za-z]){_SMALL}(?=[A-Z])|^{_SMALL}$")
_DATE = r"(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})"
_TIME_STAMP = re.compile(rf"{_DATE}(?:,?\s+\d{{1,2}}[:h]\d{{2}}(?::\d{{2}})?)?\s*[–—:|-]\s+(?=\S+\s+\S)")
_SITE = re.compile(r"(?P<title>.*\S)\s+(?P<mark>[|»·–—-])\s+(?P<site>.{3,80})")
_PARTS = re.compile(r"\s+[|»·:–—-]\s+|:\s")
_TITLED = 2  # words of a title that stand alone
_AUTHORS = 50  # of one post
_SAME_START = 40  # letters by which an excerpt is found in its text
_LONG = 80  # characters; a text of that length is no scrap
_DECK = 4  # words of a summary without a full stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as a feed gives it: texts may be HTML, links may be relative, and anything may be missing."""

    id: str = ""
    link: str = ""
    base: str = ""  # links are relative to this address
    page: str = ""  # what its text contains is relative to this address; by default its link or `base`
    title: str = ""
    summary: str = ""
    content: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    tags: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()  # the feed names them as pictures of the post
    thumbnails: tuple[Picture, ...] = ()  # small versions, or of unknown size
    language: str = ""
    origin: tuple[str, str] = ("", "")  # name and address of the publication that the entry was taken from
    for_adults: bool = False  # its pictures are not for everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSource:
    """The values that all posts of one document share."""

    feed_id: str
    now: datetime
    tags: tuple[str, ...] = ()  # the operator gives them to every post
    language: str | None = None
    title: str = ""


def clean_post(entry: Entry, source: FeedSource) -> Post | None:
    """Return the post of an entry; None if the entry has no title and no title can be made for it."""
    url = _shown(entry.link, entry.base)
    page = entry.page or url or entry.base or None
    bodies = [read_html(html, page) for html in (entry.summary, entry.content)]
    stated = plain(entry.title, TITLE)
    has_title = _has_content(stated)
    stated = _TIME_STAMP.sub("", stated, count=1) if _TIME_STAMP.match(stated) else stated
    warning = "" if has_title else next((body.warning for body in bodies if body.warning), "")
    via = _via(entry, bodies, url, source)
    paragraphs = () if warning else _for_blurb(stated, *bodies)
    pictures = candidates(_pictures(entry, bodies), url)
    if warning or entry.for_adults:
        pictures = tuple(replace(each, reason=each.reason or WARNED) for each in pictures)
    image = image_of(pictures)
    author = _author(entry.authors, source.title)
    if has_title:
        bare = _without_site(_without_source(stated, via.name if via else ""), source.title)
        title = _without_columnist(bare, author or "")
    else:
        title = cut(warning, MADE_TITLE) or _made_title(paragraphs, image.alt if image else "", url)
    if not title:
        return None
    published_at = _believable(entry.published_at, source.now)
    key = _key(entry.id, url, title, published_at)
    names = tuple(filter(None, (author, via.name if via else None, source.title)))
    post = Post(
        id=post_id(source.feed_id, key),
        feed_id=source.feed_id,
        key=key,
        url=url,
        title=title,
        blurb=blurb(paragraphs, title, names=names),
        author=author,
        published_at=published_at,
        first_seen_at=source.now,
        image=image,
        pictures=pictures,
        tags=_tags((*entry.tags, *source.tags)),
        language=language(entry.language) or source.language,
        fingerprint="",
        via=via,
    )
    return replace(post, fingerprint=fingerprint(post))


def language(text: str) -> str | None:
    """Return a feed's language as a BCP 47 tag, or None if it is not a tag."""
    tag = text.strip().replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) else None


def _shown(link: str, base: str) -> str | None:
    url = web_url(link, base or None)
    return shown_url(url) if url else None


def _for_blurb(title: str, summary: Body, content: Body) -> tuple[str, ...]:
    """Return the paragraphs for the blurb: the summary if a person wrote it, otherwise the content."""
    deck, text = _from_first_prose(summary.paragraphs), _from_first_prose(content.paragraphs)
    if not (deck and text):
        return deck or text
    whole = is_whole(deck[0]) or len(sentences(deck[0])) > 1
    start, told = _letters(deck[0])[:_SAME_START], _letters(" ".join(text))
    if is_cut(deck[-1]) and is_whole(text[0]):
        # An excerpt is never better than the text it was cut from, but some feeds send no more than that.
        return deck if whole and start in told and len(told) < len(_letters(" ".join(deck))) else text
    if start in _letters(content.opening):
        # A program made the excerpt. If it begins with what is no prose in the content, it has a share bar.
        return deck if whole and start in told else text
    return deck if whole or not is_whole(text[0]) or _is_deck(deck[0], title) else text


def _is_deck(text: str, title: str) -> bool:
    """Return whether a text without a full stop says, in four words or more, what the title does not."""
    if 2 * len(words_of(text) & words_of(title)) > len(words_of(text)):
        return False
    return not text.endswith(("…", "...", ":")) and (
        len(text.split()) >= _DECK or (not text.isascii() and len(text) >= _DECK * 3)
    )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _via(entry: Entry, bodies: Sequence[Body], url: str | None, source: FeedSource) -> Via | None:
    """Return the publication that had the post first, if it is not the post's own site."""
    name, link = plain(entry.origin[0], AUTHOR), _shown(entry.origin[1], entry.base)
    stated = [Via(name=name, url=link)] if name else []
    own = site_of(url) if url else ""
    for via in (*stated, *(via for body in reversed(bodies) for via in body.via)):
        another = not (own and via.url and site_of(via.url) == own)
        if another and not is_own_name(via.name, source.title, own):
            return Via(name=cut(via.name, AUTHOR), url=shown_url(via.url) if via.url else None)
    return None


def _without_columnist(title: str, author: str) -> str:
    """Return a title without the name of its author at the end: "The pier opens | Ada Quill"."""
    start, bar, name = title.rpartition(" | ")
    return start if bar and name and author.startswith(name) else title


def _without_source(title: str, name: str) -> str:
    """Return a title without the name of its source at the end: "The pier opens - Wire News"."""
    found = re.search(rf"\s+[-–—|]\s+{re.escape(name)}$", title) if name else None
    return title[: found.start()] if found and found.start() else title


def _without_site(title: str, site: str) -> str:
    """Return a title without the name of its site at the end, as browsers show it: "Pier opens | Gazette".

    A dash may belong to the headline ("Harbour 2 – Lakeside"), so there the name must have two words.
    """
    found = _SITE.fullmatch(title)
    if found is None or len(found["title"].split()) < _TITLED:
        return title
    homes = {fold(part) for part in (site, *_PARTS.split(site))}
    sure = found["mark"] in "|»·" or " " in found["site"]
    return found["title"] if sure and fold(found["site"]) in homes else title


def _from_first_prose(paragraphs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paragraphs from the first whole sentence on, without datelines, names and other scraps."""
    for number, text in enumerate(paragraphs):
        if len(text) >= _LONG or is_whole(text) or announces(text) or len(sentences(text)) > 1:
            return paragraphs[number:]
    return paragraphs


def _pictures(entry: Entry, bodies: Sequence[Body]) -> Iterator[Iterable[Picture]]:
    """Yield groups of pictures, best first: those that the feed names, then those in the text, in order."""
    yield entry.pictures
    yield [picture for picture in entry.thumbnails if picture.width]
    for body in reversed(bodies):
        yield body.pictures
    yield entry.thumbnails


def _made_title(paragraphs: Sequence[str], alt: str, url: str | None) -> str:
    """Return a title for an untitled post: its first sentence, its picture's text, or its link's words."""
    first = next((sentence for text in paragraphs for sentence in told(text)), "")
    words = _words_of(url) if url else ""
    return cut(next(filter(_has_content, (first, alt, words, *paragraphs)), ""), MADE_TITLE)


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


def _author(names: Sequence[str], site: str) -> str | None:
    """Return the names of a post's authors in one text, without addresses and names of accounts."""
    return cut(byline(tuple(plain(name, TITLE) for name in names[:_AUTHORS]), site), AUTHOR) or None


def _tags(written: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of a post, each once, in the spelling that comes first.

    Tags that mean nothing to anybody are left out. Tags that state a place in the site stay, although they
    are not shown, because they tell the section of the post.
    """
    kept: dict[str, str] = {}
    for tag in map(plain, written):
        shown = _spaced(tag.strip().lstrip("#").strip())
        machine = "|" in shown or "://" in shown or _IDLE_TAG.fullmatch(shown)
        if not machine and len(shown) <= TAG and (key := fold(shown)) and key not in _DEFAULT_TAGS:
            kept.setdefault(key, shown)
    # "ClimateChange" is left out beside "climate change".
    joined = {key.replace(" ", "") for key in kept if " " in key}
    return tuple(shown for key, shown in kept.items() if key not in joined)[:TAGS]


def _spaced(tag: str) -> str:
    """Return a tag whose words were joined with its words apart: "TVAndMovies" → "TV and Movies".

    Names such as "YouTube" are written like that too, so a small word must stand between the others.
    """
    words = _WORDS.findall(tag) if tag.isalpha() and _SMALL_WORD.search(tag) else []
    if "".join(words) != tag or min(map(len, words), default=0) <= 1:
        return tag
    return " ".join(word.lower() if _SMALL_WORD.fullmatch(word) else word for word in words)
