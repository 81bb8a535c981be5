"""The right-hand side of an edition's page: the email, its line in inboxes, and its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr

from fastapi import APIRouter, Request, Response

from digest.compose.edits.operations import Preheader, Subject
from digest.editions.edits.edits import EditedEdition, read_edits
from digest.editions.preview import PreviewError
from digest.editions.views.mail import Viewer, size_for_all, view
from digest.editions.views.readers import read_audience
from digest.model.editions import Edition
from digest.model.errors import TemplateError
from digest.render.mail import lines
from digest.render.templates import check_line, check_written_line
from digest.web.desk.mail import Frame, frame_url
from digest.web.staff.context import Desk, StaffContext

router = APIRouter()

CLIPPED = 102  # KB; Gmail clips longer emails
_VIEWS = (("desktop", "Desktop"), ("phone", "Phone"), ("text", "Plain text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxLine:
    """The lines of an email in a list of messages; `wrong` says why they cannot be used."""

    sender: str
    subject: str
    preheader: str
    wrong: str = ""


def shown(context: StaffContext, edited: EditedEdition, request: Request) -> Mapping[str, object]:
    """Return the values of the tab that a request asks for."""
    match request.query_params.get("show", "mail"):
        case "inbox":
            return {"inbox": _inbox_values(edited)}
        case "readers":
            return {"audience": _audience(context, edited)}
    return {"mail": _mail_values(context, edited, request.query_params.get("view", "desktop"))}


@router.api_route("/desk/{edition_id}/lines", methods=["GET", "HEAD"])
def inbox_lines(request: Request, context: Desk, edition_id: str) -> Response:
    """Return the lines in inboxes as they would be with another subject and preheader: a part of a page."""
    edition = read_edits(context.app.database, edition_id).applied.edition
    query = request.query_params
    changed = _changed_lines(edition, query.get("subject", ""), query.get("preheader", ""))
    wrong = next(filter(None, (check_written_line(each.text) for each in changed)), None)
    line = _line(edition, wrong) if wrong else _line(_with_lines(edition, changed))
    return context.page(request, "_inbox_lines", {"line": line})


def _changed_lines(edition: Edition, subject: str, preheader: str) -> list[Subject | Preheader]:
    """Return the edits for lines that differ from what the form showed, where it had such fields."""
    shown_subject, shown_preheader = lines(edition)
    found: list[Subject | Preheader] = []
    if subject and subject not in (shown_subject, edition.subject_template):
        found.append(Subject(text=subject))
    if preheader and preheader not in (shown_preheader, edition.preheader_template):
        found.append(Preheader(text=preheader))
    return found


# ── the values of each tab ──────────────────────────────────────────────────────────────────


def _mail_values(context: StaffContext, edited: EditedEdition, wanted: str) -> Mapping[str, object]:
    record, viewer = edited.record, Viewer()
    names = [name for name, _ in _VIEWS]
    at = names.index(wanted) if wanted in names else 0
    values: dict[str, object] = {
        "views": _VIEWS,
        "view": names[at],
        "next_view": "".join(names[at + 1 : at + 2]),
        # The page follows changes, and the frame follows the address.
        "src": frame_url(context, record.edition.id, viewer, Frame(version=record.hash[:8])),
        "clipped": CLIPPED,
    }
    try:
        text = view(context.app, record, viewer).message.text if names[at] == "text" else ""
        size = size_for_all(context.app, record)
    except (PreviewError, TemplateError) as error:
        return {**values, "problem": str(error), "size": 0, "text": ""}
    return {**values, "problem": "", "size": _kilobytes(size), "text": text}


def _inbox_values(edited: EditedEdition) -> Mapping[str, object]:
    edition = edited.applied.edition
    line = _line(edition)
    return {
        "line": line,
        "subject": line.subject if "{" in edition.subject_template else edition.subject_template,
        "preheader": line.preheader if "{" in edition.preheader_template else edition.preheader_template,
        "made_subject": "{" in edition.subject_template or not edition.subject_template,
        "made_preheader": "{" in edition.preheader_template or not edition.preheader_template,
        "own_subject": edition.subject_template != edited.base.subject_template,
        "own_preheader": edition.preheader_template != edited.base.preheader_template,
    }


def _audience(context: StaffContext, edited: EditedEdition) -> Mapping[str, object]:
    found = read_audience(context.app, edited.record, context.clock())
    rows = tuple((row, _kilobytes(row.size)) for row in found.rows)
    return {"found": found, "rows": rows, "clipped": CLIPPED}


def _kilobytes(size: int) -> int:
    return round(size / 1024)


def _with_lines(edition: Edition, changed: Sequence[Subject | Preheader]) -> Edition:
    """Return an edition with other lines; a line that is as it is shown keeps its template."""
    for operation in changed:
        if isinstance(operation, Subject):
            edition = replace(edition, subject_template=operation.text)
        else:
            edition = replace(edition, preheader_template=operation.text)
    return edition


def _line(edition: Edition, wrong: str | None = None) -> InboxLine:
    sender = parseaddr(edition.sender)[0] or edition.title
    wrong = wrong or check_line(edition.subject_template) or check_line(edition.preheader_template)
    if wrong:
        return InboxLine(sender=sender, subject="", preheader="", wrong=wrong)
    subject, preheader = lines(edition)
    return InboxLine(sender=sender, subject=subject, preheader=preheader)
