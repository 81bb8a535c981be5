"""The pages behind the links in emails to the staff, and the page where a person chooses these emails.

A signed link opens a page with a button. Opening it changes nothing, because scanners of mail open links.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from digest.editions.notices.links import Asked, asked, follow
from digest.editions.notices.queue import choose_notices, chosen_notices
from digest.editions.outlook.words import counted
from digest.message.staff_links import SIGNED, LinkPurpose
from digest.model.editions import EditionRecord
from digest.staff.audit import note
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext
from subscribers.errors import TokenError

router = APIRouter()

_PRIVATE = {"cache-control": "no-store"}
_DIGITS = 8  # of a hash
_QUESTIONS = {
    LinkPurpose.APPROVE: "Approve this edition?",
    LinkPurpose.HOLD: "Hold this edition?",
    LinkPurpose.STOP: "Stop this edition?",
}
_BUTTONS = {LinkPurpose.HOLD: "Hold", LinkPurpose.STOP: "Stop"}
_DONE = {
    LinkPurpose.APPROVE: "You have approved this edition",
    LinkPurpose.HOLD: "You hold this edition",
    LinkPurpose.STOP: "You have stopped this edition",
}
_AUDIT = {
    LinkPurpose.APPROVE: "approved an edition by the link in an email",
    LinkPurpose.HOLD: "held an edition by the link in an email",
    LinkPurpose.STOP: "stopped an edition by the link in an email",
}


@router.get(f"/{SIGNED}/{{purpose}}/{{token}}")
def ask(request: Request, context: Desk, purpose: str, token: str) -> Response:
    """Say what the link would do, and show the button that does it."""
    link = _asked(context, purpose, token)
    if link is None:
        return _bad_link(request, context)
    return _page(request, context, link, {"heading": _question(link)})


@router.post(f"/{SIGNED}/{{purpose}}/{{token}}")
def act(request: Request, context: Desk, purpose: str, token: str) -> Response:
    """Do what the link is for, in the name of its person."""
    link = _asked(context, purpose, token)
    if link is None:
        return _bad_link(request, context)
    if link.refusal:
        return _page(request, context, link, {"heading": "Nothing was done"}, status=409)
    record = follow(context.app, link, context.clock())
    note(context.app.database, link.person, _AUDIT[link.purpose], record.edition.id, context.clock())
    context.wake()
    after = _asked(context, purpose, token) or link
    return _page(request, context, after, {"heading": _DONE[link.purpose], "done": True})


def _question(link: Asked) -> str:
    if not link.refusal:
        return _QUESTIONS[link.purpose]
    changed = link.purpose is LinkPurpose.APPROVE and link.differs and link.record.is_ahead
    return "The edition has changed since your email" if changed else "There is nothing to do"


def _asked(context: StaffContext, purpose: str, token: str) -> Asked | None:
    """Return what a link asks for; None if it was made for nothing or for something else."""
    try:
        return asked(context.app, LinkPurpose(purpose), token, context.clock())
    except (TokenError, ValueError):
        return None


def _page(
    request: Request, context: StaffContext, link: Asked, more: Mapping[str, object], status: int = 200
) -> Response:
    edition = link.record.edition
    values = {
        "done": False,
        "edition": edition.id,
        "title": edition.title,
        "date": f"{edition.local_date:%A}, {edition.local_date.day} {edition.local_date:%B}",
        "actor": link.person,
        "outlook": link.outlook,
        "follows": _follows(link, link.record),
        "changes": link.changes,
        "refusal": link.refusal,
        "button": _button(link),
        "seen": link.about.look[:_DIGITS],
        "present": link.hash[:_DIGITS],
        "differs": link.differs and link.record.is_ahead,
        **more,
    }
    return context.page(request, "signed", values, status=status, headers=_PRIVATE)


def _follows(link: Asked, record: EditionRecord) -> str:
    """Return what the button does, in words."""
    stories = counted(sum(1 for _ in record.edition.stories()), "story", "stories")
    if link.purpose is LinkPurpose.APPROVE:
        return f"You approve what you have seen: {stories}, with the hash {link.about.look[:_DIGITS]}."
    if record.is_ahead:
        return "No reader gets it until somebody resumes it on the desk."
    return "Readers who have it keep it. Nobody else gets it until somebody resumes it on the desk."


def _button(link: Asked) -> str:
    return _BUTTONS.get(link.purpose) or f"Approve {link.about.look[:_DIGITS]}"


def _bad_link(request: Request, context: StaffContext) -> Response:
    texts = ("Nothing has changed.", "Please copy the whole link from our latest email to you.")
    values = {"heading": "This link does not work", "texts": texts}
    return context.page(request, "message", values, status=404, headers=_PRIVATE)


# ── the choice ──────────────────────────────────────────────────────────────────────────────


@router.get("/account/notices")
def choice(request: Request, context: Desk, person: SignedIn, saved: bool = False) -> Response:
    """Show which digests the person is told about by email."""
    chosen = chosen_notices(context.app.database, person.id)
    values = {
        "which": "all" if chosen is None else "some" if chosen else "none",
        "digests": [
            (each.slug, each.title, chosen is None or each.slug in chosen)
            for each in context.app.config.digests
        ],
        "said": "Your choice is saved." if saved else "",
    }
    return context.page(request, "notices", values)


@router.post("/account/notices")
def choose(context: Desk, person: SignedIn, form: Sent) -> Response:
    """Save which digests the person is told about by email."""
    known = {each.slug for each in context.app.config.digests}
    some = [slug for slug in form.many("digest") if slug in known]
    chosen = {"all": None, "none": ()}.get(form.one("which"), some)
    choose_notices(context.app.database, person.id, chosen)
    return context.redirect("/account/notices?saved=true")
