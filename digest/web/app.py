"""Build the FastAPI application: the readers' pages, the API, and the way to the staff's pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from digest.app import App
from digest.model.errors import NotFoundError, OutageError
from digest.model.run_context import utc_now
from digest.readers.signup import count_request
from digest.render.languages.languages import Words
from digest.render.values import brand_values
from digest.web.api.api import PATH, create_api
from digest.web.pages import archive, data, hub, preferences, signup, unsubscribe
from digest.web.pages.context import Context, PageWords, WebContext
from digest.web.security.abuse import AbuseGuard
from digest.web.security.proof import PROOF_COST, Proofs
from digest.web.security.security import (
    MAX_REQUESTS,
    CompressionMiddleware,
    RequestsMiddleware,
    SecurityMiddleware,
)
from digest.web.security.tickets import Tickets
from digest.web.staff_pages import StaffDoor, create_staff
from subscribers.errors import SubscribersError, TokenError

log = logging.getLogger(__name__)

_files = APIRouter(include_in_schema=False)

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {
    "site.css": "web/site.css",
    "pages.css": "web/pages.css",
    "icon.svg": "web/static/icon.svg",
    "signup.js": "web/static/signup.js",
    "proof.js": "web/static/proof.js",
    "embed.js": "web/static/embed.js",
}
_HOUR = "public, max-age=3600"
_FILLED_IN = frozenset(["site.css", "pages.css", "icon.svg"])  # with the colours of the brand
# Forms on other sites load embed.js and proof.js.
_CROSS_ORIGIN = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}


def create_web(
    app: App,
    *,
    clock: Callable[[], datetime] = utc_now,
    proof_cost: int = PROOF_COST,
    requests: int = MAX_REQUESTS,
    wake: Callable[[], None] = lambda: None,
    reload: Callable[[], App] | None = None,
) -> FastAPI:
    """Return the application that serves all pages and the API, to `requests` requests at once.

    `wake` is called when a notice has been queued, and `reload` when a page has changed config.toml.
    """
    proofs = Proofs(secret=app.secret, clock=clock, cost=proof_cost)
    context = _context(app, clock, proofs, wake)
    web = FastAPI(title=app.config.site.name, docs_url=None, redoc_url=None, openapi_url=None)
    web.state.base_url = app.config.site.base_url
    web.state.context = context
    for part in (signup, unsubscribe, preferences, data, archive, hub):
        web.include_router(part.router)
    web.include_router(_files)
    web.mount(PATH, create_api(context))
    web.add_exception_handler(SubscribersError, _bad_link)
    web.add_exception_handler(NotFoundError, _not_found)
    web.add_exception_handler(HTTPException, _http_error)
    web.add_exception_handler(RequestValidationError, _http_error)
    web.add_exception_handler(OutageError, _away)
    web.add_exception_handler(Exception, _failed)
    # The middleware that is added last is the first to see a request.
    if app.config.staff is not None:
        staff = create_staff(app, clock=clock, wake=wake, reload=reload)
        base_url = app.config.site.base_url
        web.add_middleware(StaffDoor, staff=staff, settings=app.config.staff, base_url=base_url)
    web.add_middleware(RequestsMiddleware, most=requests, busy=_busy)
    web.add_middleware(CompressionMiddleware)
    web.add_middleware(SecurityMiddleware)
    return web


def _context(app: App, clock: Callable[[], datetime], proofs: Proofs, wake: Callable[[], None]) -> WebContext:
    tickets = Tickets(secret=app.secret, clock=clock)
    guard = AbuseGuard(
        count=partial(count_request, app.database), tickets=tickets, proofs=proofs, clock=clock
    )
    return WebContext(app=app, clock=clock, tickets=tickets, guard=guard, wake=wake)


def _bad_link(request: Request, error: Exception) -> Response:
    """Return the page for a link that cannot be used. The page tells only whether the link has expired."""
    context, say = _say(request)
    expired = isinstance(error, TokenError) and error.reason == "expired"
    return context.message(
        say,
        say("This link has expired") if expired else say("This link does not work"),
        say("Nothing has changed."),
        say("Please use the link in our latest email to you, or copy the whole link."),
        status=410 if expired else 404,
    )


def _not_found(request: Request, _error: Exception) -> Response:
    context, say = _say(request)
    return context.message(
        say, say("Page not found"), say("The page may have moved, or the link may be wrong."), status=404
    )


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422
    if status == 404:
        return _not_found(request, error)
    context, say = _say(request)
    heading, advice = _advice(say, status)
    page = context.message(say, heading, say("Nothing has changed."), advice, status=status)
    if isinstance(error, HTTPException) and error.headers:
        page.headers.update(error.headers)
    return page


def _advice(say: Words, status: int) -> tuple[str, str]:
    again = say("Please go back, reload the page and try again.")
    known = {
        403: (say("This form came from another site"), say("Please use the form on our own site.")),
        405: (say("This is not possible here"), again),
        413: (say("Your request is too large"), again),
        429: (say("Too many requests"), say("Please try again in an hour.")),
        503: (say("We are busy right now"), say("Please try again in a minute.")),
    }
    return known.get(status, (say("We could not process your request"), again))


def _busy(request: Request) -> Response:
    refusal = HTTPException(503, "the server is busy; try again in a minute", headers={"retry-after": "60"})
    if request.url.path.startswith(f"{PATH}/"):
        return JSONResponse(
            {"detail": refusal.detail}, status_code=503, headers={**(refusal.headers or {}), **_CROSS_ORIGIN}
        )
    return _http_error(request, refusal)


def _away(request: Request, error: Exception) -> Response:
    """Return the page for a request that needs the database while it is away."""
    context, _ = _say(request)
    assert isinstance(error, OutageError)
    context.app.database.note_outage(error)
    return _busy(request)


def _failed(request: Request, error: Exception) -> Response:
    # Only the kind and the place are logged, because the text of an error may contain an address.
    place = extract_tb(error.__traceback__)[-1]
    log.error("a page failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    context, say = _say(request)
    return context.message(
        say,
        say("Something went wrong"),
        say("The error is on our side. Please try again in a minute."),
        status=500,
    )


def _say(request: Request) -> tuple[WebContext, PageWords]:
    context: WebContext = request.app.state.context
    return context, context.words(request)


@_files.api_route("/static/{name}", methods=["GET", "HEAD"])
def static(request: Request, context: Context, name: str) -> Response:
    """Return one of the files listed in `_FILES`; any other name is 404."""
    if name not in _FILES:
        raise HTTPException(404)
    body = _filled_in(context, name) if name in _FILLED_IN else _found(context, _FILES[name]).read_bytes()
    etag = f'"{sha256(body).hexdigest()[:20]}"'
    headers = {"cache-control": _HOUR, "etag": etag}
    if name in ("embed.js", "proof.js"):
        headers |= _CROSS_ORIGIN
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)


def _filled_in(context: WebContext, name: str) -> bytes:
    values = {"brand": brand_values(context.app.config.site), "topic_colours": ()}
    return context.app.templates.render(_FILES[name], values).encode()


def _found(context: WebContext, name: str) -> Path:
    own = context.app.templates.override
    return own / name if own is not None and (own / name).is_file() else context.app.templates.defaults / name
