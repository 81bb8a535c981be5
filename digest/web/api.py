"""The JSON API: sign-up and reading for everybody, subscribers for who has the staff's token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from digest.app.notices import page_url, rhythm_text
from digest.app.preferences import reader_by_id
from digest.app.readers import NoReaderError, add_reader, find_readers, remove_reader_by_id
from digest.app.reading import read_archive, read_edition_by_id
from digest.app.signing_up import request_for, sign_up
from digest.app.times import next_copy, settled_ahead
from digest.compose.edition import to_json
from digest.errors import DigestError, NotFoundError
from digest.model import EditionRecord
from digest.render.languages import Words
from digest.render.mail import lines
from digest.web import shapes
from digest.web.choosing import frequencies, topics_of
from digest.web.reception import VARY, Desk, Reception
from digest.web.signup import WORDING, wording_text
from subscribers.decisions import Wish
from subscribers.errors import AddressError, SubscribersError, TokenError
from subscribers.model import Format, Origin, Preferences, Reader, SubscriberState
from subscribers.store import history

PATH = "/api/v1"

_bearer = HTTPBearer(auto_error=False, description="DIGEST_API_TOKEN")
_WRONG: dict[int | str, dict[str, Any]] = {
    code: {"model": shapes.Problem} for code in (400, 404, 413, 422, 429, 503)
}
_CLOSED: dict[int | str, dict[str, Any]] = {401: {"model": shapes.Problem}}

public = APIRouter(responses=_WRONG)
# Ids are texts here, in the document too: they are beyond what a number holds in JavaScript (2^53). The
# pattern ends a little below 2^63.
_ID = "[0-8]?[0-9]{1,18}"
_Id = Annotated[str, PathParameter(pattern=f"^{_ID}$")]


def create_api(reception: Reception) -> FastAPI:
    """Return the application that answers under PATH."""
    api = FastAPI(
        title=f"{reception.app.config.site.name}: newsletter API",
        version="1",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": f"{reception.app.config.site.base_url}{PATH}"}],
        root_path_in_servers=False,
    )
    api.state.reception = reception
    api.state.base_url = reception.app.config.site.base_url
    api.include_router(public)
    api.include_router(staff)
    for kind in (DigestError, SubscribersError, RequestValidationError):
        api.add_exception_handler(kind, _problem)
    # Any site may show the form. There is no cookie, and the staff's header is not among those allowed.
    api.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"])
    return api


def _spoken(response: Response) -> None:
    """Say that the words of an answer depend on the language asked for (a dependency)."""
    response.headers["vary"] = VARY


def _problem(_request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, NotFoundError | NoReaderError | TokenError) else 422
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"detail": f"{where}: {first['msg']}"}, status_code=status)
    return JSONResponse({"detail": str(error)}, status_code=status)


# ── for everybody ───────────────────────────────────────────────────────────────────────────


@public.get("/form", dependencies=[Depends(_spoken)])
def form(request: Request, desk: Desk, digest: shapes.Short, language: shapes.Short = "") -> shapes.FormShape:
    """Give all a form on another site needs."""
    title = desk.app.config.digest(digest).title
    say = desk.words(request, language)
    return shapes.FormShape(
        title=title,
        language=say.language,
        words=shapes.FormWords(
            address=say("Your email address"),
            button=say("Subscribe to {title}", title=title),
            wording=wording_text(desk, say),
            failed=say("That did not work. Please try again in a minute."),
            often=f"{say('That was often')}. {say('Please wait an hour and try again.')}",
        ),
        ticket=desk.gate.ticket(),
        challenge=json.loads(desk.gate.proofs.challenge()),
    )


@public.post("/signups", status_code=202, dependencies=[Depends(_spoken)], response_model=shapes.Told)
def signups(request: Request, desk: Desk, asked: shapes.SignupShape) -> shapes.Told | Response:
    """Sign up. The answer is the same for every address; the rest happens by mail."""
    say = desk.words(request, asked.language)
    client = desk.client(request)
    origin = Origin(source="api", wording=f"{WORDING} ({say.language})", client=client.shown)
    wishes = _wishes(asked.digests)
    try:
        wanted = request_for(
            desk.app, asked.address, wishes, language=say.language, form=Format.HTML, origin=origin
        )
    except AddressError as error:  # shown to the reader; other mistakes are those of the form's author
        wrong = shapes.Problem(detail=say(error.reason), field="address")
        return JSONResponse(wrong.model_dump(), 422, {"vary": VARY})
    desk.gate.admit(client)
    if not desk.gate.worked(asked.ticket, asked.proof):
        raise HTTPException(400, "the ticket or the proof of work is missing, too old or used")
    desk.later(partial(sign_up, desk.app, wanted, desk.clock()))
    return shapes.Told(message=say("Look into your mailbox: a message with a link is on its way."))


@public.get("/digests", dependencies=[Depends(_spoken)], response_model=list[shapes.DigestShape])
def digests(
    request: Request, response: Response, desk: Desk, language: shapes.Short = ""
) -> list[shapes.DigestShape] | Response:
    """List what can be subscribed to; the answer may be kept for five minutes."""
    listed = _listed(desk, desk.words(request, language))
    name = sha256("".join(each.model_dump_json() for each in listed).encode()).hexdigest()[:32]
    kept = {"etag": f'"{name}"', "cache-control": "public, max-age=300", "vary": VARY}
    if request.headers.get("if-none-match") == kept["etag"]:
        return Response(status_code=304, headers=kept)
    response.headers.update(kept)
    return listed


def _listed(desk: Reception, say: Words) -> list[shapes.DigestShape]:
    now = desk.clock()
    settled = settled_ahead(desk.app, now)
    return [
        shapes.DigestShape(
            slug=digest.slug,
            title=digest.title,
            about=digest.about,
            schedule=digest.schedule,
            rhythm=rhythm_text(digest, Preferences(), say),
            zone=digest.zone,
            next_at=next_copy(digest, Preferences(), now, settled=settled),
            topics=[
                shapes.TopicShape(slug=slug, title=title, about=about)
                for slug, title, about in topics_of(desk.app, digest)
            ],
            frequencies=[each.value for each in frequencies(digest)],
            archive=page_url(desk.app, "d", digest.slug),
        )
        for digest in desk.app.config.digests
    ]


@public.get("/editions")
def editions(
    desk: Desk, digest: shapes.Short, before: shapes.Short | None = None
) -> list[shapes.EditionShape]:
    """List the editions of a digest, the newest first; the next page begins `before` the last id."""
    desk.app.config.digest(digest)
    return [
        shapes.EditionShape(**_edition_facts(desk, record))
        for record in read_archive(desk.app, digest, before)
    ]


@public.get("/editions/{edition_id}")
def edition(desk: Desk, edition_id: str) -> shapes.EditionContent:
    """Give an edition as it was frozen."""
    record = read_edition_by_id(desk.app, edition_id)
    snapshot = json.loads(to_json(record.edition))
    return shapes.EditionContent(**_edition_facts(desk, record), hash=record.hash, snapshot=snapshot)


# ── for the staff ───────────────────────────────────────────────────────────────────────────


def _staff(
    desk: Desk, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
) -> None:
    """Refuse, with 401, who does not have the token; all the same when there is none at all."""
    token = desk.app.config.api_token
    offered = given.credentials.encode(errors="replace") if given else b""
    if token is None or not hmac.compare_digest(offered, token):
        raise HTTPException(401, "the token is missing or wrong", headers={"www-authenticate": "Bearer"})


staff = APIRouter(prefix="/subscribers", dependencies=[Depends(_staff)], responses=_WRONG | _CLOSED)


@staff.get("")
def subscribers(
    desk: Desk,
    digest: shapes.Short | None = None,
    state: SubscriberState | None = None,
    begins: shapes.Short = "",
    after: Annotated[str, Query(pattern=f"^(-1|{_ID})$")] = "-1",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[shapes.SubscriberShape]:
    """List readers in the order they came; the next page begins `after` the last id."""
    if "\0" in begins:
        return []
    found = find_readers(desk.app, digest=digest, state=state, prefix=begins, after=int(after), limit=limit)
    return [shapes.SubscriberShape(**_reader_facts(reader)) for reader in found]


@staff.post("", status_code=201)
def add(desk: Desk, new: shapes.NewSubscriber) -> shapes.Outcome:
    """Add a reader who has agreed elsewhere; who left or is suppressed stays out."""
    outcome = add_reader(
        desk.app, new.address, _wishes(new.digests), source=new.source.replace("\0", ""), now=desk.clock()
    )
    return shapes.Outcome(outcome=outcome)


@staff.get("/{subscriber_id}")
def subscriber(desk: Desk, subscriber_id: _Id) -> shapes.SubscriberHistory:
    """Give one reader with everything that happened."""
    reader = reader_by_id(desk.app, int(subscriber_id))
    with desk.app.database.read() as connection:
        lived = history(connection, int(subscriber_id))
    consents = [
        shapes.ConsentShape(
            act=each.act,
            at=each.at,
            source=each.origin.source,
            wording=each.origin.wording,
            client=each.origin.client,
            detail=dict(each.detail),
        )
        for each in lived
    ]
    return shapes.SubscriberHistory(**_reader_facts(reader), history=consents)


@staff.delete("/{subscriber_id}", status_code=204)
def remove(desk: Desk, subscriber_id: _Id, forget: bool = False) -> Response:
    """Take a reader off the list; with `forget` erase all that is kept but a keyed hash."""
    remove_reader_by_id(desk.app, int(subscriber_id), forget=forget, now=desk.clock())
    return Response(status_code=204)


def _wishes(asked: Sequence[shapes.WishShape]) -> tuple[Wish, ...]:
    return tuple(
        Wish(
            digest=each.digest,
            preferences=Preferences.parse(
                topics=each.topics, hour=each.hour, zone=each.zone, frequency=each.frequency
            ),
        )
        for each in {each.digest: each for each in asked}.values()
    )


def _edition_facts(desk: Reception, record: EditionRecord) -> dict[str, Any]:
    edition = record.edition
    return {
        "id": edition.id,
        "digest": edition.digest,
        "title": edition.title,
        "subject": lines(edition)[0],
        "local_date": edition.local_date.isoformat(),
        "sent_at": record.dated_at,
        "url": page_url(desk.app, "d", edition.digest, edition.id),
    }


def _reader_facts(reader: Reader) -> dict[str, Any]:
    known = reader.subscriber
    assert known is not None, "only readers who are there are shown"
    return {
        "id": str(known.id),  # beyond what a number holds in JavaScript
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
