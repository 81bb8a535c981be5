"""Take the steps of an edition on the desk: test, approve, hold, send, cancel, and plan it again."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from digest.editions.approval import ReviewError, unapprove
from digest.editions.archive import add_correction
from digest.editions.editions import approve, cancel, find_edition, pause_edition, resume_edition
from digest.editions.edits.correct import correct, correct_site
from digest.editions.edits.edits import read_edits
from digest.editions.edits.refresh import refresh
from digest.editions.outlook.phases import held_reason
from digest.editions.preflight import inspection_of
from digest.editions.preview import PreviewError
from digest.editions.send import note_test, send_by_hand, send_test
from digest.editions.views.mail import Viewer, recipient_for
from digest.model.editions import EditionRecord, EditionState
from digest.model.errors import EditRefusedError
from digest.model.messages import Outcome
from digest.model.run_context import RunContext
from digest.model.staff import Person, Right
from digest.web.desk.editing.answers import RefusedError, ask, take
from digest.web.desk.editing.page import DONE
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
    return ask(request, context, edition_id, "approve")


@router.post("/desk/{edition_id}/approve")
def approve_edition(
    request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str
) -> Response:
    """Approve an edition, if its hash is still the one that the page showed."""
    return take(request, context, edition_id, lambda: _approve(context, person, form.one("hash"), edition_id))


@router.post("/desk/{edition_id}/unapprove")
def take_approval_back(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Take an approval back."""

    def step() -> str:
        unapprove(context.app.database, edition_id, by=person.name, now=context.clock())
        return "unapproved"

    return take(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/send", methods=_READ)
def ask_to_send(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask whether an edition is sent now."""
    return ask(request, context, edition_id, "send")


@router.post("/desk/{edition_id}/send")
def send_now(request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Approve an edition with the hash that the page showed, and begin to send it.

    Its readers are addressed before the answer. The messages are sent by the program that does what is due.
    """

    def step() -> str:
        record = read_edits(context.app.database, edition_id).record
        if record.state is EditionState.DRAFT:
            if _approve(context, person, form.one("hash"), edition_id) == "once":
                raise RefusedError(f"This is not sent yet. {DONE['once']}", 409)
        else:
            _require_hash(context, record, form.one("hash"))
        approved = read_edits(context.app.database, edition_id).record
        send_by_hand(context.app, approved, RunContext(clock=context.clock, stop=lambda: True))
        context.wake()
        return "sending"

    return take(request, context, edition_id, step)


def _approve(context: StaffContext, person: Person, reviewed: str, edition_id: str) -> str:
    if not reviewed:
        raise RefusedError(
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

    return take(request, context, edition_id, step)


@router.post("/desk/{edition_id}/resume")
def resume(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Resume an edition that is held or paused."""

    def step() -> str:
        resume_edition(context.app.database, edition_id, context.clock(), by=person.name)
        context.wake()
        return "resumed"

    return take(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/cancel", methods=_READ)
def ask_to_cancel(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask whether an edition is cancelled."""
    return ask(request, context, edition_id, "cancel")


@router.post("/desk/{edition_id}/cancel")
def cancel_edition(
    request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str
) -> Response:
    """Cancel an edition for good."""

    def step() -> str:
        why = held_reason(person.name, form.one("reason"))
        cancel(context.app.database, edition_id, reason=why, now=context.clock(), by=person.name)
        return "cancelled"

    return take(request, context, edition_id, step)


# ── refresh, correct, test ──────────────────────────────────────────────────────────────────


@router.post("/desk/{edition_id}/refresh")
def plan_again(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Plan an edition again with the posts that wait now. The edits are kept."""

    def step() -> str:
        slug = read_edits(context.app.database, edition_id).record.edition.digest
        if find_edition(context.app.database, context.app.config, slug).edition.id != edition_id:
            raise RefusedError("Only the newest edition of a digest can be planned again.", 422)
        composed = refresh(context.app, slug, context.clock(), by=person.name)
        if composed.record is None:
            raise RefusedError(f"The edition stays as it is. There would be none: {composed.reason}.", 422)
        return "same" if composed.reason else "refreshed"

    return take(request, context, edition_id, step)


@router.post("/desk/{edition_id}/correct")
def take_changes(request: Request, context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Take the new words of the publishers into an edition, and stories that are gone out of it."""

    def step() -> str:
        changed = correct(context.app, edition_id, context.clock(), by=person.name)
        site = correct_site(context.app, edition_id, context.clock())
        return "corrected" if changed or site else "nothing"

    return take(request, context, edition_id, step)


@router.api_route("/desk/{edition_id}/test", methods=_READ)
def ask_for_test(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask where a test is sent."""
    return ask(request, context, edition_id, "test")


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
            raise RefusedError(f"No test was sent to {address}: {error}", 422) from error
        if receipt.outcome is not Outcome.ACCEPTED:
            raise RefusedError(f"The mail server did not take the test: {receipt.reply}", 422)
        seen_as = viewer_words(context, record, viewer)
        note_test(context.app.database, edition_id, context.clock(), by=person.name, seen_as=seen_as)
        return "tested"

    return take(request, context, edition_id, step)


# ── after it has been sent ──────────────────────────────────────────────────────────────────


@router.api_route("/desk/{edition_id}/correction", methods=_READ)
def ask_for_correction(request: Request, context: Desk, edition_id: str) -> Response:
    """Ask for the words of a correction of the web copy."""
    return ask(request, context, edition_id, "correction")


@router.post("/desk/{edition_id}/correction")
def correct_web_copy(
    request: Request, context: Desk, person: SignedIn, form: Sent, edition_id: str
) -> Response:
    """Put a dated correction on the web copy of an edition that readers have; its hash stays."""
    text = form.one("text").replace("\r\n", "\n")

    def step() -> str:
        try:
            add_correction(context.app.database, edition_id, text, by=person.name, now=context.clock())
        except EditRefusedError as error:
            raise RefusedError(f"This was not done: {error.reason}.", 422, text) from error
        return "correction"

    return take(request, context, edition_id, step)
