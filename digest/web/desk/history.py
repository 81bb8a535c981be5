"""Show the history of an edition, compare two of its versions, and undo single edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from digest.compose.edits.operations import Undo
from digest.editions.approval import standing
from digest.editions.editions import find_edition
from digest.editions.edits.edits import EditedEdition, Editor, edit, read_edits
from digest.editions.edits.galley import marked
from digest.editions.outlook.words import clock_words, curled, date_words, first_name, span_words
from digest.editions.views.comments import comment_counts
from digest.editions.views.history import Comparison, History, compare, read_history
from digest.model.errors import ConflictError, DigestError, EditRefusedError, NotFoundError, StateError
from digest.model.staff import Person, Right
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext

router = APIRouter()

_LABEL = 60  # characters of a version in the list to choose from
_STATUSES: dict[type[DigestError], int] = {EditRefusedError: 422, StateError: 410}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An edit that was not undone, and why; with `by`, because of that person's text for the same field."""

    text: str
    status: int
    by: str = ""
    first_name: str = ""
    theirs: str = ""
    yours: str = ""
    number: int = 0  # of the edit to undo


@router.api_route("/desk/{edition_id}/history", methods=["GET", "HEAD"])
def history(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Show who did what, the newest first, and how two versions differ."""
    return _page(request, context, person, edition_id)


def _page(
    request: Request, context: StaffContext, person: Person, edition_id: str, refused: Refused | None = None
) -> Response:
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
        "refused": refused,
        **found,
    }
    return context.page(request, "history", values, status=refused.status if refused else 200)


@router.post("/desk/{edition_id}/history")
def undo(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Undo one edit. If somebody else has set the same field meanwhile, the page asks which text is used."""
    database = context.app.database
    edited = read_edits(database, edition_id)
    number, seen = _number(form.one("number")), _number(form.one("seen"))
    if number is None:
        raise NotFoundError("edit", form.one("number"))
    last = len(edited.edits) if seen is None else seen
    try:
        editor = Editor(name=person.name, seen=last, now=context.clock())
        edit(database, edition_id, [Undo(number=number)], editor)
    except ConflictError as error:
        return _page(request, context, person, edition_id, _clash(context, edited, error, number))
    except (EditRefusedError, StateError) as error:
        if number not in edited.applied.undone:  # otherwise, the button was pressed twice
            refused = Refused(text=f"This was not done: {error}.", status=_STATUSES[type(error)])
            return _page(request, context, person, edition_id, refused)
    return context.redirect(f"/desk/{edition_id}/history")


def _clash(context: StaffContext, edited: EditedEdition, error: ConflictError, number: int) -> Refused:
    own = edited.edits[number - 1]
    at = span_words(context.clock() - error.at)
    return Refused(
        text=f"{error.by} changed the {curled(error.field)} {at} ago, so nothing was undone.",
        status=409,
        by=error.by,
        first_name=first_name(error.by),
        theirs=error.theirs,
        yours=f"Take this back: {own.by} {edited.sentence(own)}",
        number=number,
    )


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
