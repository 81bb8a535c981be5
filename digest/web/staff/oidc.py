"""Sign people in by the provider of OpenID Connect that [staff] names."""

from __future__ import annotations

import logging
from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import RedirectResponse

from digest.config import OidcSettings
from digest.staff.oidc import Attempt, ProviderError, begin, finish, is_first, is_same, welcomed
from digest.staff.signin import admits
from digest.web.security.forms import Form
from digest.web.staff.context import Desk, StaffContext
from digest.web.staff.login import is_secure, safe_path, set_cookie, welcome
from subscribers.errors import TokenError

router = APIRouter()

log = logging.getLogger(__name__)

_PATH = "/login/oidc"
_BACK = f"{_PATH}/back"
_TICKET = "sign-in by a provider"
_LIFE = timedelta(minutes=10)


@router.get(_PATH)
def leave(request: Request, context: Desk, then: str = "") -> Response:
    """Send the browser to the provider. A cookie of a few minutes binds the answer to this browser."""
    if not admits(context.app.database, context.visitor(request), context.clock()):
        return _refused(request, context, "Too many attempts. Please try again in a quarter of an hour.", 429)
    try:
        address, attempt = begin(_settings(context), context.app.config.limits, _back(context))
    except ProviderError as error:
        return _failed(request, context, error)
    answer = RedirectResponse(address, status_code=303)
    values = (attempt.state, attempt.nonce, attempt.verifier, safe_path(then))
    set_cookie(answer, context, f"{context.cookie}-oidc", context.tickets.make(_TICKET, *values), life=_LIFE)
    return answer


@router.get(_BACK)
def come_back(request: Request, context: Desk, code: str = "", state: str = "") -> Response:
    """Sign in whom the provider has sent back."""
    settings, now = _settings(context), context.clock()
    attempt, then = _attempt(request, context)
    if attempt is None or not code or not is_same(state, attempt):
        return _refused(request, context, "The sign-in took too long, or began in another browser.")
    if not is_first(context.app.database, attempt, now):
        return _refused(request, context, "This sign-in was used already. Please begin again.")
    limits, back = context.app.config.limits, _back(context)
    try:
        identity = finish(settings, limits, back, attempt, code=code, now=now)
    except ProviderError as error:
        return _failed(request, context, error)
    found = welcomed(context.app.database, identity, now)
    if found is None:
        return _refused(request, context, "Nobody of the staff has this account. Ask an administrator.")
    answer = welcome(request, context, found, Form({"then": (then,)}))
    answer.delete_cookie(f"{context.cookie}-oidc", path=context.root or "/", secure=is_secure(context))
    return answer


def _attempt(request: Request, context: StaffContext) -> tuple[Attempt | None, str]:
    kept = request.cookies.get(f"{context.cookie}-oidc", "")
    try:
        state, nonce, verifier, then = context.tickets.read(_TICKET, kept, life=_LIFE).values
    except (TokenError, ValueError):
        return None, ""
    return Attempt(state=state, nonce=nonce, verifier=verifier), then


def _settings(context: StaffContext) -> OidcSettings:
    if context.settings.oidc is None:
        raise HTTPException(404)
    return context.settings.oidc


def _back(context: StaffContext) -> str:
    return f"{context.settings.url}{_BACK}"


def _failed(request: Request, context: StaffContext, error: ProviderError) -> Response:
    log.error("sign-in by OpenID Connect: %s", error)
    return _refused(request, context, "The provider could not be asked. The log says why.", status=502)


def _refused(request: Request, context: StaffContext, text: str, status: int = 401) -> Response:
    values = {"heading": "You are not signed in", "texts": (text,)}
    return context.page(request, "message", values, status=status)
