"""The JSON API: sign-up and reading are public; the rest is for programs of the staff, which have tokens."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware

from digest.editions.approval import ReviewError
from digest.editions.archive import read_archive, read_edition_by_id
from digest.message.reader_links import archive_url, edition_url
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, NotFoundError, OutageError, SkipError, StateError
from digest.model.snapshot import to_json
from digest.readers.descriptions import cadence_text, settled_ahead
from digest.readers.signup import request_for, sign_up
from digest.readers.subscribers import NoReaderError
from digest.render.languages.languages import Words
from digest.render.mail import lines
from digest.render.values import brand_values
from digest.schedule.next_copy import next_copy
from digest.web.api import shapes
from digest.web.api.desk import desk
from digest.web.api.subscribers import readers, requests_of
from digest.web.pages.context import VARY, Context, WebContext
from digest.web.pages.offers import frequencies, topics_of
from digest.web.pages.signup import WORDING, wording_text
from subscribers.errors import AddressError, SubscribersError, TokenError
from subscribers.model import Format, Origin, Preferences

PATH = "/api/v1"

_WRONG: dict[int | str, dict[str, Any]] = {
    code: {"model": shapes.Problem} for code in (400, 404, 413, 422, 429, 503)
}

public = APIRouter(responses=_WRONG)


def create_api(context: WebContext) -> FastAPI:
    """Return the application that answers under PATH."""
    api = FastAPI(
        title=f"{context.app.config.site.name}: newsletter API",
        version="1",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": f"{context.app.config.site.base_url}{PATH}"}],
        root_path_in_servers=False,
    )
    api.state.context = context
    api.state.base_url = context.app.config.site.base_url
    api.include_router(public)
    for router in (readers, desk):
        api.include_router(router, responses=_WRONG)
    for kind in (DigestError, SubscribersError, RequestValidationError):
        api.add_exception_handler(kind, _problem)
    api.add_exception_handler(OutageError, _away)
    # Any site may show the form. There is no cookie, and CORS does not allow the staff's header.
    api.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"])
    return api


_STATUSES: tuple[tuple[int, tuple[type[Exception], ...]], ...] = (
    (404, (NotFoundError, NoReaderError, TokenError)),
    (409, (StateError, ReviewError, SkipError)),
)


def _vary(response: Response) -> None:
    """Add Vary, because the texts of the answer depend on the request's language (a dependency)."""
    response.headers["vary"] = VARY


def _problem(_request: Request, error: Exception) -> Response:
    status = next((status for status, kinds in _STATUSES if isinstance(error, kinds)), 422)
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"detail": f"{where}: {first['msg']}"}, status_code=status)
    return JSONResponse({"detail": str(error)}, status_code=status)


def _away(request: Request, error: Exception) -> Response:
    context: WebContext = request.app.state.context
    assert isinstance(error, OutageError)
    context.app.database.note_outage(error)
    detail = "the server is busy; try again in a minute"
    return JSONResponse({"detail": detail}, status_code=503, headers={"retry-after": "60"})


# ── public ──────────────────────────────────────────────────────────────────────────────────


@public.get("/form", dependencies=[Depends(_vary)])
def form(
    request: Request, context: Context, digest: shapes.Short, language: shapes.Short = ""
) -> shapes.FormShape:
    """Return what a sign-up form on another site needs: texts, styles, a ticket and a challenge."""
    title = context.app.config.digest(digest).title
    say = context.words(request, language)
    return shapes.FormShape(
        title=title,
        language=say.language,
        words=shapes.FormWords(
            address=say("Your email address"),
            button=say("Subscribe to {title}", title=title),
            wording=wording_text(context, say),
            failed=say("That did not work. Please try again in a minute."),
            often=f"{say('Too many requests')}. {say('Please try again in an hour.')}",
        ),
        style=context.app.templates.render("web/embed.css", {"brand": brand_values(context.app.config.site)}),
        ticket=context.guard.ticket(),
        challenge=json.loads(context.guard.proofs.challenge()),
    )


