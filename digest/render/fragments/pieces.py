"""Cut the output of templates into pieces of whole lines, so that emails can share equal pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from typing import NamedTuple

_GAPS = re.compile(r"\n{3,}")
_KEPT = 10_000  # entries of each cache
_FEW = 40  # texts of a key


def close_gaps(text: str) -> str:
    """Return `text` with at most one empty line in a row, none at its beginning and end, and a line end."""
    return _GAPS.sub("\n\n", text).strip("\n") + "\n"


class Cutter:
    """Cuts pages into pieces; a piece ends at the end of a line, where `fits` allows a cut.

    `fits` gets the text since the last cut.
    """

    def __init__(self, fits: Callable[[str], bool] = lambda _piece: True) -> None:
        self._fits = fits
        self._kept: dict[tuple[bool, tuple[str, ...]], _Run] = {}

    def cut(self, page: Iterable[str], apart: Container[str], also: Container[str] = ()) -> list[str]:
        """Return the pieces of `page`, which is a list of the texts that a template writes.

        A text in `apart` or `also` becomes a piece of its own, as far as the ends of lines allow, and the
        texts between two such texts become another piece. Joined, the pieces are the page.
        """
        pieces: list[str] = []
        begun = ""
        for texts in _runs(page, apart, also):
            key = begun != "", texts
            first, middle, last = self._kept.get(key) or self._run(key)
            if begun:
                begun += first
                if not (first.endswith("\n") and self._fits(begun)):
                    begun += middle + last
                    continue
                pieces.append(begun)
            if middle:
                pieces.append(middle)
            begun = last
        return [*pieces, begun] if begun else pieces

    def _run(self, key: tuple[bool, tuple[str, ...]]) -> _Run:
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        begun, texts = key
        # join() makes a plain string: if the result were Markup, text added to it would be escaped.
        run = self._kept[key] = self._split("".join(texts), begun)
        return run

    def _split(self, text: str, begun: bool) -> _Run:
        start = text.find("\n") + 1 or len(text) if begun else 0
        end = max(text.rfind("\n") + 1, start)
        first, middle, last = text[:start], text[start:end], text[end:]
        return _Run(first, middle, last) if self._fits(middle) else _Run(first, "", middle + last)


class _Run(NamedTuple):
    """Neighbouring texts of a page: the end of a line begun before, whole lines, and the start of a line."""

    first: str
    middle: str
    last: str


def _runs(page: Iterable[str], apart: Container[str], also: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yield each text in `apart` or `also` alone, and the texts between two of these together."""
    run: list[str] = []
    for text in page:
        if text in apart or text in also:
            if run:
                yield _known_by(run)
                run = []
            yield (text,)
        else:
            run.append(text)
    if run:
        yield _known_by(run)


def _known_by(run: list[str]) -> tuple[str, ...]:
    """Return the cache key of a run: its texts, which are joined if they are many, to save memory."""
    return tuple(run) if len(run) <= _FEW else ("".join(run),)


class GapCloser:
    """Closes the gaps in texts that come in pieces of whole lines, with the same result as `close_gaps`."""

    def __init__(self) -> None:
        self._kept: dict[str, _Block] = {}

    def close(self, pieces: Iterable[str]) -> list[str]:
        """Return the pieces that are not empty; an empty line between two pieces belongs to the second."""
        closed: list[str] = []
        gap = False
        for piece in pieces:
            lines, apart, starts_empty, ends_empty = self._kept.get(piece) or self._block(piece)
            if lines:
                closed.append(apart if closed and (gap or starts_empty) else lines)
            gap = ends_empty if lines else gap or starts_empty
        return closed or ["\n"]

    def _block(self, piece: str) -> _Block:
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        block = self._kept[piece] = _block(piece)
        return block


class _Block(NamedTuple):
    """The lines of a piece, without empty lines at its ends; `apart` has one empty line before them."""

    lines: str
    apart: str
    starts_empty: bool
    ends_empty: bool


def _block(piece: str) -> _Block:
    lines = close_gaps(piece) if piece.strip("\n") else ""
    return _Block(lines, f"\n{lines}", piece.startswith("\n"), piece.endswith("\n\n"))
