"""Find the publication that had a post first, in the line of the post that names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from digest.collect.wording.table import any_of, begins, small
from digest.model.links import host_of
from digest.model.posts import Via

_LINE = 400  # characters; a longer paragraph is a text of its own
_NAME = 60  # characters
_WORDS = 6  # of a name that is not linked

_BEGINS = begins("via", end=r"\s*")
_VIA = re.compile(r"\W*v[ií]a\s+", re.IGNORECASE)
_READ_ON = re.compile(rf"\W*{any_of('read_on', 'via')}", re.IGNORECASE)
_HERE = re.compile(
    r"\W*(?:the |this |our |full |original |l[’'])*(?:here|this|link|source|article|story|post|page|website"
    r"|site|version|hier|ici|aquí|qui|aqui|هنا|здесь|тут|tutaj|här|her|こちら|artikel|original)"
    r"(?:\W+(?:here|story|article|post))?\W*",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(r"origin|full (?:story|article)|article|الأصلي|оригинал|原文|元記事", re.IGNORECASE)
_END = re.compile(
    r"\s[–—|-]\s|[.,;:(){}\[\]|•→»](?:\s|$)|\n|https?://"
    r"|\s(?:and|und|et|e|y|en|on|under|with|in|by|here|am|le|el|il)\s",
    re.IGNORECASE,
)
# Agencies that are named as the source of a picture.
_PICTURES = re.compile(
    r"getty|shutterstock|istock|unsplash|pixabay|pexels|flickr|wikimedia|adobe ?stock|depositphotos|alamy"
    r"|dreamstime|freepik|canva|screenshot|photo|image|foto",
    re.IGNORECASE,
)
_LOWER_NAMES = re.compile(r"\w+(?:\.\w+)+")  # "wirenews.example"


@dataclass(frozen=True, slots=True)
class Link:
    """A link inside a paragraph."""

    text: str
    url: str | None


def names_source(text: str) -> bool:
    """Return whether a line begins as lines do that name the source of a post."""
    return len(text) <= _LINE and bool(_BEGINS.match(small(text)) or _VIA.match(text))


def via_of(text: str, links: Sequence[Link]) -> Via | None:
    """Return the publication that a line names as the source of the whole post, or None."""
    begin = _BEGINS.match(small(text)) or (_VIA.match(text) if links else None)
    if len(text) > _LINE or begin is None:
        return None
    rest = text[begin.end() :]
    named = next((link for link in links if _is_name(link.text) and link.text in rest), None)
    target = next((link.url for link in reversed(links) if link.url and _ORIGINAL.search(link.text)), None)
    if named:
        return Via(name=_trimmed(named.text), url=target or named.url)
    if begin.re is _VIA:
        return None  # "via" without a link to a name begins ordinary sentences
    url = target or next((link.url for link in links if link.url), None)
    weak = text[: begin.end()].rstrip().endswith((":", "："))
    if bare := _bare_name(rest, links, alone=weak and not links):
        return Via(name=bare, url=url)
    return Via(name=host_of(url).removeprefix("www."), url=url) if url else None


def is_opening(text: str) -> bool:
    """Return whether a line only announces the source, which the next line names: "Source"."""
    if len(text) > _NAME:
        return False
    begins = (_BEGINS.match(small(line)) for line in (text, f"{text}:"))
    return any(begin and not any(map(str.isalnum, text[begin.end() :])) for begin in begins)


def _is_name(text: str) -> bool:
    shown = _trimmed(text)
    few = 0 < len(shown) <= _NAME and len(shown.split()) <= _WORDS + 2
    return few and "://" not in shown and not _HERE.fullmatch(shown) and not _READ_ON.match(small(shown))


def _bare_name(rest: str, links: Sequence[Link], *, alone: bool) -> str:
    """Return the name at the beginning of a text without a link, or "" if no name stands there.

    With `alone`, nothing may follow it, because a ministry or a report is a source too.
    """
    end = _END.search(rest)
    name = _trimmed(rest[: end.start()] if end else rest)
    fits = 0 < len(name) <= _NAME and len(name.split()) <= _WORDS and not _HERE.fullmatch(name)
    begins = name[:1].isdigit() or not name[:1].islower() or bool(_LOWER_NAMES.fullmatch(name))
    whole = not alone or name == _trimmed(rest)
    # A link that begins so and goes on is a headline.
    headline = any(link.text.startswith(name) and _trimmed(link.text) != name for link in links)
    return name if fits and begins and whole and not headline and not _PICTURES.search(name) else ""


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(" .,:;|–—-→»›\"“”'()[]")
