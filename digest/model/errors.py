"""The errors of `digest`, as one tree; each error carries its subject.

    DigestError
    ├── ConfigError        config.toml is wrong: all problems at once, each with file, line and key
    ├── EditError          config.toml cannot be changed; it is as it was
    ├── TemplateError      a template cannot be loaded or rendered
    ├── DatabaseError      the database cannot be used, or has another version
    │   ├── OutageError    the database does not answer at the moment; the same step may succeed later
    │   ├── ClockError     the clock of this machine differs from the database's
    │   └── DamagedError   the stored snapshot of one edition cannot be used; the others can
    ├── NotFoundError      there is no such edition, digest or feed
    │   └── NoEditionError the digest that was named has no edition yet
    ├── ObsoleteError      a message that waits to be sent makes no sense any more
    ├── PreflightError     an edition cannot be sent as it is
    ├── StateError         an edition cannot take this step from its state
    ├── EditRefusedError   an edition cannot be edited in this way
    ├── AmbiguousError     a name may stand for several stories
    ├── ConflictError      another editor has changed the same field
    ├── SkipError          a date of a digest cannot be skipped
    ├── RenameError        a digest cannot be renamed as things are
    ├── MergeError         editions cannot be merged as things are
    └── TransportError     the mail server cannot be used at all (log-in refused, no TLS)

A refusal (a 550, a 304, a dead feed, a bad line of a CSV file) is a value, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

_SHOWN = 8  # more names than this are a wall of text, not a hint


def hint(word: str, known: Iterable[str]) -> str:
    """Return the end of an error message: "; did you mean 'x'?", "; available: a, b, c", or nothing."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    if 0 < len(names) <= _SHOWN:
        return f"; available: {', '.join(names)}"
    return ""


class DigestError(Exception):
    """The root of all errors an operator can act on; its text is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration file, and how to fix it."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(DigestError):
    """The configuration cannot be used; `problems` lists every mistake."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class EditError(DigestError):
    """A configuration file cannot be changed; nothing was written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}; nothing was written")


class TemplateError(DigestError):
    """A template is missing, is wrong, or uses a name that does not exist."""

    def __init__(self, template: str, message: str, line: int | None = None) -> None:
        self.template = template
        self.line = line
        where = template if line is None else f"{template}:{line}"
        super().__init__(f"{where}: {message}")


class DatabaseError(DigestError):
    """The database cannot be used."""


class OutageError(DatabaseError):
    """The database does not answer at the moment: it is stopped, cannot be reached, is locked or is full."""


class ClockError(DatabaseError):
    """The clock of this machine differs so much from the database's that it must not send."""

    def __init__(self, difference: timedelta) -> None:
        self.difference = difference
        side = "ahead of" if difference > timedelta() else "behind"
        seconds = abs(difference) // timedelta(seconds=1)
        super().__init__(
            f"the clock of this machine is {seconds:,} s {side} the clock of the database, so this machine"
            " sends nothing; set its clock right, for example with chrony"
        )


class DamagedError(DatabaseError):
    """The snapshot of an edition was changed or cut off in the database."""

    def __init__(self, edition_id: str, damage: str) -> None:
        self.edition_id = edition_id
        self.damage = damage
        super().__init__(f"edition {edition_id} is damaged: {damage}")


class NotFoundError(DigestError):
    """There is nothing with the name that the caller has given."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"no {kind} is called {name!r}{hint(name, known)}")


class ObsoleteError(DigestError):
    """A message that waits to be sent makes no sense any more; its text is a clause that says why."""


class NoEditionError(NotFoundError):
    """A digest, whose slug stands for its newest edition, has no edition yet."""

    def __init__(self, digest: str) -> None:
        super().__init__("edition", digest)
        self.args = (f"{digest} has no edition yet; to compose one: digest compose {digest}",)


class PreflightError(DigestError):
    """An edition cannot be sent as it is; the text gives every reason, and says what to do."""

    def __init__(self, edition_id: str, reasons: tuple[str, ...]) -> None:
        self.edition_id = edition_id
        self.reasons = reasons
        super().__init__(
            f"{edition_id} cannot be sent as it is: {' '.join(reasons)} "
            "If a template is the cause, correct it. Otherwise fix the cause, run "
            f"`digest cancel {edition_id}`, and compose the edition again; its posts are used again."
        )


class StateError(DigestError):
    """The state of an edition does not allow a step; `advice` says what to do instead."""

    def __init__(self, edition_id: str, state: str, wanted: str, *, advice: str = "") -> None:
        self.edition_id = edition_id
        self.state = state
        self.wanted = wanted
        what_to_do = f"; {advice}" if advice else ""
        super().__init__(f"edition {edition_id} is {state} and cannot be {wanted}{what_to_do}")


class EditRefusedError(DigestError):
    """An edition cannot be edited in this way; nothing has changed."""

    def __init__(self, edition_id: str, reason: str) -> None:
        self.edition_id = edition_id
        self.reason = reason
        super().__init__(f"{edition_id} is not edited: {reason}")


class AmbiguousError(DigestError):
    """The beginning of an id or of a headline stands for several stories; `candidates` are all of them."""

    def __init__(self, name: str, candidates: tuple[str, ...]) -> None:
        self.name = name
        self.candidates = candidates
        super().__init__(f"{name!r} may stand for several stories: {'; '.join(candidates)}")


class ConflictError(DigestError):
    """Another editor has changed the same field, and this editor has not seen that; nothing has changed.

    `field` names it: "headline of "Ferry returns"". `theirs` is what it says now, since `at`; `yours` is what
    was refused.
    """

    def __init__(
        self, edition_id: str, field: str, by: str, *, theirs: str, yours: str, at: datetime
    ) -> None:
        self.edition_id = edition_id
        self.field = field
        self.by = by
        self.theirs = theirs
        self.yours = yours
        self.at = at
        super().__init__(
            f"{by} has changed the {field} meanwhile, so yours is not saved. Theirs: {theirs}. Yours: {yours}"
        )


class MergeError(DigestError):
    """Editions cannot be merged into one; nothing has changed."""


class SkipError(DigestError):
    """A date of a digest cannot be skipped, or a skip cannot be undone; nothing has changed."""

    def __init__(self, digest: str, day: date, reason: str, *, undo: bool = False) -> None:
        self.digest = digest
        self.day = day
        skip = f"{digest} cannot be skipped on {day}"
        super().__init__(f"{f'the skip of {digest} on {day} cannot be undone' if undo else skip}: {reason}")


class RenameError(DigestError):
    """A digest cannot be renamed; the text says why."""


class TransportError(DigestError):
    """No message can be sent until the operator changes something."""

    def __init__(self, server: str, message: str) -> None:
        self.server = server
        super().__init__(f"{server}: {message}")
