"""Compare tags as people do, without case, hyphens and spaces; tell tags for machines; make slugs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from html import unescape

_GAP = re.compile(r"[\s_\-‐-―/]+")
# "author_name|…", "region=US", "series:harbour", "Content Type: Service"
_MACHINE = re.compile(
    r"[|=@<>{}\\]|://|^[\w-]+:\w|^(content|story|article|page|post)[\s_-]?(type|format|id)\s*:", re.I
)
# Some publishers write the place of a post into a tag: "structure:news/uk-news".
_PLACE = re.compile(
    r"(?:structure|sections?|site-?section|category|categories|channel|ressort|rubrik)[:=](.+)"
)

_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
# Letters that have no accent to take away, and are written in another way where a keyboard lacks them.
_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae", "œ": "oe", "ى": "ي"}
)
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_APOSTROPHES = re.compile("['’ʼ‘`]")
_PART = re.compile(r"\s*(?:/|>|»|::)\s*")
_KIND = re.compile(r"[A-Za-z][\w-]{0,30}")  # "topic:trams", "tag:trams"
_POINTS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]\.?")
_SHORTEST_JOINED = 6  # letters of words that are run together; shorter ones are often other words
_SHORTEST_PART = 3  # letters of a part of a path; "AC/DC" and "9/11" are no paths
_HUMP = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_AND = re.compile(r"(?<=\S) (?:&|\+|and|und|et|y|e|en|og|och|и|ve|و) (?=\S)")


def plain(text: str) -> str:
    """Return `text` without accents and vowel points: "Skarsgård" → "Skarsgard", "الإقتصاد" → "الاقتصاد"."""
    if text.isascii():
        return text
    # Marks of other scripts (Devanagari, Thai, Japanese) are part of their letters.
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).translate(_LETTERS)


def fold(tag: str) -> str:
    """Return a key that is the same for all spellings of a tag: "Climate-Change" → "climate change".

    A leading `#` and punctuation at the ends are removed. Letters keep their accents.
    """
    text = unicodedata.normalize("NFKC", tag).casefold().strip().lstrip("#")
    return _GAP.sub(" ", text).strip(" .,;:!?\"'()[]")


@lru_cache(maxsize=16_384)  # the same tags come every day
def keys_of(tag: str) -> frozenset[str]:
    """Return the keys of a tag under which a rule may mean it; two tags that share a key are the same.

    Beside `fold`, accents, apostrophes and entities do not count, "&" is "and", and "ue" may be "ü". Each
    part of a path is a key ("World/Europe", "structure:news/uk-news"), and so is what follows the name of a
    kind ("topic:trams"). Words may be run together ("ClimateChange", "climatechange", "covid19"), and
    abbreviations have points or none ("A.I."). `fold` itself stays as it is, because ids of posts are made
    with it.
    """
    text = unescape(unescape(tag)).strip().lstrip("#")
    parts = [part for part in _PART.split(text) if len(part) >= _SHORTEST_PART]
    humps = "" if " " in text else _HUMP.sub(" ", text)
    kind, colon, rest = text.partition(":")
    of_kind = rest if colon and _KIND.fullmatch(kind) and rest[:1].isalnum() else ""
    named = (text, *(parts if "://" not in text else ()), *place_of(text), of_kind, humps)
    both = (False,) if text.isascii() else (False, True)
    keys = {key for form in named for umlauts in both if (key := _key(form, umlauts=umlauts))}
    joined = {bare for key in keys if len(bare := key.replace(" ", "")) >= _SHORTEST_JOINED}
    return frozenset(keys | joined | {key.replace(".", "") for key in keys if _POINTS.fullmatch(key)})


def _key(text: str, *, umlauts: bool) -> str:
    folded = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    spaced = _GAP.sub(" ", folded).replace("&", " & ") if " " in folded.strip() else _GAP.sub(" ", folded)
    joined = _AND.sub(" and ", " ".join(spaced.split()))
    bare = joined.rstrip(' .,;:!?"()[]').lstrip(' ,;:!?"()[]')
    # The point before a name belongs to it: ".NET".
    bare = bare if re.match(r"\.[^\W\d_]", bare) else bare.lstrip(" .")
    return plain(bare.translate(UMLAUTS) if umlauts else bare)


def slug(text: str) -> str:
    """Return a name for URLs and files: lowercase letters, digits and single hyphens."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[^\w]+|_+", "-", plain).strip("-")


def is_machine(tag: str) -> bool:
    """Return whether a tag is meant for machines and is never shown: "author_name|…", "structure:news"."""
    return _MACHINE.search(tag) is not None


def for_people(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that people see: without those for machines, and paths by their last part."""
    shown = (tag.rsplit(" / ", 1)[-1] for tag in tags if not is_machine(tag))
    return tuple({fold(tag): tag for tag in reversed(list(shown))}.values())[::-1]


def place_of(tag: str) -> tuple[str, ...]:
    """Return the place in its site that a tag states, from the outside in: "structure:news/uk" → news, uk."""
    match = _PLACE.fullmatch(tag.strip().casefold())
    return tuple(part for part in re.split(r"\s*/\s*", match[1].strip(" /")) if part) if match else ()
