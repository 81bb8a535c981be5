"""Sign people in and out, and let them choose a password by their one-time link."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from digest.staff.audit import note
from digest.staff.people import StaffError
from digest.staff.second_factor import is_code
from digest.staff.signin import (
    LIFE,
    WINDOW,
    Refusal,
    Welcome,
    begin_session,
    check_password,
    person_of_link,
    sign_out,
    still_welcome,
    time_left,
    use_link,
)
from digest.web.security.forms import Form, Sent
from digest.web.staff.context import Desk, StaffContext
from subscribers.errors import TokenError

router = APIRouter()

log = logging.getLogger(__name__)

KEPT = "kept:"  # begins the names of fields that a form had when its session ended
_PASSWORDS = frozenset({"present", "password", "again"})  # the fields of our forms that hold passwords
_NOT_KEPT = "Your session has ended, and passwords are not kept. Sign in, and enter them again."
_WORDS = {
    Refusal.WRONG: "The address or the password is wrong.",
    Refusal.TOO_MANY: "Too many attempts. Please try again in a quarter of an hour.",
}
_WRONG_CODE = "This code is wrong, was used already, or there were too many. Please try the next one."
_TICKET, _KNOWN = "password was right", "known browser"
_MOST_KNOWN = 8  # people whom one browser remembers
_YEAR = timedelta(days=365)
_LIFE = timedelta(minutes=10)  # between the password and the code
_STATUS = {Refusal.WRONG: 401, Refusal.TOO_MANY: 429}


@router.get("/")
def home(request: Request, context: Desk) -> Response:
    """Lead to the page to begin with."""
    return context.redirect(context.home(request.state.person) if request.state.person else "/login")


@router.get("/login")
def login(request: Request, context: Desk, then: str = "") -> Response:
    """Show the form to sign in."""
    if request.state.person is not None:
        return context.redirect(safe_path(then) or context.home(request.state.person))
    return context.page(request, "login", form_values(context, then=safe_path(then)))


@router.post("/login")
def log_in(request: Request, context: Desk, form: Sent) -> Response:
    """Sign in with an address and a password."""
    visitor = context.visitor(request)
    password = (form.many("password") or ("",))[0]
    found = check_password(
        context.app.database,
        context.app.secret,
        form.one("address"),
        password,
        visitor=visitor,
        now=context.clock(),
    )
    if isinstance(found, Refusal):
        values = {**_carried(context, form), "fault": _WORDS[found], "address": form.one("address")}
        wait = str(int(WINDOW.total_seconds()))
        headers = {"retry-after": wait} if found is Refusal.TOO_MANY else {}
        return context.page(request, "login", values, status=_STATUS[found], headers=headers)
    return welcome(request, context, found, form)


@router.post("/logout")
def log_out(request: Request, context: Desk) -> Response:
    """End the session."""
    if request.state.person is not None:
        note(context.app.database, request.state.person, "signed out", "", context.clock())
    sign_out(context.app.database, request.cookies.get(context.cookie, ""))
    answer = context.redirect("/login")
    answer.delete_cookie(context.cookie, path=context.root or "/", secure=is_secure(context), httponly=True)
    if is_secure(context):  # browsers accept this header from https alone
        answer.headers["clear-site-data"] = '"cache"'
    return answer


@router.get("/login/left")
def left(request: Request, context: Desk) -> Response:
    """Tell an open page how long the session lasts, as JSON. The question does not prolong it."""
    return _left(request, context)


@router.post("/login/stay")
def stay(request: Request, context: Desk) -> Response:
    """Prolong the session for somebody who has pressed the button, and tell how long it lasts."""
    return _left(request, context)


def _left(request: Request, context: StaffContext) -> Response:
    session = request.state.session
    found = time_left(session, context.clock()) if session else None
    return JSONResponse(
        {"seconds": found.seconds if found else 0, "isFinal": found is not None and found.is_final}
    )


@router.get("/welcome/{token}")
def invitation(request: Request, context: Desk, token: str) -> Response:
    """Show the form to choose a password. Looking at it does not use the link up."""
    invited = person_of_link(context.app.database, token, context.clock())
    if invited is None:
        return _no_link(request, context)
    return context.page(request, "welcome", {"invited": invited, "fault": ""})


@router.post("/welcome/{token}")
def accept(request: Request, context: Desk, form: Sent, token: str) -> Response:
    """Set the password, and sign in."""
    password, again = ((form.many(name) or ("",))[0] for name in ("password", "again"))
    invited = person_of_link(context.app.database, token, context.clock())
    if invited is None:
        return _no_link(request, context)
    try:
        if password != again:
            raise StaffError("The two passwords are not the same.")
        app, visitor = context.app, context.visitor(request)
        found = use_link(app.database, token, password, now=context.clock(), visitor=visitor, tell=app.secret)
    except StaffError as error:
        return context.page(request, "welcome", {"invited": invited, "fault": str(error)}, status=422)
    return welcome(request, context, found, form, told=True) if found else _no_link(request, context)


def welcome(
    request: Request, context: StaffContext, found: Welcome, form: Form, *, told: bool = False
) -> Response:
    """Sign in the person whose password was right, or ask for a code if there is a second factor.

    `told` means that an email tells the person already.
    """
    if not found.second:
        return _enter(request, context, found.person.id, form, told=told)
    ticket = context.tickets.make(_TICKET, found.person.id, found.mark)
    return context.page(request, "code", {**_carried(context, form), "ticket": ticket, "fault": ""})


@router.post("/login/code")
def log_in_with_code(request: Request, context: Desk, form: Sent) -> Response:
    """Sign in with a code of the second factor, after the password was right."""
    try:
        person_id, mark = context.tickets.read(_TICKET, form.one("ticket"), life=_LIFE).values
    except (TokenError, ValueError):
        return context.redirect("/login")
    database, key = context.app.database, context.app.secret
    if still_welcome(database, person_id, mark) is None:
        return context.redirect("/login")
    if not is_code(database, key, person_id, form.one("code"), context.clock()):
        log.warning("a code of the second factor of %s was wrong, or there were too many", person_id)
        values = {**_carried(context, form), "ticket": form.one("ticket"), "fault": _WRONG_CODE}
        return context.page(request, "code", values, status=401)
    return _enter(request, context, person_id, form)


def _carried(context: StaffContext, form: Form) -> dict[str, object]:
    """Return what the form to sign in carries from step to step."""
    return form_values(context, then=safe_path(form.one("then")), kept=kept_of(form))


def _enter(
    request: Request, context: StaffContext, person_id: str, form: Form, *, told: bool = False
) -> Response:
    """Begin a session with a new cookie; the earlier session of this browser ends.

    A person who has not used this browser before is told by email.
    """
    app, known = context.app, _known(request, context)
    sign_out(app.database, request.cookies.get(context.cookie, ""))
    tell = None if told or person_id in known else app.secret
    cookie = begin_session(app.database, person_id, context.visitor(request), context.clock(), tell=tell)
    context.wake()
    then, kept = safe_path(form.one("then")), kept_of(form)
    if kept and then:
        answer: Response = context.page(request, "continue", {"then": then, "kept": kept})
    else:
        answer = context.redirect(then or "/")
    set_cookie(answer, context, context.cookie, cookie, life=LIFE)
    people = (person_id, *(each for each in known if each != person_id))[:_MOST_KNOWN]
    set_cookie(answer, context, f"{context.cookie}-known", context.tickets.make(_KNOWN, *people), life=_YEAR)
    return answer


def _known(request: Request, context: StaffContext) -> tuple[str, ...]:
    """Return the ids of the people who have signed in with this browser before; a cookie of it says so."""
    try:
        kept = request.cookies.get(f"{context.cookie}-known", "")
        return context.tickets.read(_KNOWN, kept, life=_YEAR).values
    except TokenError:
        return ()


def set_cookie(answer: Response, context: StaffContext, name: str, value: str, *, life: timedelta) -> None:
    """Give a browser a cookie that only the staff's pages get, and no script."""
    answer.set_cookie(
        name,
        value,
        max_age=int(life.total_seconds()),
        path=context.root or "/",
        secure=is_secure(context),
        httponly=True,
        samesite="lax",
    )


