"""Compare tags as people do, without regard to case, hyphens and spaces; and make slugs."""

from __future__ import annotations

import re
import unicodedata

_GAP = re.compile(r"[\s_\-‐-―/]+")


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
