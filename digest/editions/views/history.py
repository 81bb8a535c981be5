"""Tell the history of an edition: edits, approvals and what voided them, tests; compare its versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.compose.edits.apply import apply
from digest.compose.edits.difference import Difference, differences
from digest.compose.edits.operations import Edit, Part, Rewrite, Undo
from digest.editions.edits.edited import EditedEdition, with_edits
from digest.editions.outlook.phases import hold_of
from digest.editions.outlook.words import ended
from digest.editions.parts import EditionParts
from digest.message.look import Look, look_at, look_from
from digest.message.look import differences as look_differences
from digest.model.editions import Edition, EditionRecord, Step, StepKind
from digest.model.errors import DamagedError, NotFoundError, TemplateError
from digest.model.snapshot import content_hash
from digest.storage.database import Database
from digest.storage.editions.records import load_edition
from digest.storage.edits.edits import edits_of
from digest.storage.edits.history import StoredStep, corrections_of, steps_of
from digest.storage.ledger.looks import kept_look

_SHORTEST = 8  # characters of a hash that identify a version
_STORIES = "the stories"  # as `digest.message.look.differences` calls a change of the snapshot

# The words for a step: one text for a person, who has a name, and one for the program.
_SAID: Mapping[StepKind, tuple[str, str]] = {
    StepKind.APPROVED: ("approved it", "It was approved"),
    StepKind.VOID: ("withdrew the approval", "The approval was withdrawn"),
    StepKind.PAUSED: ("held it", "It was held"),
    StepKind.RESUMED: ("resumed it", "It was resumed"),
    StepKind.REPLANNED: ("changed its base", "Its base was changed"),
    StepKind.TESTED: ("sent a test", "A test was sent"),
    StepKind.SENDING: ("began to send it", "Sending began"),
    StepKind.SENT: ("sent it", "It was sent to its readers"),
    StepKind.SKIPPED: ("skipped it", "It was skipped"),
    StepKind.CANCELLED: ("cancelled it", "It was cancelled"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the history, and the version that the edition was in afterwards."""

    at: datetime
    by: str  # empty: the program
    text: str  # with `by`, a clause that follows the name; otherwise a sentence
    before: str = ""  # of a rewrite: the text that it replaces, and its own
    after: str = ""
    remark: str = ""  # "undone", or why the edit changes nothing
    is_void: bool = False  # an approval was withdrawn; `after` is the reason
    undo: int | None = None  # the number of the edit, if it can be undone
    hash: str = ""  # of the snapshot afterwards; empty: not known
    look: str = ""  # of all that an approval covers, if it was approved here
    edits: int = 0  # how many edits the version has
    base: int = 0  # which of the bases it has


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The lines of an edition's history, newest first, and the bases that it has had, oldest first."""

    edited: EditedEdition
    lines: tuple[Line, ...]
    bases: tuple[Edition, ...] = field(repr=False)

    @property
    def versions(self) -> tuple[Line, ...]:
        """Return the lines with a hash, newest first, each hash once."""
        found: dict[str, Line] = {}
        for line in self.lines:
            if line.hash:
                found.setdefault(line.hash, line)
        return tuple(found.values())

    def version(self, name: str) -> Line:
        """Return the newest version with this hash, or a hash that begins so; raises NotFoundError.

        The hash may be that of the snapshot or of the approved look.
        """
        wanted = name.strip().casefold().replace(" ", "")
        if len(wanted) >= _SHORTEST:
            for line in self.lines:
                if line.hash.startswith(wanted) or line.look.startswith(wanted):
                    return line
        raise NotFoundError("version", name)

    def edition(self, line: Line) -> Edition:
        """Return the edition as it was after a line of this history."""
        return apply(self.bases[line.base], self.edited.edits[: line.edits]).edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one version differs from another, in words; `look` is about templates and fixed words."""

    before: Line
    after: Line
    differences: tuple[Difference, ...]
    look: str = ""


def read_history(database: Database, edition_id: str) -> History:
    """Return the history of an edition. Raises NotFoundError, and DamagedError."""
    with database.read() as connection:
        edited = with_edits(connection, load_edition(connection, edition_id))
        stored = steps_of(connection, edition_id)
        hashes = {each.number: each.hash or "" for each in edits_of(connection, edition_id)}
        corrected = corrections_of(connection, edition_id)
    bases = (*(each.replaced for each in stored if each.replaced), edited.base)
    told = [_composed(bases[0]), *_lines(edited, stored, hashes)]
    if edited.record.approved_at and not any(each.step.kind is StepKind.APPROVED for each in stored):
        told.append(_approval(edited))  # it was approved when steps were not kept yet
    told += [Line(at=each.at, by=each.by, text=f"corrected the web copy: {each.text}") for each in corrected]
    return History(edited=edited, lines=tuple(reversed(told)), bases=bases)


def compare(parts: EditionParts, history: History, before: str, after: str) -> Comparison:
    """Return how two versions of an edition differ, which are named by their hashes.

    Raises NotFoundError, and DamagedError if an approved look is not there any more.
    """
    old, new = history.version(before), history.version(after)
    found = differences(history.edition(old), history.edition(new))
    return Comparison(before=old, after=new, differences=found, look=_look_text(parts, history, (old, new)))


def step_words(step: Step) -> str:
    """Return a step as a sentence: "Jonas held this edition: the lead is not true"."""
    if step.kind is StepKind.VOID:
        return ended(f"The approval is void{f': {step.detail}' if step.detail else ''}")
    line, personal = _step_line(StoredStep(step=step), 0), _SAID[step.kind][0]
    if not line.by or not personal.endswith(" it"):
        return ended(f"{line.by} {line.text}".strip())
    return ended(f"{line.by} {personal.removesuffix('it')}this edition{line.text.removeprefix(personal)}")


# ── the lines ───────────────────────────────────────────────────────────────────────────────


def _composed(base: Edition) -> Line:
    count = sum(1 for _ in base.stories())
    text = f"Composed at the cutoff: {count} {'story' if count == 1 else 'stories'}."
    return Line(at=base.cutoff_at, by="", text=text, hash=content_hash(base))


def _lines(edited: EditedEdition, stored: Sequence[StoredStep], hashes: Mapping[int, str]) -> Iterator[Line]:
    """Yield edits and steps in the order in which they were made, whatever the clocks said."""
    base, remarks = 0, edited.remarks()
    ordered: list[tuple[int, int, Edit | StoredStep]] = [
        *((each.number, 0, each) for each in edited.edits),
        *((each.step.edits, number, each) for number, each in enumerate(stored, start=1)),
    ]
    for _, _, each in sorted(ordered, key=lambda entry: entry[:2]):
        if isinstance(each, Edit):
            yield _edit_line(edited, each, hashes.get(each.number, ""), (base, remarks.get(each.number, "")))
        else:
            base += each.replaced is not None
            yield _step_line(each, base)


def _edit_line(edited: EditedEdition, edit: Edit, made: str, at: tuple[int, str]) -> Line:
    base, remark = at
    operation = edit.operation
    text, before, after = edited.sentence(edit), "", ""
    if isinstance(operation, Rewrite) and operation.was and operation.text:
        noun = "headline" if operation.part is Part.TITLE else "text"
        text, before, after = f"rewrote a {noun}:", operation.was, operation.text
    can_undo = edited.record.is_ahead and edit.number not in edited.applied.undone
    return Line(
        at=edit.at,
        by=edit.by,
        text=text,
        before=before,
        after=after,
        remark=remark,
        undo=edit.number if can_undo and not isinstance(operation, Undo) else None,
        hash=made,
        edits=edit.number,
        base=base,
    )


def _step_line(stored: StoredStep, base: int) -> Line:
    step = stored.step
    personal, plain = _SAID[step.kind]
    is_void = step.kind is StepKind.VOID
    if is_void:
        text, by = "The approval was withdrawn.", ""
    elif step.kind is StepKind.REPLANNED:
        text, by = (step.detail, step.by) if step.by else (f"Somebody {step.detail}.", "")
    elif step.kind is StepKind.TESTED:
        text, by = f"{personal if step.by else plain}, {step.detail}{'' if step.by else '.'}", step.by
    else:
        reason = hold_of(step.detail)[1] if step.by else step.detail
        why = f": {reason}" if reason else ""
        text, by = f"{personal if step.by else plain}{why}{'' if step.by else '.'}", step.by
    return Line(
        at=step.at,
        by=by,
        text=text,
        after=ended(step.detail) if is_void and step.detail else "",
        is_void=is_void,
        hash=step.hash,
        look=(step.look or "") if step.kind is StepKind.APPROVED else "",
        edits=step.edits,
        base=base,
    )


def _approval(edited: EditedEdition) -> Line:
    record = edited.record
    assert record.approved_at
    return Line(
        at=record.approved_at,
        by=record.approved_by or "",
        text=_SAID[StepKind.APPROVED][0],
        hash=record.hash,
        look=record.look or "",
        edits=len(edited.edits),
    )


# ── templates and fixed words ───────────────────────────────────────────────────────────────


def _look_text(parts: EditionParts, history: History, versions: tuple[Line, Line]) -> str:
    """Return a sentence about templates and fixed words, which are known of approved versions and of now."""
    try:
        looks = [_look(parts, history, line) for line in versions]
    except TemplateError as error:
        return f"The templates cannot be compared: {error}."
    before, after = looks
    if before is None or after is None:
        return ""
    changed = [each for each in look_differences(before, after) if each != _STORIES]
    if not changed:
        return "The templates and fixed words are the same."
    return f"Templates and fixed words have changed: {', '.join(changed)}."


def _look(parts: EditionParts, history: History, line: Line) -> Look | None:
    record = history.edited.record
    if line.look:
        try:
            with parts.database.read() as connection:
                return look_from(kept_look(connection, record.edition.id, line.look))
        except DamagedError:
            return None
    return _look_now(parts, record) if line.hash == record.hash else None


def _look_now(parts: EditionParts, record: EditionRecord) -> Look | None:
    return look_at(parts.templates, record)[0] if record.is_ahead else None
