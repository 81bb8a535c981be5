"""The JSON API: sign-up and reading are public; the list of subscribers needs the staff's token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from digest.editions.archive import read_archive, read_edition_by_id
from digest.message.reader_links import archive_url, edition_url
from digest.model.editions import EditionRecord
from digest.model.errors import DigestError, NotFoundError, OutageError
from digest.model.snapshot import to_json
from digest.readers.descriptions import cadence_text, settled_ahead
from digest.readers.history import consents_of
from digest.readers.preferences import reader_by_id
from digest.readers.signup import request_for, sign_up
from digest.readers.subscribers import NoReaderError, add_reader, find_readers, remove_reader_by_id
from digest.render.languages.languages import Words
from digest.render.mail import lines
from digest.render.values import brand_values
from digest.schedule.next_copy import next_copy
from digest.web.api import shapes
from digest.web.pages.context import VARY, Context, WebContext
from digest.web.pages.offers import frequencies, topics_of
from digest.web.pages.signup import WORDING, wording_text
from subscribers.errors import AddressError, SubscribersError, TokenError
from subscribers.model import Format, Origin, Preferences, Reader, SubscriberState
from subscribers.rules.decisions import SubscriptionRequest

PATH = "/api/v1"

_bearer = HTTPBearer(auto_error=False, description="The token in DIGEST_API_TOKEN")
_WRONG: dict[int | str, dict[str, Any]] = {
    code: {"model": shapes.Problem} for code in (400, 404, 413, 422, 429, 503)
}
_CLOSED: dict[int | str, dict[str, Any]] = {401: {"model": shapes.Problem}}

public = APIRouter(responses=_WRONG)
# Ids are strings, because they are larger than JavaScript's exact numbers (2^53). The pattern ends a little
# below 2^63.
_ID = "[0-8]?[0-9]{1,18}"
_Id = Annotated[str, PathParameter(pattern=f"^{_ID}$")]


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
    api.include_router(staff)
    for kind in (DigestError, SubscribersError, RequestValidationError):
        api.add_exception_handler(kind, _problem)
    api.add_exception_handler(OutageError, _away)
    # Any site may show the form. There is no cookie, and CORS does not allow the staff's header.
    api.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"])
    return api


def _vary(response: Response) -> None:
    """Add Vary, because the texts of the answer depend on the request's language (a dependency)."""
    response.headers["vary"] = VARY


def _problem(_request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, NotFoundError | NoReaderError | TokenError) else 422
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
    requests = _requests(asked.digests)
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


# ── staff ───────────────────────────────────────────────────────────────────────────────────


def _staff(
    context: Context, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
) -> None:
    """Refuse a request without the right token, with 401; also when no token is configured."""
    token = context.app.config.api_token
    offered = given.credentials.encode(errors="replace") if given else b""
    if token is None or not hmac.compare_digest(offered, token):
        raise HTTPException(401, "the token is missing or wrong", headers={"www-authenticate": "Bearer"})


staff = APIRouter(prefix="/subscribers", dependencies=[Depends(_staff)], responses=_WRONG | _CLOSED)


@staff.get("")
def subscribers(
    context: Context,
    digest: shapes.Short | None = None,
    state: SubscriberState | None = None,
    begins: shapes.Short = "",
    after: Annotated[str, Query(pattern=f"^(-1|{_ID})$")] = "-1",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[shapes.SubscriberShape]:
    """List readers in the order they joined. For the next page, pass the last id as `after`."""
    if "\0" in begins:
        return []
    found = find_readers(
        context.app.database,
        context.app.config,
        digest=digest,
        state=state,
        prefix=begins,
        after=int(after),
        limit=limit,
    )
    return [shapes.SubscriberShape(**_reader_facts(reader)) for reader in found]


@staff.post("", status_code=201)
def add(context: Context, new: shapes.NewSubscriber) -> shapes.Outcome:
    """Add a reader who agreed elsewhere. Readers who unsubscribed or are suppressed are not added."""
    outcome = add_reader(
        context.app,
        new.address,
        _requests(new.digests),
        source=new.source.replace("\0", ""),
        now=context.clock(),
    )
    return shapes.Outcome(outcome=outcome)


@staff.get("/{subscriber_id}")
def subscriber(context: Context, subscriber_id: _Id) -> shapes.SubscriberHistory:
    """Return one reader with their whole history."""
    reader = reader_by_id(context.app.database, int(subscriber_id))
    consents = [
        shapes.ConsentShape(
            act=each.act,
            at=each.at,
            source=each.origin.source,
            wording=each.origin.wording,
            client=each.origin.client,
            detail=dict(each.detail),
        )
        for each in consents_of(context.app.database, int(subscriber_id))
    ]
    return shapes.SubscriberHistory(**_reader_facts(reader), history=consents)


@staff.delete("/{subscriber_id}", status_code=204)
def remove(context: Context, subscriber_id: _Id, forget: bool = False) -> Response:
    """End all subscriptions of a reader; with `forget`, also erase all their data except a keyed hash."""
    remove_reader_by_id(context.app.database, int(subscriber_id), forget=forget, now=context.clock())
    return Response(status_code=204)


def _requests(asked: Sequence[shapes.RequestShape]) -> tuple[SubscriptionRequest, ...]:
    return tuple(
        SubscriptionRequest(
            digest=each.digest,
            preferences=Preferences.parse(
                topics=each.topics, hour=each.hour, zone=each.zone, frequency=each.frequency
            ),
        )
        for each in {each.digest: each for each in asked}.values()
    )


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


def _reader_facts(reader: Reader) -> dict[str, Any]:
    known = reader.subscriber
    assert known is not None, "only readers on the list are shown"
    return {
        "id": str(known.id),  # larger than JavaScript's exact numbers
        "address": known.address,
        "state": known.state,
        "language": known.language,
        "format": known.format,
        "suppressed": reader.suppression.reason if reader.suppression else None,
        "confirmed_at": known.confirmed_at,
        "digests": [
            shapes.SubscriptionShape(
                digest=each.digest,
                state=each.state,
                topics=str(each.preferences.topics),
                hour=each.preferences.hour,
                zone=each.preferences.zone,
                frequency=each.preferences.frequency,
                paused_until=each.paused_until,
            )
            for each in reader.subscriptions
        ],
    }
