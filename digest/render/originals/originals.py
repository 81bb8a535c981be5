"""Find the templates that an operator has replaced, and the originals from which these copies were made.

`digest templates copy` keeps each original beside the copies, in `originals/`. A copy without one, made by
hand, comes from the original that it shares most words with, if it shares enough with any.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

EARLIER = "earlier"  # the folder, among the defaults, of the originals of earlier versions
KEPT = "originals"  # the folder, among an operator's templates, of the originals as they were copied
STAFF = ("web/desk/", "mail/staff/")  # nobody replaces what the staff sees, because it is part of the program

_KINDS = frozenset({".html", ".txt", ".css"})
_WORD = re.compile(r"\w+")
# Two templates share some words because both are HTML; the same template with other colours shares 0.9.
_ENOUGH = 0.6
# Notices do not share the parts of editions.
_NOTICES = ("mail/_notice.", "mail/confirm.", "mail/data.", "mail/move.", "mail/welcome.")


class CopyState(StrEnum):
    """The result of comparing an operator's own template with the originals."""

    CURRENT = "current"  # a copy of today's original
    OLD = "old"  # a copy of an original that has changed since
    GONE = "gone"  # a copy of an original that there is no longer
    WRITTEN = "written"  # it replaces an original, but was not made from it
    ADDED = "added"  # it replaces nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTemplate:
    """A template in the operator's folder, and the text of the original that it was made from."""

    name: str
    state: CopyState
    origin: str | None
    of_earlier_version: bool  # its origin is one of the shipped originals of earlier versions

    @property
    def is_old(self) -> bool:
        """Return whether the original has changed, or has gone, since the copy was made."""
        return self.state in (CopyState.OLD, CopyState.GONE)


def template_names(folder: Path) -> set[str]:
    """Return the names of the templates in a folder, without those of the staff: "mail/edition.html"."""
    paths = (path for part in ("mail", "web") for path in folder.glob(f"{part}/**/*"))
    names = (path.relative_to(folder).as_posix() for path in paths if path.suffix in _KINDS)
    return {name for name in names if not name.startswith(STAFF)}


def own_templates(override: Path | None, defaults: Path) -> tuple[OwnTemplate, ...]:
    """Return the operator's own templates, by name."""
    if override is None:
        return ()
    return tuple(_own(name, override, defaults) for name in sorted(template_names(override)))


def names_from_earlier(own: Iterable[OwnTemplate], defaults: Path) -> frozenset[str]:
    """Return the templates that must come from the earlier version, so that they fit the operator's own.

    The parts of an edition's email belong together: the styles of one version do not know the classes of
    another. So all parts are of the earlier version if the operator's copies are, and none if one copy is of
    today's version.
    """
    of_email = [each for each in own if _is_of_email(each.name)]
    if not any(each.of_earlier_version for each in of_email):
        return frozenset()
    if any(each.state is CopyState.CURRENT for each in of_email):
        return frozenset()
    return frozenset(filter(_is_of_email, template_names(defaults / EARLIER)))


def folders_of(name: str, override: Path | None, defaults: Path, earlier: frozenset[str]) -> tuple[Path, ...]:
    """Return the folders in which a template is looked for, in order.

    An operator's own template may use one that there is no longer; the earlier version has it.
    """
    if name.startswith(STAFF):
        return (defaults,)
    before = defaults / EARLIER
    ours = (before, defaults) if name in earlier else (defaults, before)
    return ours if override is None else (override, *ours)


def text_at(path: Path) -> str | None:
    """Return the text of a file; None if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _own(name: str, override: Path, defaults: Path) -> OwnTemplate:
    text, kept = text_at(override / name) or "", text_at(override / KEPT / name)
    today, earlier = text_at(defaults / name), text_at(defaults / EARLIER / name)
    nearest = _nearest(text if kept is None else kept, [today, earlier])
    origin = nearest if kept is None else kept
    return OwnTemplate(
        name=name,
        state=_state(origin, today, replaces=today is not None or earlier is not None),
        origin=origin,
        of_earlier_version=nearest is not None and nearest == earlier != today,
    )


def _state(origin: str | None, today: str | None, *, replaces: bool) -> CopyState:
    if today is None:
        return CopyState.ADDED if origin is None or not replaces else CopyState.GONE
    if origin is None:
        return CopyState.WRITTEN
    return CopyState.CURRENT if origin == today else CopyState.OLD


def _nearest(text: str, originals: Iterable[str | None]) -> str | None:
    """Return the original that shares most words with a text, the first of several; None if none is near."""
    shares = [(_shared(text, original), original) for original in originals if original is not None]
    share, nearest = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    return nearest if share >= _ENOUGH else None


def _shared(one: str, other: str) -> float:
    """Return the share of the words of two texts that both have, from 0 to 1."""
    words, others = Counter(_WORD.findall(one)), Counter(_WORD.findall(other))
    total = words.total() + others.total()
    return 2 * (words & others).total() / total if total else 1.0


def _is_of_email(name: str) -> bool:
    """Return whether a template is one of those that make the email of an edition."""
    return name.startswith("mail/") and not name.startswith(_NOTICES)
