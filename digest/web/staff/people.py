"""The pages of administrators: people, their roles and links, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from digest.model.staff import Person, Role
from digest.staff.audit import PAGE, people_in_trail, trail
from digest.staff.people import (
    StaffError,
    add_person,
    change_digests,
    change_role,
    fresh_link,
    people,
    person_named,
    remove_person,
)
from digest.staff.second_factor import turn_off
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext
from subscribers.errors import AddressError

router = APIRouter()

_ROLES: Mapping[Role, str] = {
    Role.READER: "looks at everything and comments, and may stop an edition",
    Role.EDITOR: "also edits editions and skips dates",
    Role.APPROVER: "also approves editions and sends them now",
    Role.OPERATOR: "edits, pauses and retries, and changes feeds, but does not approve",
    Role.ADMINISTRATOR: "may do everything, and decides about people and roles",
}
_SAID = {
    "role": "The role is changed. It counts from the next request on.",
    "digests": "The digests are changed. They count from the next request on.",
    "removed": "The person is removed, and signed out everywhere.",
    "factor": "The second factor is off. The person can sign in with the password alone.",
}


@router.get("/staff")
def staff(request: Request, context: Desk, done: str = "") -> Response:
    """Show the people, and the form to add one."""
    return _page(request, context, {"said": _SAID.get(done, "")})


@router.post("/staff")
def add(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Add a person, and show the one-time link."""
    written = {"name": form.one("name"), "address": form.one("address"), "role": form.one("role")}
    try:
        role, digests = _role(written["role"]), _digests(context, form)
        new = Person(id="", name=written["name"], address=written["address"], role=role, digests=digests)
        added, token = add_person(context.app.database, new, context.clock(), by=person)
    except (StaffError, AddressError) as error:
        ticked = {"ticked": form.many("digest")}
        return _page(request, context, {"fault": _sentence(error), "written": written | ticked}, status=422)
    return _page(request, context, _link(context, added, token))


@router.post("/staff/{person_id}/link")
def link(request: Request, context: Desk, person: SignedIn, person_id: str) -> Response:
    """Show a new one-time link for a person."""
    known = person_named(context.app.database, person_id).person
    token = fresh_link(context.app.database, person_id, context.clock(), by=person)
    return _page(request, context, _link(context, known, token))


@router.post("/staff/{person_id}/role")
def role(request: Request, context: Desk, person: SignedIn, form: Sent, person_id: str) -> Response:
    """Give a person another role."""
    try:
        change_role(context.app.database, person_id, _role(form.one("role")), context.clock(), by=person)
    except StaffError as error:
        return _page(request, context, {"fault": _sentence(error)}, status=422)
    return context.redirect("/staff?done=role")


@router.get("/staff/{person_id}/digests")
def ask_digests(request: Request, context: Desk, person_id: str) -> Response:
    """Ask on which digests a person works."""
    return _digests_page(request, context, person_id)


@router.post("/staff/{person_id}/digests")
def choose_digests(request: Request, context: Desk, person: SignedIn, form: Sent, person_id: str) -> Response:
    """Let a person work on all digests or on some."""
    chosen = None if form.one("which") == "all" else _known(context, form)
    try:
        change_digests(context.app.database, person_id, chosen, context.clock(), by=person)
    except StaffError as error:
        return _digests_page(request, context, person_id, fault=_sentence(error))
    return context.redirect("/staff?done=digests")


@router.post("/staff/{person_id}/second-factor/off")
def second_factor_off(request: Request, context: Desk, person: SignedIn, person_id: str) -> Response:
    """Turn a person's second factor off, because the phone is lost."""
    person_named(context.app.database, person_id)
    app, session = context.app, request.state.session
    turn_off(app.database, app.secret, person_id, context.clock(), by=person, session=session)
    context.wake()
    return context.redirect("/staff?done=factor")


@router.get("/staff/{person_id}/remove")
def ask(request: Request, context: Desk, person_id: str) -> Response:
    """Ask whether a person is to be removed."""
    return context.page(request, "remove", {"other": person_named(context.app.database, person_id)})


@router.post("/staff/{person_id}/remove")
def remove(request: Request, context: Desk, person: SignedIn, person_id: str) -> Response:
    """Remove a person."""
    try:
        remove_person(context.app.database, person_id, context.clock(), by=person)
    except StaffError as error:
        return _page(request, context, {"fault": _sentence(error)}, status=422)
    return context.redirect("/staff?done=removed")


@router.get("/staff/audit")
def audit(request: Request, context: Desk, person: str = "", before: str = "") -> Response:
    """Show what the staff did, the newest first."""
    last = int(before) if before.isdecimal() and len(before) < 19 else None
    entries = trail(context.app.database, person_id=person, before=last)
    values = {
        "entries": entries,
        "people": people_in_trail(context.app.database),
        "chosen": person,
        "older": entries[-1].id if len(entries) == PAGE else None,
    }
    return context.page(request, "audit", values)


def _digests_page(request: Request, context: StaffContext, person_id: str, *, fault: str = "") -> Response:
    other = person_named(context.app.database, person_id).person
    choices = [
        (each.slug, each.title, other.digests is not None and other.works_on(each.slug))
        for each in context.app.config.digests
    ]
    values = {"other": other, "choices": choices, "fault": fault}
    return context.page(request, "staff_digests", values, status=422 if fault else 200)


def _digests(context: StaffContext, form: Form) -> frozenset[str] | None:
    """Return the digests that are ticked for a new person; without any, the person works on all."""
    return _known(context, form) or None


def _known(context: StaffContext, form: Form) -> frozenset[str]:
    return frozenset(context.app.config.digest(slug).slug for slug in form.many("digest"))


def _role(text: str) -> Role:
    if text not in tuple(Role):
        raise StaffError("choose a role")
    return Role(text)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}. Nothing has changed."


def _link(context: StaffContext, person: Person, token: str) -> dict[str, object]:
    return {"invited": person, "link": f"{context.settings.url}/welcome/{token}"}


def _page(
    request: Request, context: StaffContext, values: Mapping[str, object], status: int = 200
) -> Response:
    shown = {
        "accounts": people(context.app.database),
        "roles": _ROLES,
        "fault": "",
        "written": {"name": "", "address": "", "role": Role.EDITOR, "ticked": ()},
        "digests": {each.slug: each.title for each in context.app.config.digests},
        "invited": None,
        "link": "",
        "said": "",
    }
    return context.page(request, "staff", {**shown, **values}, status=status)
