"""Compare tags as people do, without case, hyphens and spaces; tell tags for machines; make slugs."""

from __future__ import annotations

import re
import unicodedata

_GAP = re.compile(r"[\s_\-‐-―/]+")
# "author_name|…", "region=US", "series:harbour", "Content Type: Service"
_MACHINE = re.compile(
    r"[|=@<>{}\\]|://|^[\w-]+:\w|^(content|story|article|page|post)[\s_-]?(type|format|id)\s*:", re.I
)
# Some publishers write the place of a post into a tag: "structure:news/uk-news".
_PLACE = re.compile(
    r"(?:structure|sections?|site-?section|category|categories|channel|ressort|rubrik)[:=](.+)"
)


def fold(tag: str) -> str:
    """Return a key that is the same for all spellings of a tag: "Climate-Change" → "climate change".

    A leading `#` and punctuation at the ends are removed. Letters keep their accents.
    """
    text = unicodedata.normalize("NFKC", tag).casefold().strip().lstrip("#")
    return _GAP.sub(" ", text).strip(" .,;:!?\"'()[]")


def slug(text: str) -> str:
    """Return a name for URLs and files: lowercase letters, digits and single hyphens."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[^\w]+|_+", "-", plain).strip("-")


def is_machine(tag: str) -> bool:
    """Return whether a tag is meant for machines and is never shown: "author_name|…", "structure:news"."""
    return _MACHINE.search(tag) is not None


def place_of(tag: str) -> tuple[str, ...]:
    """Return the place in its site that a tag states, from the outside in: "structure:news/uk" → news, uk."""
    match = _PLACE.fullmatch(tag.strip().casefold())
    return tuple(part for part in re.split(r"\s*/\s*", match[1].strip(" /")) if part) if match else ()
