"""Take the edits that people make on the desk's page of an edition, one form for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from digest.compose.edits.operations import Operation
from digest.editions.edits.edits import Editor, edit, picture_of, read_edits
from digest.editions.edits.galley import Marked, marked
from digest.editions.outlook.words import clock_words, curled, first_name, span_words
from digest.model.editions import EditionRecord
from digest.model.errors import ConflictError, EditRefusedError, NotFoundError, StateError
from digest.model.staff import Person
from digest.web.desk.editing.forms import LINES, Asked, Wanted, asked, operations_of, part_of
from digest.web.desk.editing.page import show
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext

router = APIRouter()

# The fields whose text a person has written. Whatever happens to the form, this text is not lost.
_WRITTEN = ("title", "blurb", "text", "name", "url", *LINES)
_PARTS = ("title", "blurb", *LINES)  # of forms with several texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two texts for one field: the other editor's, which the edition has now, and yours.

    `mine` and `theirs` are the fields of the forms that choose one of them; `rest` tells that choosing theirs
    has more to save.
    """

    heading: str
    by: str
    at: str
    their_text: Marked
    your_text: Marked
    yours: str
    field: str  # the name of the field for a third text; "" if there can be none
    mine: Mapping[str, str]
    theirs: Mapping[str, str]
    rest: bool
    draft: str  # under this name, the browser has kept your text
    show: str  # the tab beside the stories

    @property
    def first_name(self) -> str:
        """Return the name that the button for the other editor's text has."""
        return first_name(self.by)


@router.post("/desk/{edition_id}/edit")
def make_edit(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Make the edits that a form asks for. Each part of a story is an edit of its own.

    If another editor has changed one of the fields, the others are saved all the same, and the page asks
    which text is used.
    """
    sent = asked(form)
    try:
        changed = _make(context, person, edition_id, sent)
    except _ClashError as clash:
        return show(request, context, edition_id, status=409, values={"clash": clash.clash})
    except StateError:
        return _too_late(request, context, edition_id, sent)
    except (EditRefusedError, NotFoundError) as error:
        return _refused(request, context, edition_id, sent, error)
    story = sent.get("story")
    anchor = f"#s-{story}" if story and sent.do not in ("drop", "defer") else ""
    kept = {"show": sent.get("show")} if sent.get("show") else {}  # the tab beside the stories
    query = urlencode(kept | ({} if changed else {"done": "nothing"}))
    return context.redirect(f"/desk/{edition_id}{'?' if query else ''}{query}{anchor}")


def _make(context: StaffContext, person: Person, edition_id: str, sent: Asked) -> bool:
    """Make the edits of a form, each by itself; tell whether there were any. Raises _ClashError."""
    database = context.app.database
    edited = read_edits(database, edition_id)
    wanted = Wanted(edited=edited, picture=partial(picture_of, database))
    operations = operations_of(sent, wanted)
    clashes: list[tuple[Operation, ConflictError]] = []
    for each in operations:
        editor = Editor(name=person.name, seen=sent.seen_of(each), now=context.clock())
        try:
            edit(database, edition_id, [each], editor)
        except ConflictError as error:
            clashes.append((each, error))
    if clashes:
        left = [each for each, _ in clashes]
        raise _ClashError(_clash(context, edition_id, _pending(sent, left), clashes[0]))
    return bool(operations)


class _ClashError(Exception):
    """Another editor has changed the same field; `clash` asks which text is used."""

    def __init__(self, clash: Clash) -> None:
        self.clash = clash


def _pending(sent: Asked, left: list[Operation]) -> Asked:
    """Return the form without the words that are saved."""
    parts = set(map(part_of, left))
    for part in _PARTS:
        if part in sent.fields and part not in parts:
            sent = sent.without(part)
    return sent


def _clash(
    context: StaffContext, edition_id: str, sent: Asked, found: tuple[Operation, ConflictError]
) -> Clash:
    operation, error = found
    edited = read_edits(context.app.database, edition_id)
    now, seen = context.clock(), str(len(edited.edits))
    part = part_of(operation)
    whole = "text" if "text" in sent.fields and sent.do != "sponsor" else ""
    field = part if part in sent.fields else whole
    newer = {f"seen_{part}": seen} if part else {"seen": seen}
    theirs = sent.without(part) if part else sent
    return Clash(
        heading=f"{error.by} changed the {curled(error.field)} {span_words(now - error.at)} ago",
        by=error.by,
        at=clock_words(error.at, edited.base.zone, now),
        their_text=marked(error.theirs, error.yours),
        your_text=marked(error.yours, error.theirs),
        yours=error.yours,
        field=field,
        mine={**sent.fields, **newer},
        theirs=theirs.fields,
        rest=bool(part) and any(_changes(theirs)),
        draft=_draft(sent),
        show=sent.get("show"),
    )


def _draft(sent: Asked) -> str:
    """Return the name under which the page keeps the text of a form in the browser."""
    if sent.do == "lines":
        return sent.do
    subject = sent.get("story") or sent.get("topic")
    kind = {"rewrite": "edit"}.get(sent.do, sent.do)
    return f"{kind} {subject}" if subject and sent.do != "add" else f"words {sent.do}"


def _changes(sent: Asked) -> Iterator[str]:
    """Yield the parts of a story that a form would still rewrite."""
    return (each for each in _PARTS if each in sent.fields and sent.get(each) != sent.get(f"shown_{each}"))


# ── what cannot be done: the text stays in the page ─────────────────────────────────────────


def _too_late(request: Request, context: StaffContext, edition_id: str, sent: Asked) -> Response:
    record = read_edits(context.app.database, edition_id).record
    if record.is_ahead:
        why = "An edition needs at least one story. To send nothing, cancel the edition."
        return _kept(request, context, edition_id, sent, why, 422)
    return _kept(request, context, edition_id, sent, _over(record), 410)


def _over(record: EditionRecord) -> str:
    if record.started_at:
        at = (
            f"{clock_words(record.started_at, record.edition.zone, record.started_at)}:{record.started_at:%S}"
        )
        return f"Sending began at {at}, so this edit came too late."
    return f"This edition was {record.state}, so this edit came too late."


def _refused(
    request: Request,
    context: StaffContext,
    edition_id: str,
    sent: Asked,
    error: EditRefusedError | NotFoundError,
) -> Response:
    if isinstance(error, EditRefusedError):
        return _kept(request, context, edition_id, sent, f"This was not done: {error.reason}.", 422)
    if error.kind == "edition":
        raise error
    text = f"This was not done: the {error.kind} is not in the edition any more."
    return _kept(request, context, edition_id, sent, text, 422)


def _kept(
    request: Request, context: StaffContext, edition_id: str, sent: Asked, text: str, status: int
) -> Response:
    """Return the page with a refusal, and with all that the person has written."""
    written = tuple(sent.get(each) for each in _WRITTEN if sent.get(each) and sent.do != "picture")
    values = {"refusal": text, "written": written}
    return show(request, context, edition_id, status=status, values=values)
