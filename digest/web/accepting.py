"""Find the language a browser asks for, whatever stands in its Accept-Language (RFC 9110, section 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Collection

_LONGEST = 1_000  # characters that are looked at; browsers send a few dozen
_MOST = 50  # languages
_QUALITY = r"\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)"
_RANGE = re.compile(rf"(\*|[a-z]{{1,8}})(?:-[a-z0-9]{{1,8}})*(?:{_QUALITY})?", re.ASCII)


def best_language(header: str, offered: Collection[str]) -> str | None:
    """Return the offered language the header likes most, or None when it likes none of them.

    A variant ("de-AT") asks for its main language; of two liked alike the first wins; with q=0 a language
    is refused. What cannot be read is passed over. `*` leaves the choice to us, which is None.
    """
    liked: dict[str, float] = {}
    for part in header[:_LONGEST].lower().split(",")[:_MOST]:
        found = _RANGE.fullmatch(part.strip())
        if found:
            quality = min(float(found[2] or 1), 1.0)
            liked[found[1]] = max(liked.get(found[1], 0.0), quality)
    known = [language for language in liked if language in offered and liked[language] > 0]
    best = max(known, key=lambda language: liked[language], default=None)
    return best if best is not None and liked[best] >= liked.get("*", 0.0) else None
