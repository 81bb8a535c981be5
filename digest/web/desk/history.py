"""Show the history of an edition, compare two of its versions, and undo single edits."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from digest.compose.edits.operations import Undo
from digest.editions.approval import standing
from digest.editions.editions import find_edition
from digest.editions.edits.edits import Editor, edit, read_edits
from digest.editions.edits.galley import marked
from digest.editions.outlook.words import clock_words, date_words
from digest.editions.views.comments import comment_counts
from digest.editions.views.history import Comparison, History, compare, read_history
from digest.model.errors import EditRefusedError, NotFoundError
from digest.model.staff import Right
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext

router = APIRouter()

_LABEL = 60  # characters of a version in the list to choose from


@router.api_route("/desk/{edition_id}/history", methods=["GET", "HEAD"])
def history(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Show who did what, the newest first, and how two versions differ."""
    record = find_edition(context.app.database, context.app.config, edition_id)
    told = read_history(context.app.database, record.edition.id)
    now = context.clock()
    times = tuple(clock_words(line.at, record.edition.zone, now) for line in told.lines)
    versions = _versions(told, dict(zip((id(line) for line in told.lines), times, strict=True)))
    found = _compared(context, told, request, versions)
    values = {
        "record": record,
        "edition": record.edition,
        "path": f"{context.root}/desk/{record.edition.id}",
        "day": date_words(record.edition.local_date),
        "lines": tuple(zip(times, told.lines, strict=True)),
        "marked": marked,
        "seen": len(told.edited.edits),
        "standing": standing(context.app, record),
        "may_undo": record.is_ahead and person.may(Right.EDIT),
        "comments": sum(comment_counts(context.app.database, record.edition.id).values()),
        **found,
    }
    return context.page(request, "history", values)


@router.post("/desk/{edition_id}/history")
def undo(context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Undo one edit. Raises ConflictError if somebody else has set the same field meanwhile."""
    database = context.app.database
    edited = read_edits(database, edition_id)
    number, seen = _number(form.one("number")), _number(form.one("seen"))
    if number is None:
        raise NotFoundError("edit", form.one("number"))
    last = len(edited.edits) if seen is None else seen
    try:
        editor = Editor(name=person.name, seen=last, now=context.clock())
        edit(database, edition_id, [Undo(number=number)], editor)
    except EditRefusedError:
        if number not in edited.applied.undone:  # the button was pressed twice
            raise
    return context.redirect(f"/desk/{edition_id}/history")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _versions(told: History, times: Mapping[int, str]) -> tuple[tuple[str, str], ...]:
    """Return each version to choose from: its hash, and a label that begins with its time."""
    found = []
    for line in told.versions:
        text = f"{line.by} {line.text} {line.after}".strip()
        short = text if len(text) <= _LABEL else f"{text[: _LABEL - 1].rstrip()}…"
        found.append((line.hash, f"{times[id(line)]} · {short} · {line.hash[:8]}"))
    return tuple(found)


def _compared(
    context: StaffContext, told: History, request: Request, versions: tuple[tuple[str, str], ...]
) -> Mapping[str, object]:
    """Return the comparison that a request asks for; without a request, of the first version with now."""
    old = request.query_params.get("from") or (versions[-1][0] if versions else "")
    new = request.query_params.get("to") or (versions[0][0] if versions else "")
    comparison: Comparison | None = None
    problem = ""
    try:
        comparison = compare(context.app, told, old, new)
    except NotFoundError:
        problem = "This edition has no version with one of these hashes."
    chosen = (comparison.before.hash, comparison.after.hash) if comparison else (old, new)
    return {"versions": versions, "chosen": chosen, "comparison": comparison, "problem": problem}
