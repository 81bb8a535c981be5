"""Look an XML document over before it is parsed, for a parser's time grows with its depth and its entries."""

from __future__ import annotations

import re

DEEPEST = 250  # open elements; feeds have about twenty, and each costs time with every element inside

_TAG = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<(/?)([A-Za-z][^\s<>/]{0,100})[^<>]{0,5000}?(/?)>",
    re.DOTALL,
)
_ENTRIES = frozenset([b"item", b"entry", b"rss:item", b"atom:entry"])
_NEVER_CLOSED = frozenset([b"br", b"hr", b"img", b"input", b"meta"])  # in HTML that nobody has escaped


def shortened(body: bytes, entries: int) -> bytes | None:
    """Return a document with at most its first `entries` entries, or None if it nests too deep.

    What follows is cut off and what is open then is closed, so that it stays well-formed.
    """
    opened: list[bytes] = []
    found = 0
    for match in _TAG.finditer(body):
        closing, name, closed = match.groups()
        if name is None or closed or name.lower() in _NEVER_CLOSED:
            continue
        if not closing:
            opened.append(name)
            if len(opened) > DEEPEST:
                return None
            continue
        if opened:
            opened.pop()
        found += name in _ENTRIES
        if found == entries:
            return body[: match.end()] + b"".join(b"</%b>" % name for name in reversed(opened))
    return body
