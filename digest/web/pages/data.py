"""A reader's own data: requested on the preferences page; shown and erased through an emailed link."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from digest.message.reader_links import DATA, PREFERENCES, data_url
from digest.model.deliveries import DeliveryState
from digest.readers.data import ask_data, export_data, forget, reader_of_data, record_of
from digest.readers.preferences import reader_by_link
from digest.render.languages.dates import long_date
from digest.render.languages.languages import Words
from digest.web.pages.context import Context, WebContext
from digest.web.security.forms import Sent
from digest.web.security.security import own_page
from subscribers.model import ConsentAction, Reader, SubscriptionState

router = APIRouter(include_in_schema=False)


@router.post(f"/{PREFERENCES}/{{token}}/data", dependencies=[Depends(own_page)])
def ask(request: Request, context: Context, token: str) -> Response:
    """Send a short-lived link, because the preferences link may have been forwarded with an email."""
    reader = reader_by_link(context.app.database, context.app.secret, token)
    assert reader.subscriber is not None, "reader_by_link returns readers with a subscriber"
    context.guard.admit(context.client(request))
    ask_data(context.app, reader, context.clock())
    context.wake()
    say = context.words(request, reader.subscriber.language)
    return context.message(
        say,
        say("Check your inbox"),
        say("If we can send email to you, a link to your data is on its way. It expires in one hour."),
        say("No email? Check your spam folder, or try again tomorrow."),
    )


@router.api_route(f"/{DATA}/{{token}}", methods=["GET", "HEAD"])
def show(request: Request, context: Context, token: str) -> Response:
    """Show a summary of a reader's data, and offer to download all of it or to erase it."""
    reader = _reader(context, token)
    assert reader.subscriber is not None, "reader_by_id returns readers with a subscriber"
    say = context.words(request, reader.subscriber.language)
    kept = record_of(context.app.database, reader)
    sent = [each.state for each in kept.deliveries] + [each.state for each in kept.notices]
    actions, states = _actions(say), _states(say)
    values = {
        "action": data_url(context.root, token),
        "address": reader.subscriber.address,
        "digests": [(context.title(each.digest), states[each.state]) for each in reader.subscriptions],
        "mails": sent.count(DeliveryState.ACCEPTED),
        "events": [
            (each.at.date().isoformat(), long_date(each.at.date(), say.language), actions[each.act])
            for each in kept.consents
        ],
    }
    return context.page("data", say, values)


@router.api_route(f"/{DATA}/{{token}}/data.json", methods=["GET", "HEAD"])
def download(context: Context, token: str) -> Response:
    """Return all data of a reader as JSON."""
    data = export_data(context.app.database, _reader(context, token))
    headers = {"content-disposition": 'attachment; filename="my-data.json"'}
    return JSONResponse(jsonable_encoder(data), headers=headers)


@router.post(f"/{DATA}/{{token}}/erase", dependencies=[Depends(own_page)])
def erase(request: Request, context: Context, form: Sent, token: str) -> Response:
    """Erase a reader for good, if the box on the page is ticked."""
    reader = _reader(context, token)
    assert reader.subscriber is not None, "reader_by_id returns readers with a subscriber"
    say = context.words(request, reader.subscriber.language)
    if form.one("sure") != "yes":
        raise HTTPException(400, "the box is not ticked")
    forget(context.app.database, reader, context.clock())
    return context.message(
        say,
        say("Your data has been erased"),
        say("We have erased your address and everything that belonged to it."),
        say(
            "We keep only a code from which your address cannot be recovered, so that no import adds you "
            "again."
        ),
    )


def _states(say: Words) -> dict[SubscriptionState, str]:
    return {
        SubscriptionState.ACTIVE: say("subscribed"),
        SubscriptionState.UNSUBSCRIBED: say("unsubscribed"),
        SubscriptionState.REMOVED: say("ended by the publisher"),
    }


def _actions(say: Words) -> dict[ConsentAction, str]:
    return {
        ConsentAction.SIGNED_UP: say("you signed up"),
        ConsentAction.CONFIRMED: say("you confirmed your subscription"),
        ConsentAction.ADDED: say("the publisher added you"),
        ConsentAction.IMPORTED: say("the publisher imported your address from another list"),
        ConsentAction.SUBSCRIBED: say("you added a subscription"),
        ConsentAction.CHANGED: say("you changed your preferences"),
        ConsentAction.PAUSED: say("you paused your emails"),
        ConsentAction.RESUMED: say("you ended the pause"),
        ConsentAction.LEFT: say("you unsubscribed"),
        ConsentAction.REMOVED: say("the publisher ended your subscription"),
        ConsentAction.CAME_BACK: say("you restored your subscription"),
        ConsentAction.ASKED_MOVE: say("you asked to change your address"),
        ConsentAction.MOVED: say("your address was changed"),
        ConsentAction.LIFTED: say("the publisher allowed emails to your address again"),
    }


def _reader(context: WebContext, token: str) -> Reader:
    return reader_of_data(context.app.database, token, context.clock())
