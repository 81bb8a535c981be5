"""The addresses that hubs call (WebSub): they verify a subscription, and tell us of new posts."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from digest.collect.fetching.websub import read_signature, signing_secret
from digest.model.posts import HubRow
from digest.sources.hubs import Hubs, called, push, verify
from digest.web.pages.context import Context, WebContext

MAX_PUSH = 2_000_000  # bytes
MOST = 10  # pushes that are read at once, so that slow hubs leave room for readers

router = APIRouter(include_in_schema=False)


@router.get("/hub/{feed_id}/{key}")
def verification(request: Request, context: Context, feed_id: str, key: str) -> Response:
    """Repeat the challenge of a hub if we have asked it for exactly this, and have no answer yet.

    WebSub prescribes GET although this changes a row. Only the hub knows the address.
    """
    row = _called(context, feed_id, key)
    query = dict(request.query_params)
    if not verify(_hubs(context), row, query, context.clock()):
        raise HTTPException(404)
    headers = {"content-disposition": "attachment"}  # the challenge is not ours, and no browser shows it
    return PlainTextResponse(query.get("hub.challenge", ""), headers=headers)


@router.post("/hub/{feed_id}/{key}")
async def distribution(request: Request, context: Context, feed_id: str, key: str) -> Response:
    """Make a feed due if its hub has signed the request. The body is verified, and never used.

    The answer to a wrong signature is the same (section 7.2), so that nobody can try signatures.
    """
    row = await run_in_threadpool(_called, context, feed_id, key)
    place = object()
    if len(context.pushes) >= MOST:
        raise HTTPException(503, headers={"retry-after": "60"})
    context.pushes.add(place)
    try:
        signed = await _is_signed(request, signing_secret(context.app.secret, row))
    finally:
        context.pushes.discard(place)
    if signed:
        await run_in_threadpool(push, _hubs(context), row, context.clock())
    return Response(status_code=202)


async def _is_signed(request: Request, secret: str) -> bool:
    """Return whether the body has the signature of the header; raise 413 while it grows too large."""
    signature = read_signature(request.headers.get("x-hub-signature", ""))
    mac = hmac.new(secret.encode(), digestmod=signature[0] if signature else "sha256")
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_PUSH:
                raise HTTPException(413, "the request is too large")
            mac.update(part)
    except ClientDisconnect:
        return False
    return signature is not None and hmac.compare_digest(mac.digest(), signature[1])


def _called(context: WebContext, feed_id: str, key: str) -> HubRow:
    row = called(_hubs(context), feed_id, key)
    if row is None:
        raise HTTPException(404)
    return row


def _hubs(context: WebContext) -> Hubs:
    app = context.app
    return Hubs(database=app.database, config=app.config, secret=app.secret)
