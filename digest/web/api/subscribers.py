"""The list of readers in the API, for programs of the staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Path as PathParameter

from digest.model.staff import Right
from digest.readers.history import consents_of
from digest.readers.preferences import reader_by_id
from digest.readers.subscribers import add_reader, find_readers, remove_reader_by_id
from digest.web.api import shapes
from digest.web.api.bearer import CLOSED, Caller, needs
from digest.web.pages.context import Context
from subscribers.model import Preferences, Reader, SubscriberState
from subscribers.rules.decisions import SubscriptionRequest

# Ids are strings, because they are larger than JavaScript's exact numbers (2^53). The pattern ends a little
# below 2^63.
_ID = "[0-8]?[0-9]{1,18}"
_Id = Annotated[str, PathParameter(pattern=f"^{_ID}$")]
_Operator = Annotated[Caller, Depends(needs(Right.OPERATE, everywhere=True))]

readers = APIRouter(prefix="/subscribers", responses=CLOSED)


@readers.get("", dependencies=[Depends(needs(Right.OPERATE, everywhere=True))])
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


@readers.post("", status_code=201)
def add(context: Context, new: shapes.NewSubscriber, caller: _Operator) -> shapes.Outcome:
    """Add a reader who agreed elsewhere. Readers who unsubscribed or are suppressed are not added."""
    outcome = add_reader(
        context.app,
        new.address,
        requests_of(new.digests),
        source=new.source.replace("\0", ""),
        now=context.clock(),
    )
    caller.note(context, "added a reader")
    return shapes.Outcome(outcome=outcome)


@readers.get("/{subscriber_id}", dependencies=[Depends(needs(Right.OPERATE, everywhere=True))])
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


@readers.delete("/{subscriber_id}", status_code=204)
def remove(context: Context, caller: _Operator, subscriber_id: _Id, forget: bool = False) -> Response:
    """End all subscriptions of a reader; with `forget`, also erase all their data except a keyed hash."""
    remove_reader_by_id(context.app.database, int(subscriber_id), forget=forget, now=context.clock())
    caller.note(context, "erased a reader" if forget else "removed a reader")
    return Response(status_code=204)


def requests_of(asked: Sequence[shapes.RequestShape]) -> tuple[SubscriptionRequest, ...]:
    """Return the subscriptions that were asked for, one for each digest; the last of several counts."""
    return tuple(
        SubscriptionRequest(
            digest=each.digest,
            preferences=Preferences.parse(
                topics=each.topics, hour=each.hour, zone=each.zone, frequency=each.frequency
            ),
        )
        for each in {each.digest: each for each in asked}.values()
    )


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
