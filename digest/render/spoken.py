"""Say which language a reader of an edition is addressed in, without loading any."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import digest

FOLDER = Path(digest.__file__).parent / "languages"
FALLBACK = "en"


@lru_cache(maxsize=1_024)  # asked for every mail
def spoken(wanted: str, edition: str) -> str:
    """Return the language of the words around an edition's stories; both are tags (BCP 47).

    It is what the reader wanted, if there are texts in it. Empty, one there are none in, or the edition's
    main language come to the edition's own tag ("en-GB" for a reader of "en"): so there are never more
    answers than catalogues.
    """
    main = main_language(wanted)
    return main if main in catalogues() and main != main_language(edition) else edition


def main_language(tag: str) -> str:
    """Return the language of a tag without its region: "de" of "de-AT"."""
    return tag.split("-", 1)[0].casefold()


@cache
def catalogues() -> frozenset[str]:
    """Return the languages there are texts in, English among them."""
    return frozenset({FALLBACK, *(path.stem for path in FOLDER.glob("*.po"))})
