"""Answer a step of an edition: lead to its page, ask a question before it, or say why it is not taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import Request, Response

from digest.editions.approval import ApprovedAlreadyError, ReviewError
from digest.editions.edits.edits import read_edits
from digest.editions.outlook.words import local
from digest.editions.preflight import inspection_of
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, PreflightError, StateError, TransportError
from digest.render.preflight import Level
from digest.web.desk.editing.page import show
from digest.web.staff.context import StaffContext


class RefusedError(Exception):
    """A step that was not done: a sentence that says why, the status of the answer, and what was written."""

    def __init__(self, text: str, status: int, written: str = "") -> None:
        self.text, self.status, self.written = text, status, written


def take(request: Request, context: StaffContext, edition_id: str, step: Callable[[], str]) -> Response:
    """Take a step, and lead back to the edition; if it cannot be taken, the page says why."""
    try:
        done = step()
    except RefusedError as error:
        values = {"refusal": error.text, "written": (error.written,) if error.written else ()}
        return show(request, context, edition_id, status=error.status, values=values)
    except ReviewError:
        why = "This is not approved: the edition has changed since your page showed it. Please look again."
        return _refused(request, context, edition_id, why, 409)
    except PreflightError as error:
        return _refused(
            request, context, edition_id, f"This cannot be sent as it is: {' '.join(error.reasons)}", 422
        )
    except ApprovedAlreadyError as error:
        return _refused(request, context, edition_id, f"This was not done: {error}", 409)
    except TransportError as error:
        return _refused(request, context, edition_id, f"The mail server cannot be used: {error}", 503)
    except StateError:
        record = read_edits(context.app.database, edition_id).record
        return _refused(request, context, edition_id, _state_text(record), 409 if record.is_ahead else 410)
    return context.redirect(f"/desk/{edition_id}?done={done}")


def _state_text(record: EditionRecord) -> str:
    if record.is_ahead:
        return "This was not done, because somebody else has taken another step meanwhile. The page shows it."
    if record.started_at:
        at = f"{local(record.started_at, record.edition.zone):%H:%M:%S}"
        return f"This was not done, because sending began at {at}."
    return f"This was not done, because the edition was {record.state} meanwhile."


def _refused(request: Request, context: StaffContext, edition_id: str, text: str, status: int) -> Response:
    return show(request, context, edition_id, status=status, values={"refusal": text, "written": ()})


def ask(request: Request, context: StaffContext, edition_id: str, step: str) -> Response:
    """Show the page of an edition with a question in front of it."""
    record = read_edits(context.app.database, edition_id).record
    values: dict[str, object] = {"ask": step}
    if step in ("approve", "send") and record.is_ahead:
        values |= _findings(context, record)
    return show(request, context, edition_id, values=values)


def _findings(context: StaffContext, record: EditionRecord) -> Mapping[str, object]:
    try:
        found = inspection_of(context.app, record, context.clock()).findings
    except DigestError as error:
        return {"blocks": (str(error),), "warnings": ()}
    return {
        "blocks": tuple(each.message for each in found if each.level is Level.BLOCK),
        "warnings": tuple(each.message for each in found if each.level is not Level.BLOCK),
    }