@public.post("/signups", status_code=202, dependencies=[Depends(_vary)], response_model=shapes.SignupAccepted)
def signups(
    request: Request, context: Context, asked: shapes.SignupShape
) -> shapes.SignupAccepted | Response:
    """Sign up a reader. The answer is the same for every address; the reader confirms by email."""
    say = context.words(request, asked.language)
    client = context.client(request)
    origin = Origin(source="api", wording=f"{WORDING} ({say.language})", client=client.shown)
    requests = requests_of(asked.digests)
    try:
        wanted = request_for(
            context.app.config,
            context.app.secret,
            asked.address,
            requests,
            language=say.language,
            form=Format.HTML,
            origin=origin,
        )
    except AddressError as error:  # the reader can fix this one; the form's author must fix all others
        wrong = shapes.Problem(detail=say(error.reason), field="address")
        return JSONResponse(wrong.model_dump(), 422, {"vary": VARY})
    context.guard.admit(client)
    if not context.guard.is_proved(asked.ticket, asked.proof):
        raise HTTPException(400, "the ticket or the proof of work is missing, expired or already used")
    sign_up(context.app, wanted, context.clock())
    context.wake()
    return shapes.SignupAccepted(message=say("Check your inbox: an email with a link is on its way."))


@public.get("/digests", dependencies=[Depends(_vary)], response_model=list[shapes.DigestShape])
def digests(
    request: Request, response: Response, context: Context, language: shapes.Short = ""
) -> list[shapes.DigestShape] | Response:
    """List the digests that readers can subscribe to. The answer may be cached for five minutes."""
    listed = _listed(context, context.words(request, language))
    name = sha256("".join(each.model_dump_json() for each in listed).encode()).hexdigest()[:32]
    kept = {"etag": f'"{name}"', "cache-control": "public, max-age=300", "vary": VARY}
    if request.headers.get("if-none-match") == kept["etag"]:
        return Response(status_code=304, headers=kept)
    response.headers.update(kept)
    return listed


def _listed(context: WebContext, say: Words) -> list[shapes.DigestShape]:
    now = context.clock()
    settled = settled_ahead(context.app.database, now)
    return [
        shapes.DigestShape(
            slug=digest.slug,
            title=digest.title,
            about=digest.about,
            schedule=digest.schedule,
            rhythm=cadence_text(digest, Preferences(), say),
            zone=digest.zone,
            next_at=next_copy(digest, Preferences(), now, settled=settled),
            topics=[
                shapes.TopicShape(slug=slug, title=title, about=about)
                for slug, title, about in topics_of(context.app, digest, now)
            ],
            frequencies=[each.value for each in frequencies(digest)],
            archive=archive_url(context.app.config.site.base_url, digest.slug),
        )
        for digest in context.app.config.digests
    ]


@public.get("/editions")
def editions(
    context: Context, digest: shapes.Short, before: shapes.Short | None = None
) -> list[shapes.EditionShape]:
    """List the editions of a digest, newest first. For the next page, pass the last id as `before`."""
    context.app.config.digest(digest)
    return [
        shapes.EditionShape(**_edition_facts(context, record))
        for record in read_archive(context.app.database, digest, before)
    ]


@public.get("/editions/{edition_id}")
def edition(context: Context, edition_id: str) -> shapes.EditionContent:
    """Return an edition with its content, as it was frozen."""
    record = read_edition_by_id(context.app.database, edition_id)
    snapshot = json.loads(to_json(record.edition))
    return shapes.EditionContent(**_edition_facts(context, record), hash=record.hash, snapshot=snapshot)


def _edition_facts(context: WebContext, record: EditionRecord) -> dict[str, Any]:
    edition = record.edition
    return {
        "id": edition.id,
        "digest": edition.digest,
        "title": edition.title,
        "subject": lines(edition)[0],
        "local_date": edition.local_date.isoformat(),
        "number": edition.number,
        "sent_at": record.dated_at,
        "url": edition_url(context.app.config.site.base_url, edition.digest, edition.id),
    }