def signed_out(request: Request, context: StaffContext, form: Form) -> Response:
    """Return the answer to a request without a session. The texts in its form are kept, but no passwords."""
    by_script = "hx-request" in request.headers or "event-stream" in request.headers.get("accept", "")
    if request.method in ("GET", "HEAD"):
        if by_script:
            # A page that asks for news by itself keeps what it shows, unless it says where this notice goes.
            return context.page(request, "_session_over", {}, status=401, headers={"hx-reswap": "none"})
        query = f"?{request.url.query}" if request.url.query else ""
        return context.redirect(f"/login?then={quote(context.path(request) + query, safe='/')}")
    kept = {f"{KEPT}{name}": values for name, values in form.values.items() if name not in _PASSWORDS}
    had_only_passwords = bool(form.values) and not kept
    values = form_values(
        context,
        then="/account" if had_only_passwords else context.path(request),
        kept=kept,
        fault=_NOT_KEPT if had_only_passwords else "",
        ended=not had_only_passwords,
    )
    name = "_session_ended" if by_script else "login"
    return context.page(request, name, values, status=401)


def form_values(
    context: StaffContext,
    *,
    then: str = "",
    kept: Mapping[str, tuple[str, ...]] | None = None,
    fault: str = "",
    ended: bool = False,
) -> dict[str, object]:
    """Return the values of the form to sign in."""
    return {
        "then": then,
        "kept": kept or {},
        "fault": fault,
        "ended": ended,
        "address": "",
        "oidc": context.settings.oidc is not None,
    }


def kept_of(form: Form) -> dict[str, tuple[str, ...]]:
    """Return the fields that a form had when its session ended, under the names that they had."""
    return {name: values for name, values in form.values.items() if name.startswith(KEPT)}


def safe_path(path: str) -> str:
    """Return a path of our own pages, or "" for anything that could lead elsewhere."""
    odd = "\\" in path or path.startswith("//") or not path.isprintable()
    return "" if odd or not path.startswith("/") else path


def _no_link(request: Request, context: StaffContext) -> Response:
    texts = (
        "The link was used, was replaced by a newer one, or is older than three days.",
        "Nothing has changed. An administrator can give you a new link.",
    )
    return context.page(
        request, "message", {"heading": "This link does not work", "texts": texts}, status=410
    )


def is_secure(context: StaffContext) -> bool:
    """Tell whether the cookies are for https alone; on this machine, http is enough."""
    return context.settings.url.startswith("https:")
