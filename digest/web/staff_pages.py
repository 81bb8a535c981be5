"""Build the FastAPI application of the staff: the desk, operations, accounts and their error pages."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import datetime
from traceback import extract_tb
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from digest.app import App, reopen_app
from digest.config import StaffSettings, load
from digest.model.errors import ConflictError, DigestError, NotFoundError, OutageError, StateError
from digest.staff.people import people_with
from digest.web.desk import checks, comments, history, mail, overview, posts, preview, signed, start, tabs
from digest.web.desk.editing import live, page, steps, verbs
from digest.web.ops import ops, sent
from digest.web.ops.recount import Recount
from digest.web.security.forms import Form, read_form
from digest.web.security.tickets import Tickets
from digest.web.staff import account, files, login, oidc, people
from digest.web.staff.access import faults_of
from digest.web.staff.admit import StaffMiddleware, admit
from digest.web.staff.context import FactorMissingError, RightMissingError, SignedOutError, StaffContext
from digest.web.staff.files import staff_files
from subscribers.errors import SubscribersError

log = logging.getLogger(__name__)

# The pages of an edition come last, because its id may be any word after /desk/.
_ROUTERS: tuple[APIRouter, ...] = (
    files.router,
    login.router,
    oidc.router,
    account.router,
    people.router,
    signed.router,
    overview.router,
    posts.router,
    sent.router,
    ops.router,
    start.router,
    mail.router,
    tabs.router,
    checks.router,
    preview.router,
    history.router,
    comments.router,
    page.router,
    verbs.router,
    steps.router,
    live.router,
)


def create_staff(
    app: App,
    *,
    clock: Callable[[], datetime],
    wake: Callable[[], None],
    reload: Callable[[], App] | None = None,
) -> FastAPI:
    """Return the application of the staff's pages, for a configuration with [staff] `url`.

    `reload` is called when a page has changed config.toml, and returns the app that the file describes now.
    Raises ValueError if a route has no line in ACCESS, or a line has no route.
    """
    settings = app.config.staff
    assert settings is not None, "without [staff] there are no pages for the staff"
    served = staff_files(app.templates, app.config.site, settings.path)
    context = StaffContext(
        app=app,
        settings=settings,
        clock=clock,
        wake=wake,
        tickets=Tickets(secret=app.secret, clock=clock),
        file=served.url,
        reload=reload or (lambda: reopen_app(load(app.config.path, os.environ), app)),
    )
    web = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(admit)],
        redirect_slashes=False,  # such a redirect has the Host header in it, which anybody can choose
    )
    web.state.context, web.state.files = context, served
    web.state.recount = Recount()
    for router in _ROUTERS:
        web.include_router(router)
    if faults := faults_of(routes()):
        raise ValueError("; ".join(faults))
    for kind, handler in _HANDLERS.items():
        web.add_exception_handler(kind, handler)
    web.add_middleware(StaffMiddleware, context=lambda: context)
    return web


def routes() -> list[tuple[str, str]]:
    """Return the method and the path of each route of the staff's pages."""
    return [
        (method, route.path)
        for router in _ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


class StaffDoor:
    """Wrap the readers' pages: requests for the staff's host or path go to the staff's pages instead."""

    def __init__(self, readers: ASGIApp, *, staff: ASGIApp, settings: StaffSettings, base_url: str) -> None:
        self._readers, self._staff = readers, staff
        base = urlsplit(base_url)
        self._is_elsewhere = settings.host != base.netloc.lower()
        self._host = settings.host.encode("ascii")
        # A proxy that serves the readers' pages under a path takes this path away.
        below = not self._is_elsewhere and settings.path.startswith(f"{base.path}/")
        self._path = settings.path.removeprefix(base.path) if below else settings.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request to the pages that it is for."""
        if scope["type"] != "http" or not self._is_staff(scope):
            await self._readers(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        path = f"{path}/" if path == self._path else path
        root = f"{scope.get('root_path', '')}{self._path}"
        await self._staff({**scope, "path": path, "root_path": root}, receive, send)

    def _is_staff(self, scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if self._is_elsewhere and host.lower() != self._host:
            return False
        path: str = scope["path"]
        return path == self._path or path.startswith(f"{self._path}/")


# ── errors ──────────────────────────────────────────────────────────────────────────────────


async def _signed_out(request: Request, _error: Exception) -> Response:
    form = await read_form(request) if request.method == "POST" else Form({})
    return login.signed_out(request, _context(request), form)


def _factor_missing(request: Request, _error: Exception) -> Response:
    """Lead an administrator to the page where a second factor is turned on."""
    return _context(request).redirect("/account/second-factor?first=yes")


def _right_missing(request: Request, error: Exception) -> Response:
    """Say which right is missing, and who has it."""
    assert isinstance(error, RightMissingError)
    context, person = _context(request), request.state.person
    log.warning("%s lacks the right to %s at %s", person.id, error.right, request.scope["route"].path)
    able = people_with(context.app.database, error.right, error.digest)
    names = [each.name for each in able if each.digests is None or not error.everywhere]
    having = f"These people may: {', '.join(names)}." if names else "Nobody may at the moment."
    heading = f"You may not {account.DOES[error.right]}"
    if not person.may(error.right):
        return _message(request, heading, f"Your role is “{person.role}”. {having}", status=403)
    titles = {each.slug: each.title for each in context.app.config.digests}
    where = titles.get(error.digest, error.digest) or "all digests"
    own = ", ".join(titles.get(slug, slug) for slug in sorted(person.digests or ()))
    return _message(
        request, heading, f"This concerns {where}, and you work on {own} only. {having}", status=403
    )


_BACK = (409, 410, 422)  # statuses of a step of an edition that was not taken


def _error(request: Request, error: Exception) -> Response:
    """Return the page for an error with a plain sentence."""
    status = next(code for kind, code in _STATUSES.items() if isinstance(error, kind))
    heading = "Page not found" if status == 404 else "This was not done"
    return _message(request, heading, str(error), status=status)


_STATUSES: dict[type[Exception], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    StateError: 410,
    DigestError: 422,
    SubscribersError: 422,
}


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422
    heading, advice = _ADVICE.get(status, ("We could not process your request", _AGAIN))
    page = _message(request, heading, advice, status=status)
    if isinstance(error, HTTPException) and error.headers:
        page.headers.update(error.headers)
    return page


_AGAIN = "Nothing has changed. Please go back, reload the page and try again."
_ADVICE = {
    403: ("This form came from another site", "Nothing has changed. Please use the form on our own pages."),
    404: ("Page not found", "The page may have moved, or the link may be wrong."),
    413: ("Your request is too large", _AGAIN),
    503: ("We are busy right now", "Please try again in a minute."),
}


def _away(request: Request, error: Exception) -> Response:
    """Return the page for a request that needs the database while it is away."""
    assert isinstance(error, OutageError)
    _context(request).app.database.note_outage(error)
    return _http_error(request, HTTPException(503, headers={"retry-after": "60"}))


def _failed(request: Request, error: Exception) -> Response:
    # Only the kind and the place are logged, because the text of an error may contain an address.
    place = extract_tb(error.__traceback__)[-1]
    log.error("a page of the staff failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return _message(
        request, "Something went wrong", "The error is on our side. It is in the log.", status=500
    )


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Any]] = {
    SignedOutError: _signed_out,
    FactorMissingError: _factor_missing,
    RightMissingError: _right_missing,
    OutageError: _away,
    DigestError: _error,
    SubscribersError: _error,
    HTTPException: _http_error,
    RequestValidationError: _http_error,
    Exception: _failed,
}


def _message(request: Request, heading: str, *texts: str, status: int) -> Response:
    edition = request.path_params.get("edition_id", "") if status in _BACK else ""
    values = {"heading": heading, "texts": texts, "edition": edition}
    return _context(request).page(request, "message", values, status=status)


def _context(request: Request) -> StaffContext:
    context: StaffContext = request.app.state.context
    return context
