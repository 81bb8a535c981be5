"""Find the publication that had a post first, in the line of the post that names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from digest.collect.wording.table import any_of, begins, small
from digest.model.links import host_of, site_of
from digest.model.posts import Via
from digest.model.tags import UMLAUTS, plain

_LINE = 400  # characters; a longer paragraph is a text of its own
_LEAD = 120  # characters of a line that leads to another publication
_NAME = 60  # characters
_WORDS = 6  # of a name that is not linked

_BEGINS = begins("via", end=r"\s*")
_VIA = re.compile(r"\W*v[ií]a\s+", re.IGNORECASE)
_READ_ON = re.compile(rf"\W*{any_of('read_on', 'via')}", re.IGNORECASE)
_LEADS = begins("read_on", "leads")
# Such a line leads to the subject of a post, not to its source: "Learn more about Acme".
_SUBJECT = re.compile(
    r"learn|find out|click|about|savoir|saiba|bilgi|über|sobre|acerca|подробнее|lees ook|also|auch|aussi"
    r"|también",
    re.IGNORECASE,
)
# A page there is hardly ever the source of a post.
_PLATFORMS = re.compile(
    r"facebook|twitter|x|instagram|youtube|tiktok|linkedin|threads|bluesky|telegram|whatsapp|reddit|pinterest"
    r"|amazon|ebay|etsy|spotify|apple.*|google.*|eventbrite|github|wikipedia|kickstarter|patreon",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\W*[(\[]([^()\[\]]{2,60})[)\]]\W*")  # "(Wire News)"
_THE = "the"
_PARTICLE = 3  # letters of a word that a host may leave out: "The", "of", "la"
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


def leads_on(text: str) -> bool:
    """Return whether a line may lead to the publication that had the post first."""
    return len(text) <= _LEAD and bool(_LEADS.match(small(text)) or _NAMED.fullmatch(text))


def led_to(text: str, links: Sequence[Link]) -> Via | None:
    """Return the publication to which such a line leads, or None.

    The line ends with its name, and a link to one of its pages shows that it is one: "More at Wire News" is
    linked to wirenews.example.
    """
    if not leads_on(text) or _SUBJECT.search(text):
        return None
    pages = [link.url for link in links if link.url and urlsplit(link.url).path.strip("/")]
    line = _trimmed(text)
    words = line.split()
    endings = (" ".join(words[-count:]) for count in range(1, min(len(words), _WORDS) + 1))
    linked = (link.text for link in links if _is_name(link.text) and line.endswith(_trimmed(link.text)))
    names = (name for name in map(_trimmed, (*linked, *endings)) if _is_publication(name))
    return next((Via(name=name, url=url) for name in names for url in pages if is_called(url, name)), None)


def _is_publication(name: str) -> bool:
    """Return whether a name may be that of a publication: no word, no agency of pictures, no platform."""
    return not (name[:1].islower() or _PICTURES.search(name) or _PLATFORMS.fullmatch(name))


def is_called(url: str, name: str) -> bool:
    """Return whether the owner of an address has this name: "New York Times" has nytimes.example.

    A host is the name itself, its first words, or the beginnings of its words; short words may be left out.
    """
    host = host_of(url).removeprefix("www.")
    if name.casefold() == host:
        return True
    label = site_of(url).partition(".")[0].replace("-", "")
    spellings = {plain(form) for form in (name.casefold(), name.casefold().translate(UMLAUTS))}
    return any(_is_short_for(label, re.findall(r"\w+", re.sub("['’]", "", each))) for each in spellings)


def _is_short_for(label: str, words: Sequence[str]) -> bool:
    """Return whether a label is made of the words of a name, of all but the last, or of their beginnings."""
    if len(label) >= _PARTICLE and label in ("".join(words), "".join(words[:-1])):
        return True
    ends = {0, len(_THE)} if label.startswith(_THE) else {0}
    for word in words:
        left_out = ends if len(word) <= _PARTICLE else frozenset[int]()
        lengths = range(1, len(word) + 1)
        ends = {end + length for end in ends for length in lengths if label.startswith(word[:length], end)}
        ends |= left_out
    return len(label) in ends


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
