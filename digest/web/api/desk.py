"""The staff's part of the API: programs list and read editions, approve and hold them, and skip dates."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from digest.editions.editions import approve, find_edition, pause_edition, recent_editions
from digest.editions.preflight import inspection_of
from digest.editions.schedules import skip_date
from digest.model.editions import EditionRecord
from digest.model.errors import NotFoundError
from digest.model.snapshot import to_json
from digest.model.staff import Right
from digest.render.mail import lines
from digest.web.api import shapes
from digest.web.api.bearer import CLOSED, Caller, needs
from digest.web.pages.context import Context, WebContext

desk = APIRouter(prefix="/desk", responses={**CLOSED, 409: {"model": shapes.Problem}})


@desk.get("/editions")
def editions(
    context: Context,
    caller: Annotated[Caller, Depends(needs(Right.LOOK))],
    digest: shapes.Short | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[shapes.DeskEditionShape]:
    """List the newest editions, whatever their state."""
    wanted = caller.digests if digest is None else [context.app.config.digest(digest).slug]
    found = recent_editions(context.app.database, wanted, limit)
    return [shapes.DeskEditionShape(**_facts(each)) for each in found if isinstance(each, EditionRecord)]


@desk.get("/editions/{edition_id}", dependencies=[Depends(needs(Right.LOOK))])
def edition(context: Context, edition_id: shapes.Short) -> shapes.DeskEditionContent:
    """Return an edition as it is now, with the hash that an approval would cover, and its findings."""
    return _content(context, _record(context, edition_id))


@desk.post("/editions/{edition_id}/approve")
def approve_edition(
    context: Context,
    edition_id: shapes.Short,
    asked: shapes.ApprovalShape,
    caller: Annotated[Caller, Depends(needs(Right.APPROVE))],
) -> shapes.DeskEditionContent:
    """Approve the edition that has this hash; 409 if it has changed since."""
    found = _record(context, edition_id)
    record, _ = approve(
        context.app, found.edition.id, by=caller.name, now=context.clock(), reviewed=asked.hash
    )
    caller.note(context, "approved an edition", record.edition.id)
    return _content(context, record)


@desk.post("/editions/{edition_id}/hold")
def hold(
    context: Context,
    edition_id: shapes.Short,
    asked: shapes.ReasonShape,
    caller: Annotated[Caller, Depends(needs(Right.LOOK))],
) -> shapes.DeskEditionContent:
    """Hold an edition, before or during sending. Whoever may look at it may do so."""
    found = _record(context, edition_id).edition.id
    reason = f"{caller.name}: {asked.reason.strip()}"
    pause_edition(context.app.database, found, reason=reason, now=context.clock(), by=caller.name)
    caller.note(context, "held an edition", found)
    return _content(context, _record(context, found))


@desk.post("/digests/{slug}/skip")
def skip(
    context: Context,
    slug: shapes.Short,
    asked: shapes.SkipShape,
    caller: Annotated[Caller, Depends(needs(Right.EDIT))],
) -> shapes.SkippedShape:
    """Skip one date of a digest, with its edition if there is one; the posts wait for the next one."""
    digest, day = context.app.config.digest(slug), asked.day
    why = f"{caller.name}: {asked.reason.strip()}"
    edition_id = skip_date(context.app.database, digest, day, why, context.clock())
    caller.note(context, "skipped a date", f"{slug}, {day}")
    return shapes.SkippedShape(digest=slug, day=day, edition=edition_id or None)


def _record(context: WebContext, edition_id: str) -> EditionRecord:
    """Return the edition with an id; the slug of a digest stands for no edition here."""
    if any(digest.slug == edition_id for digest in context.app.config.digests):
        raise NotFoundError("edition", edition_id)
    return find_edition(context.app.database, context.app.config, edition_id)


def _content(context: WebContext, record: EditionRecord) -> shapes.DeskEditionContent:
    inspection = inspection_of(context.app, record, context.clock())
    return shapes.DeskEditionContent(
        **_facts(record),
        hash=inspection.hash,
        findings=[
            shapes.FindingShape(
                level=each.level.value,
                message=each.message,
                rule=each.rule,
                where=each.place.text(record.edition),
                fix=each.fix,
            )
            for each in inspection.findings
        ],
        snapshot=json.loads(to_json(record.edition)),
    )


def _facts(record: EditionRecord) -> dict[str, Any]:
    edition = record.edition
    return {
        "id": edition.id,
        "digest": edition.digest,
        "title": edition.title,
        "subject": lines(edition)[0],
        "local_date": edition.local_date.isoformat(),
        "number": edition.number,
        "state": record.state.value,
        "held": record.paused_at is not None,
        "reason": record.reason,
        "approved_by": record.approved_by,
        "cutoff_at": edition.cutoff_at,
        "send_at": edition.send_at,
    }
