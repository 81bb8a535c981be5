"""Know the names of sections on front pages, in many languages, and the heading under which they meet.

The words are in `lexicon.txt`, which says how to extend it. They join the names of sections that publishers
write themselves; no text of a post is ever compared with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from digest.compose.sections.names import data_lines, key_of, plain_key
from digest.model.tags import place_of

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ID = re.compile(r"(.+?)-\d{5,}")  # "world-europe-61002622"
NATIONAL = "national"
_ABROAD = "world"
# "Essen & Trinken" is "essen and trinken" for `plain_key`, and so is "Essen und Trinken" here.
_AND = re.compile(r"(?<=\w) (?:und|et|y|e|en|og|och|и|و) (?=\w)")
_NEWS = (" news", " nachrichten")
_STROKE = re.compile(r"[/>»›]|::")
_NAMED = re.compile(r"\s*[\w-]+:(?!:)\S")  # "topics:things/gardens", and addresses
_SPACED = re.compile(r"\s([/>»›]|::)\s")
# The heading above stories without a section.
_REST = {
    "en": "More stories", "de": "Weitere Meldungen", "fr": "Autres articles", "es": "Más noticias",
    "it": "Altre notizie", "pt": "Mais notícias", "nl": "Meer nieuws", "pl": "Pozostałe wiadomości",
    "ru": "Другие новости", "uk": "Інші новини", "sv": "Fler nyheter", "da": "Flere nyheder",
    "nb": "Flere nyheter", "fi": "Muut uutiset", "cs": "Další zprávy", "sk": "Ďalšie správy",
    "hu": "További hírek", "ro": "Alte știri", "el": "Περισσότερα", "tr": "Diğer haberler",
    "ar": "المزيد من الأخبار", "he": "עוד כתבות", "fa": "خبرهای دیگر", "ja": "その他の記事",
    "zh": "更多文章", "ko": "다른 기사", "id": "Berita lainnya", "vi": "Tin khác",
}  # fmt: skip
_SHORTEST = 3  # letters of a part of a path; "AC/DC" and "9/11" are no paths


@dataclass(frozen=True, slots=True)
class _Lexicon:
    slugs: dict[str, str]  # of the heading, by the key of each word
    titles: dict[str, dict[str, str]]  # of each heading, by language
    wider: dict[str, str]  # the heading under which some newspapers have this one
    news: frozenset[str]  # keys of words for all the news


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    slugs: dict[str, str] = {}
    titles: dict[str, dict[str, str]] = {}
    wider: dict[str, str] = {}
    news: list[str] = []
    slug = ""
    for name, text, keys in data_lines("lexicon.txt"):
        if not name:
            slug = text
        elif name == "title":
            titles[slug] = dict(pair.strip().split("=", 1) for pair in text.split(","))
        elif name == "wider":
            wider[slug] = text
        elif name == "news":
            news += keys
        else:
            meant = f"{slug}@{name}" if "-" in name else slug
            slugs.update({form: meant for key in keys for form in (key, _AND.sub(" and ", key))})
    return _Lexicon(slugs, titles, wider, frozenset(news))


def headings() -> tuple[str, ...]:
    """Return the slugs of the headings."""
    return tuple(_lexicon().titles)


def title_of(slug: str, language: str) -> str:
    """Return the heading `slug` in a language, or in English if it is not translated into that language."""
    titles = _lexicon().titles[slug]
    return titles.get(language.casefold().split("-")[0], titles["en"])


def rest_title(language: str) -> str:
    """Return the heading above stories without a section in a language, or in English."""
    return _REST.get(language.casefold().split("-")[0], _REST["en"])


def titles_of(slug: str) -> tuple[str, ...]:
    """Return the heading `slug` in every language; nothing if the lexicon does not have it."""
    return tuple(_lexicon().titles.get(slug, {}).values())


def is_heading(slug: str) -> bool:
    """Return whether the lexicon has the heading `slug`."""
    return slug in _lexicon().titles


def wider(slug: str) -> str:
    """Return the heading to which `slug` goes if it has no place of its own; "" if it goes nowhere."""
    return _lexicon().wider.get(slug, "")


def is_news(name: str) -> bool:
    """Return whether a section has all the news, as far as its name tells: "News"."""
    return plain_key(name) in _lexicon().news


@lru_cache(maxsize=50_000)
def lookup(name: str, language: str | None = None) -> str | None:
    """Return the slug of the heading that a publisher means by the section `name`; None if it is unknown.

    The name of a country means "national" to a publisher of this country, as far as its `language` tells.
    """
    known = _known(plain_key(name)) or (_known(plain_key(_CAMEL.sub(" ", name))) if " " not in name else None)
    if known is None or "@" not in known:
        return known
    slug, _, country = known.partition("@")
    return slug if _is_of(country.casefold(), (language or "en").casefold()) else _ABROAD


def _is_of(country: str, language: str) -> bool:
    """Return whether a publisher with this language is of the country: "en-us" is of "en-us", "en" may be."""
    if "-" in language:
        return country.split("-")[1] == language.split("-")[-1]
    return country.split("-")[0] == language


def _known(key: str) -> str | None:
    slugs = _lexicon().slugs
    forms = [key, f"{key}s", key.removesuffix("s"), _AND.sub(" and ", key)]
    if key.endswith(_NEWS):
        forms += [key.removesuffix(end) for end in _NEWS]
    if found := next((slugs[form] for form in forms if form in slugs), None):
        return found
    # "Kunst & Kultur": several names of one heading.
    parts = _AND.sub(" and ", key).split(" and ")
    meant = {_known(part) for part in parts} if len(parts) > 1 else set()
    return meant.pop() if len(meant) == 1 else None


# ── tags that state a place ─────────────────────────────────────────────────────────────────


def place_in(tag: str) -> tuple[str, ...]:
    """Return the place in its site that a tag states, from the outside in; nothing if it states none."""
    return place_of(tag) or _path(tag)


def in_place(place: Sequence[str], language: str | None = None) -> str | None:
    """Return the heading that a place names; the innermost part wins."""
    return next(filter(None, (lookup(part, language) for part in reversed(place))), None)


def known_by(tag: str) -> str | None:
    """Return the heading that any tag names."""
    if place := place_in(tag):
        return in_place(place)
    return lookup(tag) if key_of(tag) else None


def _path(tag: str) -> tuple[str, ...]:
    """Return the parts of a path from the outside in: "Home / News / Local", "World/Europe"; else nothing.

    Parts that say nothing are left out. A bare stroke may mean "and", unless the lexicon has a part. A tag
    with a name in front is no path: "topics:things/gardens" says what a post is about.
    """
    parts = [] if _NAMED.match(tag) else [part.strip() for part in _STROKE.split(tag)]
    if len(parts) < 2:
        return ()
    meant = tuple(part for part in parts if key_of(part))
    is_path = _SPACED.search(tag) or len(meant) < len(parts) or any(map(lookup, meant))
    return meant if is_path and min(map(len, parts)) >= _SHORTEST else ()


# ── addresses ───────────────────────────────────────────────────────────────────────────────


def folders(url: str) -> tuple[str, ...]:
    """Return the folders of a post's address, from the outside in; the last part names the post.

    Words before an identifier ("world-europe-61002622") do not name the post.
    """
    try:
        parts = [part for part in unquote(urlsplit(url).path).split("/") if part]
    except ValueError:
        return ()
    last = _ID.fullmatch(parts[-1]) if parts else None
    return (*parts[:-1], *([last[1]] if last else []))


def _hosts(url: str) -> tuple[str, ...]:
    """Return the parts of the host before its domain: "sport" of sport.example.org."""
    try:
        return tuple((urlsplit(url).hostname or "").split(".")[:-2])
    except ValueError:
        return ()


def in_address(url: str, language: str | None = None) -> tuple[str, str] | None:
    """Return the heading that an address names, and the part that names it; the innermost part wins."""
    for number, part in enumerate(reversed((*_hosts(url), *folders(url)))):
        slug = lookup(part, language)
        if slug is None and not number:
            slug = next(filter(None, (lookup(each, language) for each in _beginnings(part))), None)
        if slug:
            return slug, part
    return None


def _beginnings(part: str) -> Iterator[str]:
    """Yield the beginnings of "world-us-canada", the longest first: broadcasters name regions so."""
    words = part.split("-")
    if len(words) <= 4:  # more words are a headline
        yield from ("-".join(words[:count]) for count in range(len(words) - 1, 0, -1))
