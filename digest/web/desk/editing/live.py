"""Serve what the desk's page of an edition asks for besides itself: its pulse, who is here, and pictures."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from anyio import sleep
from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from digest.editions.archive import read_picture
from digest.editions.edits.desk import be_present, pulse_of
from digest.editions.edits.edits import read_edits
from digest.editions.outlook.words import local
from digest.model.errors import DigestError
from digest.model.staff import Person
from digest.web.security.forms import Sent
from digest.web.staff.context import Desk, SignedIn, StaffContext

router = APIRouter()

_SECONDS = 1.0
_BEATS = 50  # then the browser asks again, so that somebody who was signed out meanwhile is refused
_LONGEST = 200  # characters of a place


@router.get("/desk/{edition_id}/live")
def live(context: Desk, person: SignedIn, edition_id: str) -> Response:
    """Send the pulse of an edition once a second, as server-sent events, for a minute."""
    zone = read_edits(context.app.database, edition_id).record.edition.zone
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    beats = _beats(context, person, edition_id, zone)
    return StreamingResponse(beats, media_type="text/event-stream", headers=headers)


async def _beats(context: StaffContext, person: Person, edition_id: str, zone: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    for _ in range(_BEATS):
        now = context.clock()
        try:
            beat = await run_sync(pulse_of, context.app.database, edition_id, person, now)
        except DigestError:
            return  # the browser asks again in a second
        yield f"data: {json.dumps({'beat': beat, 'at': f'{local(now, zone):%H:%M}'})}\n\n"
        await sleep(_SECONDS)


@router.post("/desk/{edition_id}/here")
def here(context: Desk, person: SignedIn, form: Sent, edition_id: str) -> Response:
    """Keep that somebody is looking at an edition, and where."""
    place, unsaved = form.one("place")[:_LONGEST], form.one("unsaved") == "1"
    now = context.clock()
    be_present(context.app.database, edition_id, person, now, place=place, unsaved=unsaved)
    return Response(status_code=204)


@router.api_route("/desk/pictures/{name}", methods=["GET", "HEAD"])
def picture(context: Desk, name: str) -> Response:
    """Return our copy of a story's picture."""
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(read_picture(context.app.database, name), media_type="image/jpeg", headers=headers)
