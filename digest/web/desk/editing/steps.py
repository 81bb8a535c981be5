"""Take the steps of an edition on the desk: test, approve, hold, send, cancel, and plan it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request, Response

from digest.editions.approval import ApprovedAlreadyError, ReviewError, unapprove
from digest.editions.editions import approve, cancel, find_edition, pause_edition, resume_edition
from digest.editions.edits.correct import correct, correct_site
from digest.editions.edits.edits import read_edits
from digest.editions.edits.refresh import refresh
from digest.editions.outlook.phases import held_reason
from digest.editions.outlook.words import local
from digest.editions.preflight import inspection_of
from digest.editions.preview import PreviewError
from digest.editions.send import note_test, send_by_hand, send_test
from digest.editions.views.mail import Viewer, recipient_for
from digest.model.editions import EditionRecord, EditionState
from digest.model.errors import DigestError, PreflightError, StateError, TransportError
from digest.model.messages import Outcome
from digest.model.run_context import RunContext
from digest.model.staff import Person, Right
from digest.render.preflight import Level
from digest.web.desk.editing.page import DONE, show
from digest.web.desk.mail import require_reader_right, viewer_words
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, RightMissingError, SignedIn, StaffContext
from subscribers.errors import AddressError

router = APIRouter()

_READ = ["GET", "HEAD"]


# ── approve and send ────────────────────────────────────────────────────────────────────────


@router.api_route("/desk/{edition_id}/approve", methods=_READ)
def ask_approval(request: Request, context: Desk, edition_id: str) -> Response:
    """Show what an approval would cover: the hash, the readers, the deadline, the warnings."""
    return _ask(request, context, edition_id, "approve")


@router.post("/desk/{edition_id}/approve")
def approve_edition(
    request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str
) -> Response:
    """Approve an edition, if its hash is still the one that the page showed."""
    return _step(
        request, context, edition_id, lambda: _approve(context, person, form.one("hash"), edition_id)
    )


@router.post("/desk/{edition_id}/unapprove")
def take_approval_back(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Take an approval back."""

    def step() -> str:
        unapprove(context.app.database, edition_id, by=person.name, now=context.clock())
        return "unapproved"

    return _step(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/send", methods=_READ)
def ask_to_send(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask whether an edition is sent now."""
    return _ask(request, context, edition_id, "send")


@router.post("/desk/{edition_id}/send")
def send_now(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Approve an edition with the hash that the page showed, and begin to send it.

    Its readers are addressed before the answer. The messages are sent by the program that does what is due.
    """

    def step() -> str:
        record = read_edits(context.app.database, edition_id).record
        if record.state is EditionState.DRAFT:
            if _approve(context, person, form.one("hash"), edition_id) == "once":
                raise _RefusedError(f"This is not sent yet. {DONE['once']}", 409)
        else:
            _require_hash(context, record, form.one("hash"))
        approved = read_edits(context.app.database, edition_id).record
        send_by_hand(context.app, approved, RunContext(clock=context.clock, stop=lambda: True))
        context.wake()
        return "sending"

    return _step(request, context, edition_id, step)


def _approve(context: StaffContext, person: Person, reviewed: str, edition_id: str) -> str:
    if not reviewed:
        raise _RefusedError(
            "The form does not say which version is approved. Please look at the edition again.", 422
        )
    record, _ = approve(context.app, edition_id, by=person.name, now=context.clock(), reviewed=reviewed)
    return "once" if record.state is EditionState.DRAFT else "approved"


def _require_hash(context: StaffContext, record: EditionRecord, reviewed: str) -> None:
    found = inspection_of(context.app, record, context.clock()).hash
    if not reviewed or found != reviewed:
        raise ReviewError(record.edition.id, reviewed, found)


# ── hold, resume, cancel ────────────────────────────────────────────────────────────────────


@router.post("/desk/{edition_id}/hold")
def hold(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Hold an edition, or pause one that is being sent. Anybody who may look may do so."""

    def step() -> str:
        why = held_reason(person.name, form.one("reason"))
        pause_edition(context.app.database, edition_id, reason=why, now=context.clock(), by=person.name)
        return "held"

    return _step(request, context, edition_id, step)


@router.post("/desk/{edition_id}/resume")
def resume(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Resume an edition that is held or paused."""

    def step() -> str:
        resume_edition(context.app.database, edition_id, context.clock(), by=person.name)
        context.wake()
        return "resumed"

    return _step(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/cancel", methods=_READ)
def ask_to_cancel(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask whether an edition is cancelled."""
    return _ask(request, context, edition_id, "cancel")


@router.post("/desk/{edition_id}/cancel")
def cancel_edition(
    request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str
) -> Response:
    """Cancel an edition for good."""

    def step() -> str:
        why = held_reason(person.name, form.one("reason"))
        cancel(context.app.database, edition_id, reason=why, now=context.clock(), by=person.name)
        return "cancelled"

    return _step(request, context, edition_id, step)


# ── refresh, correct, test ──────────────────────────────────────────────────────────────────


@router.post("/desk/{edition_id}/refresh")
def plan_again(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Plan an edition again with the posts that wait now. The edits are kept."""

    def step() -> str:
        slug = read_edits(context.app.database, edition_id).record.edition.digest
        if find_edition(context.app.database, context.app.config, slug).edition.id != edition_id:
            raise _RefusedError("Only the newest edition of a digest can be planned again.", 422)
        composed = refresh(context.app, slug, context.clock(), by=person.name)
        if composed.record is None:
            raise _RefusedError(f"The edition stays as it is. There would be none: {composed.reason}.", 422)
        return "same" if composed.reason else "refreshed"

    return _step(request, context, edition_id, step)


@router.post("/desk/{edition_id}/correct")
def take_changes(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Take the new words of the publishers into an edition, and stories that are gone out of it."""

    def step() -> str:
        changed = correct(context.app, edition_id, context.clock(), by=person.name)
        site = correct_site(context.app, edition_id, context.clock())
        return "corrected" if changed or site else "nothing"

    return _step(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/test", methods=_READ)
def ask_for_test(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask where a test is sent."""
    return _ask(request, context, edition_id, "test")


@router.post("/desk/{edition_id}/test")
def send_one_test(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Send a test, as anybody gets the email: to oneself, or to any address with the right for it."""
    address = form.one("address") or person.address
    if address.casefold() != person.address.casefold() and not person.may(Right.OPERATE):
        raise RightMissingError(Right.OPERATE)
    viewer = Viewer(topics=form.one("topics"), language=form.one("language"), reader=form.one("reader"))
    require_reader_right(person, viewer)

    def step() -> str:
        record = read_edits(context.app.database, edition_id).record
        try:
            seen_by = recipient_for(context.app, record, viewer)
            receipt = send_test(context.app, record, address, seen_by)
        except (AddressError, PreviewError) as error:
            raise _RefusedError(f"No test was sent to {address}: {error}", 422) from error
        if receipt.outcome is not Outcome.ACCEPTED:
            raise _RefusedError(f"The mail server did not take the test: {receipt.reply}", 422)
        seen_as = viewer_words(context, record, viewer)
        note_test(context.app.database, edition_id, context.clock(), by=person.name, seen_as=seen_as)
        return "tested"

    return _step(request, context, edition_id, step)


# ── answers ─────────────────────────────────────────────────────────────────────────────────


class _RefusedError(Exception):
    """A step that was not done, with the sentence that says why, and the status of the answer."""

    def __init__(self, text: str, status: int) -> None:
        self.text, self.status = text, status


def _step(request: Request, context: StaffContext, edition_id: str, step: Callable[[], str]) -> Response:
    """Take a step, and lead back to the edition; if it cannot be taken, the page says why."""
    try:
        done = step()
    except _RefusedError as error:
        return _refused(request, context, edition_id, error.text, error.status)
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


def _ask(request: Request, context: StaffContext, edition_id: str, step: str) -> Response:
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
