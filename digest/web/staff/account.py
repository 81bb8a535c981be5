"""The page of one's own account: password, second factor, signed-in browsers and tokens for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from digest.model.staff import Person, Right, rights_of
from digest.staff import tokens
from digest.staff.account import (
    change_password,
    end_other_sessions,
    end_session_named,
    open_sessions,
    own_account,
    require_proof,
)
from digest.staff.people import StaffError
from digest.staff.second_factor import new_secret, qr_code, turn_off, turn_on
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext
from subscribers.errors import TokenError

router = APIRouter()

DOES: Mapping[Right, str] = {
    Right.LOOK: "look at the desk",
    Right.EDIT: "edit",
    Right.APPROVE: "approve",
    Right.OPERATE: "operate",
    Right.ADMINISTER: "administer",
}
_SCOPES: Mapping[Right, str] = {
    Right.LOOK: "list and read editions, and hold one",
    Right.EDIT: "skip a date",
    Right.APPROVE: "approve an edition",
    Right.OPERATE: "read and change the list of readers",
}
_SAID = {
    "password": "Your password is changed. You are signed out everywhere else.",
    "factor-off": "The second factor is off.",
    "session": "That browser is signed out.",
    "sessions": "You are signed out everywhere else.",
    "token": "The token is revoked.",
}
_FIRST = "Nothing has changed. The pages of administrators need a second factor. Please turn one on first."
_TICKET = "second factor"
_LIFE = timedelta(minutes=15)  # of the secret on the page that shows it


@router.get("/account")
def account(request: Request, context: Desk, person: SignedIn, done: str = "") -> Response:
    """Show the account of the person who is signed in."""
    return _page(request, context, person, {"said": _SAID.get(done, "")})


@router.post("/account/password")
def password(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Change the password."""
    try:
        chosen = secret_of(form, "password")
        if chosen != secret_of(form, "again"):
            raise StaffError("The two new passwords are not the same. Nothing has changed.")
        _prove(request, context, person, form)
        app, session = context.app, request.state.session
        change_password(app.database, app.secret, person, chosen, session=session, now=context.clock())
    except StaffError as error:
        return _page(request, context, person, {"faults": {"password": str(error)}}, status=422)
    context.wake()
    return context.redirect("/account?done=password")


@router.get("/account/second-factor")
def second_factor(request: Request, context: Desk, person: SignedIn, first: str = "") -> Response:
    """Show a new secret to be scanned; nothing changes until a code has shown that the app has it.

    `first` says that a page of administrators has led here.
    """
    return _factor_page(request, context, person, new_secret(), told=_FIRST if first else "")


@router.post("/account/second-factor")
def second_factor_on(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Turn the second factor on, and show the recovery codes, once."""
    try:
        ticket = context.tickets.read(_TICKET, form.one("ticket"), life=_LIFE)
        owner, secret = ticket.values
    except (TokenError, ValueError):
        owner, secret = "", ""
    if owner != person.id:
        return context.redirect("/account/second-factor")
    try:
        _prove(request, context, person, form)
        app, code = context.app, form.one("code")
        session, now = request.state.session, context.clock()
        codes = turn_on(app.database, app.secret, person, secret, code, session=session, now=now)
        if codes is None:
            raise StaffError("This code is wrong or too old. Please try the next one.")
    except StaffError as error:
        return _factor_page(request, context, person, secret, fault=str(error))
    context.wake()
    return context.page(request, "recovery", {"codes": codes})


@router.post("/account/second-factor/off")
def second_factor_off(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Turn the second factor off."""
    try:
        _prove(request, context, person, form)
    except StaffError as error:
        return _page(request, context, person, {"faults": {"factor": str(error)}}, status=422)
    app, session = context.app, request.state.session
    turn_off(app.database, app.secret, person.id, context.clock(), by=person, session=session)
    context.wake()
    return context.redirect("/account?done=factor-off")


@router.post("/account/sessions/end")
def end_others(request: Request, context: Desk, person: SignedIn) -> Response:
    """Sign the person out everywhere but here."""
    end_other_sessions(context.app.database, person, request.state.session, context.clock())
    return context.redirect("/account?done=sessions")


@router.post("/account/sessions/{name}/end")
def end_one(context: Desk, person: SignedIn, name: str) -> Response:
    """Sign one browser out."""
    end_session_named(context.app.database, person, name, context.clock())
    return context.redirect("/account?done=session")


@router.post("/account/tokens")
def add_token(request: Request, context: Desk, person: SignedIn, form: Sent) -> Response:
    """Make a token, and show it, once."""
    days = form.one("days")
    life = timedelta(days=int(days) if days.isdecimal() and len(days) < 5 else 0)
    scopes = {right for right in Right if right in form.many("scope")}
    try:
        _prove(request, context, person, form)
        token = tokens.make_token(
            context.app.database, person, form.one("name"), scopes, life, now=context.clock()
        )
    except StaffError as error:
        return _page(request, context, person, {"faults": {"token": str(error)}}, status=422)
    return _page(request, context, person, {"token": token})


@router.post("/account/tokens/{name}/revoke")
def revoke(context: Desk, person: SignedIn, name: str) -> Response:
    """Revoke a token."""
    tokens.revoke_token(context.app.database, person, name, context.clock())
    return context.redirect("/account?done=token")


def secret_of(form: Form, name: str) -> str:
    """Return a password as it was typed, with its spaces at the ends."""
    return (form.many(name) or ("",))[0]


def _prove(request: Request, context: StaffContext, person: Person, form: Form) -> None:
    require_proof(
        context.app.database,
        person,
        secret_of(form, "present"),
        session=request.state.session,
        now=context.clock(),
    )


def _can_give(person: Person, right: Right) -> bool:
    """Tell whether a token of a person can have a right. The list of readers belongs to all digests."""
    return right in rights_of(person.role) and (right is not Right.OPERATE or person.digests is None)


def _factor_page(
    request: Request, context: StaffContext, person: Person, secret: str, *, fault: str = "", told: str = ""
) -> Response:
    own = own_account(context.app.database, person)
    values = {
        "qr": Markup(qr_code(secret, person, context.app.config.site.name)),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "ticket": context.tickets.make(_TICKET, person.id, secret),
        "has_password": own.password is not None,
        "is_on": own.totp is not None,
        "fault": fault,
        "told": told,
    }
    return context.page(request, "second_factor", values, status=422 if fault else 200)


def _page(
    request: Request, context: StaffContext, person: Person, values: Mapping[str, object], status: int = 200
) -> Response:
    own = own_account(context.app.database, person)
    shown = {
        "own": own,
        "works_on": [
            each.title
            for each in context.app.config.digests
            if person.digests and each.slug in person.digests
        ],
        "may": [DOES[right] for right in Right if person.may(right)],
        "sessions": open_sessions(context.app.database, person, context.clock()),
        "here": request.state.session.name,
        "tokens": tokens.tokens_of(context.app.database, person),
        "scopes": [(right, _SCOPES[right]) for right in tokens.SCOPES if _can_give(person, right)],
        "lives": [life.days for life in tokens.LIVES],
        "faults": {},
        "token": "",
        "said": "",
    }
    return context.page(request, "account", {**shown, **values}, status=status)
