"""Check what no email may lack: a link to unsubscribe, and the postal address of the publisher.

The check is fast enough for every email of an edition: pieces that emails share are looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape

from digest.model.messages import Email

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<style\b.*?</style\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_BLANK = re.compile(r"[\s\u00a0\u00ad\u200b-\u200f\u2060\ufeff]+")
_KEPT = 10_000  # pieces

_Look = Callable[[str], frozenset[str]]


class Footer:
    """The parts that every email of one edition must have; `unsubscribe` may be a placeholder."""

    def __init__(self, unsubscribe: str, postal_address: str) -> None:
        self.unsubscribe = unsubscribe
        self._href = re.compile(rf"href\s*=\s*[\"']?[^\"'>\s]*{re.escape(unsubscribe)}", re.IGNORECASE)
        lines = (_plain(line) for line in postal_address.splitlines())
        self._address = frozenset(line for line in lines if line)
        self._known: dict[tuple[bool, str], frozenset[str]] = {}

    def missing(self, email: Email) -> tuple[str, ...]:
        """Return a sentence for each part that the HTML or the plain text of an email lacks."""
        return (
            *(() if self._address else ("The site has no postal address.",)),
            *(self._missing("HTML", email.html_pieces, self._in_html) if email.html_pieces else ()),
            *self._missing("plain text", email.text_pieces, self._in_text),
        )

    def lines_in(self, text: str) -> frozenset[str]:
        """Return the lines of the postal address that a text shows."""
        return frozenset(self._lines_in(_plain(text)))

    def _missing(self, what: str, pieces: Sequence[str], look: _Look) -> Iterator[str]:
        found = frozenset[str]().union(*(self._in_piece(piece, look) for piece in pieces))
        wanted = {self.unsubscribe, *self._address}
        if not wanted <= found:
            found |= look("".join(pieces))
        if self.unsubscribe not in found:
            yield f"The {what} has no link to unsubscribe."
        if not self._address <= found:
            yield f"The {what} does not show the whole postal address of the site."

    def _in_piece(self, piece: str, look: _Look) -> frozenset[str]:
        key = look == self._in_html, piece
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = look(piece)
        return self._known[key]

    def _in_html(self, html: str) -> frozenset[str]:
        html = _COMMENT.sub("", html)
        links = {self.unsubscribe} if self._href.search(html) else set()
        return frozenset(links | self._lines_in(_plain(unescape(_TAG.sub("", html)))))

    def _in_text(self, text: str) -> frozenset[str]:
        links = {self.unsubscribe} if self.unsubscribe in text else set()
        return frozenset(links | self._lines_in(_plain(text)))

    def _lines_in(self, plain: str) -> set[str]:
        return {line for line in self._address if line in plain}


def _plain(text: str) -> str:
    """Return a text without spaces and marks, because templates and mail programs break lines."""
    return _BLANK.sub("", text).casefold()
