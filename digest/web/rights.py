"""A reader's own data: asked for from the preferences page, seen and erased behind a link sent by mail."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from digest.app.notices import page_url
from digest.app.preferences import data_letter, export_data, forget, reader_by_id, reader_by_link, record_of
from digest.model import DeliveryState
from digest.render.dates import long_date
from digest.render.languages import Words
from digest.render.templates import Sample
from digest.web.forms import Sent
from digest.web.reception import Desk, Reception
from digest.web.security import own_page
from subscribers.errors import TokenError
from subscribers.model import Act, Reader, SubscriptionState

router = APIRouter(include_in_schema=False)

_KIND = "my data"
_LIFE = timedelta(hours=1)  # long enough to read one's mail; too short to be found in a forwarded one


@router.post("/p/{token}/data", dependencies=[Depends(own_page)])
def ask(request: Request, desk: Desk, token: str) -> Response:
    """Mail a short-lived link: the link in every mail may have been forwarded, so it is not enough."""
    reader = reader_by_link(desk.app, token)
    assert reader.subscriber is not None, "reader_by_link gives none without"
    desk.gate.admit(desk.client(request))
    desk.gate.admit_mail(reader.subscriber.address_hash)
    link = page_url(desk.app, "m", desk.tickets.make(_KIND, str(reader.subscriber.id)))
    now = desk.clock()
    desk.later(lambda: (data_letter(desk.app, reader, link, now),))
    say = desk.words(request, reader.subscriber.language)
    return desk.message(
        say,
        say("Look into your mailbox"),
        say("A link to all we keep about you is on its way to your address. It works for one hour."),
    )


@router.api_route("/m/{ticket}", methods=["GET", "HEAD"])
def show(request: Request, desk: Desk, ticket: str) -> Response:
    """Show what is kept, and offer to take it along, with all details, and to have it erased."""
    reader = _reader(desk, ticket)
    assert reader.subscriber is not None, "reader_by_id gives none without"
    say = desk.words(request, reader.subscriber.language)
    consents, deliveries, _ = record_of(desk.app, reader)
    acts, states = _acts(say), _states(say)
    values = {
        "action": f"{desk.root}/m/{ticket}",
        "address": reader.subscriber.address,
        "digests": [(desk.title(each.digest), states[each.state]) for each in reader.subscriptions],
        "mails": sum(each.state is DeliveryState.ACCEPTED for each in deliveries),
        "events": [
            (each.at.date().isoformat(), long_date(each.at.date(), say.language), acts[each.act])
            for each in consents
        ],
    }
    return desk.page("data", say, values)


@router.api_route("/m/{ticket}/data.json", methods=["GET", "HEAD"])
def take_along(desk: Desk, ticket: str) -> Response:
    """Give all that is kept of a reader, as JSON."""
    data = export_data(desk.app, _reader(desk, ticket))
    headers = {"content-disposition": 'attachment; filename="my-data.json"'}
    return JSONResponse(jsonable_encoder(data), headers=headers)


@router.post("/m/{ticket}/erase", dependencies=[Depends(own_page)])
def erase(request: Request, desk: Desk, form: Sent, ticket: str) -> Response:
    """Erase a reader for good, when the box says so."""
    reader = _reader(desk, ticket)
    assert reader.subscriber is not None, "reader_by_id gives none without"
    say = desk.words(request, reader.subscriber.language)
    if form.one("sure") != "yes":
        raise HTTPException(400, "not sure")
    forget(desk.app, reader, desk.clock())
    return desk.message(
        say,
        say("You are forgotten"),
        say("Your address and all that belonged to it are erased."),
        say("What stays is a key that cannot be read back, so that no import brings you back."),
    )


def samples() -> tuple[Sample, ...]:
    """Return the page of one's data with invented values: to check templates with."""
    values = {
        "action": "/m/x",
        "address": "reader@example.org",
        "digests": [("Daily", "it comes to you")],
        "mails": 7,
        "events": [("2026-11-22", "Sunday, November 22, 2026", "you confirmed it")],
    }
    return (("web/data.html", values),)


def _states(say: Words) -> dict[SubscriptionState, str]:
    return {
        SubscriptionState.ACTIVE: say("it comes to you"),
        SubscriptionState.UNSUBSCRIBED: say("you have left it"),
        SubscriptionState.REMOVED: say("the publisher has ended it"),
    }


def _acts(say: Words) -> dict[Act, str]:
    return {
        Act.SIGNED_UP: say("you asked to be mailed"),
        Act.CONFIRMED: say("you confirmed it"),
        Act.ADDED: say("the publisher added you"),
        Act.IMPORTED: say("the publisher took you over from another list"),
        Act.SUBSCRIBED: say("you chose more to read"),
        Act.CHANGED: say("you changed your preferences"),
        Act.PAUSED: say("you paused"),
        Act.RESUMED: say("you ended the pause"),
        Act.LEFT: say("you left"),
        Act.REMOVED: say("the publisher ended it"),
        Act.CAME_BACK: say("you came back"),
        Act.ASKED_MOVE: say("you asked for another address"),
        Act.MOVED: say("the address was changed"),
    }


def _reader(desk: Reception, ticket: str) -> Reader:
    (subscriber_id,) = desk.tickets.read(_KIND, ticket, life=_LIFE).values
    if not subscriber_id.isdecimal():
        raise TokenError("damaged")
    return reader_by_id(desk.app, int(subscriber_id))
