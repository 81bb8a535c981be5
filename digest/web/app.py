"""Put the pages together: one FastAPI application for readers, whose mistakes are pages too."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from traceback import extract_tb

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from digest.app import App
from digest.app.watch import utc_now
from digest.errors import NotFoundError
from digest.render.languages import Words
from digest.web import archive, leave, preferences, rights, signup, static
from digest.web.api import PATH, create_api
from digest.web.errands import Errands
from digest.web.gate import Gate
from digest.web.proof import PROOF_COST, Proofs
from digest.web.reception import PageWords, Reception
from digest.web.security import Door
from digest.web.tickets import Tickets
from subscribers.errors import SubscribersError, TokenError

log = logging.getLogger(__name__)


def create_web(app: App, *, clock: Callable[[], datetime] = utc_now, proof_cost: int = PROOF_COST) -> FastAPI:
    """Return the application that serves everything a reader touches."""
    proofs = Proofs(secret=app.secret, clock=clock, cost=proof_cost)
    reception = _reception(app, clock, proofs)
    web = FastAPI(
        title=app.config.site.name, docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan
    )
    web.state.base_url = app.config.site.base_url
    web.state.reception = reception
    for part in (signup, leave, preferences, rights, archive, static):
        web.include_router(part.router)
    web.mount(PATH, create_api(reception))
    web.add_exception_handler(SubscribersError, _refused)
    web.add_exception_handler(NotFoundError, _not_there)
    web.add_exception_handler(HTTPException, _wrong)
    web.add_exception_handler(RequestValidationError, _wrong)
    web.add_exception_handler(Exception, _broken)
    web.add_middleware(Door)
    return web


def _reception(app: App, clock: Callable[[], datetime], proofs: Proofs) -> Reception:
    tickets = Tickets(secret=app.secret, clock=clock)
    gate = Gate(database=app.database, tickets=tickets, proofs=proofs, clock=clock)
    return Reception(app=app, clock=clock, tickets=tickets, gate=gate, errands=Errands(app.transport))


@asynccontextmanager
async def _lifespan(web: FastAPI) -> AsyncIterator[None]:
    yield
    errands: Errands = web.state.reception.errands
    await run_in_threadpool(errands.close)


def _refused(request: Request, error: Exception) -> Response:
    """Answer a link that does nothing, the same for every way in which it may be wrong."""
    desk, say = _say(request)
    expired = isinstance(error, TokenError) and error.reason == "expired"
    return desk.message(
        say,
        say("This link has run out") if expired else say("This link does not work"),
        say("Nothing was changed."),
        say("Please open it again from the newest mail you have, or copy it whole."),
        status=410 if expired else 404,
    )


def _not_there(request: Request, _error: Exception) -> Response:
    desk, say = _say(request)
    return desk.message(
        say, say("There is no such page"), say("It may have moved, or never was."), status=404
    )


def _wrong(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422
    if status == 404:
        return _not_there(request, error)
    desk, say = _say(request)
    heading, advice = _advice(say, status)
    page = desk.message(say, heading, say("Nothing was changed."), advice, status=status)
    if isinstance(error, HTTPException) and error.headers:
        page.headers.update(error.headers)
    return page


def _advice(say: Words, status: int) -> tuple[str, str]:
    again = say("Please go back, load the page again and try once more.")
    known = {
        403: (say("This came from another page"), say("Please use the form on our own page.")),
        405: (say("This cannot be done here"), again),
        413: (say("That was too much"), again),
        429: (say("That was often"), say("Please wait an hour and try again.")),
        503: (say("We are busy"), say("Please try again in a minute.")),
    }
    return known.get(status, (say("That could not be read"), again))


def _broken(request: Request, error: Exception) -> Response:
    # Kind and place alone: the text of an error may hold an address.
    place = extract_tb(error.__traceback__)[-1]
    log.error("a page failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    desk, say = _say(request)
    return desk.message(
        say,
        say("Something went wrong here"),
        say("The mistake is ours. Please try again in a minute."),
        status=500,
    )


def _say(request: Request) -> tuple[Reception, PageWords]:
    desk: Reception = request.app.state.reception
    return desk, desk.words(request)
