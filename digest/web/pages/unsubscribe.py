"""Unsubscribe pages: one digest by link or one click (RFC 8058), everything by preferences, and undo."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

from digest.message.reader_links import PREFERENCES, UNSUBSCRIBE, unsubscribe_url
from digest.readers.preferences import reader_by_link
from digest.readers.unsubscribe import (
    LIMITS,
    Unsubscribed,
    check_unsubscribe_link,
    language_of,
    restore_subscriptions,
    unsubscribe_by_link,
    unsubscribe_from_all,
)
from digest.render.languages.languages import Words
from digest.web.pages.context import Context, WebContext
from digest.web.security.forms import Form, Sent
from digest.web.security.security import own_page
from subscribers.errors import TokenError
from subscribers.model import Origin

router = APIRouter(include_in_schema=False)

_ONE_CLICK = ("List-Unsubscribe", "One-Click")
_REASONS = ("too many", "not for me", "never asked", "hard to read", "other")
_UNDO = "undo"


@router.api_route(f"/{UNSUBSCRIBE}/{{slug}}/{{token}}", methods=["GET", "HEAD"])
def ask(request: Request, context: Context, slug: str, token: str) -> Response:
    """Show the unsubscribe button. GET changes nothing, because scanners follow every link."""
    subscriber_id = check_unsubscribe_link(context.app.secret, slug, token)
    say = context.words(request, language_of(context.app.database, subscriber_id))
    return context.page(
        "leave",
        say,
        {
            "title": context.title(slug),
            "action": unsubscribe_url(context.root, slug, token),
            "reasons": reasons(say),
        },
    )


@router.post(f"/{UNSUBSCRIBE}/{{slug}}/{{token}}")
def unsubscribe(request: Request, context: Context, form: Sent, slug: str, token: str) -> Response:
    """Unsubscribe the reader from this digest: by one click in a mail program, or by the button on our page.

    Under RFC 8058, a one-click request needs no cookie, no referrer and no second step, and must not be
    redirected. A request with neither the one-click field nor the button changes nothing. No request to
    this link ends another digest.
    """
    if _ONE_CLICK[1] in form.many(_ONE_CLICK[0]):
        unsubscribe_by_link(
            context.app.database,
            context.app.secret,
            slug,
            token,
            origin=_origin(context, request, "one-click"),
            now=context.clock(),
        )
        return PlainTextResponse("You have been unsubscribed.\n")
    if form.one("leave") != "yes":
        check_unsubscribe_link(context.app.secret, slug, token)
        raise HTTPException(400, "neither a one-click request nor our form")
    own_page(request)
    origin, now = _origin(context, request, "leave page"), context.clock()
    ended = unsubscribe_by_link(
        context.app.database, context.app.secret, slug, token, reason=_reason(form), origin=origin, now=now
    )
    return unsubscribed_page(request, context, ended, slug)


@router.post(f"/{PREFERENCES}/{{token}}/leave", dependencies=[Depends(own_page)])
def unsubscribe_all(request: Request, context: Context, form: Sent, token: str) -> Response:
    """Unsubscribe the reader from everything, by the preferences link."""
    reader = reader_by_link(context.app.database, context.app.secret, token)
    assert reader.subscriber is not None, "reader_by_link returns readers with a subscriber"
    origin, now = _origin(context, request, "preferences"), context.clock()
    ended = unsubscribe_from_all(
        context.app.database, reader.subscriber.id, reason=_reason(form), origin=origin, now=now
    )
    return unsubscribed_page(request, context, ended)


def unsubscribed_page(request: Request, context: WebContext, ended: Unsubscribed, slug: str = "") -> Response:
    """Return the page that confirms the end of one digest or of everything, with a button to undo it.

    Only this page has the undo ticket, so a forwarded email cannot subscribe anybody again.
    """
    say = context.words(request, language_of(context.app.database, ended.subscriber_id))
    ticket = context.tickets.make(_UNDO, str(ended.subscriber_id), slug) if ended.digests else ""
    return context.page("left", say, {"title": context.title(slug), "everything": not slug, "ticket": ticket})


@router.post("/undo", dependencies=[Depends(own_page)])
def undo(request: Request, context: Context, form: Sent) -> Response:
    """Restore subscriptions that ended less than a day ago; the form needs the ticket of that page."""
    ticket = context.tickets.read(_UNDO, form.one("ticket"), life=LIMITS.undo)
    subscriber_id, slug = ticket.values
    origin = _origin(context, request, "leave page")
    restored = restore_subscriptions(
        context.app.database, int(subscriber_id), slug or None, origin=origin, now=context.clock()
    )
    say = context.words(request, language_of(context.app.database, int(subscriber_id)))
    if not restored:
        raise TokenError("expired")
    return context.message(say, say("Welcome back"), say("Everything is as it was before."))


def _origin(context: WebContext, request: Request, source: str) -> Origin:
    return Origin(source=source, client=context.client(request).shown)


def _reason(form: Form) -> str:
    reason = form.one("reason")
    return reason if reason in _REASONS else ""


def reasons(say: Words) -> tuple[tuple[str, str], ...]:
    """Return the reasons a reader can choose from: value and label."""
    labels = (
        say("Too many emails"),
        say("The content is not relevant to me"),
        say("I never signed up"),
        say("The emails are hard to read"),
        say("Another reason"),
    )
    return tuple(zip(_REASONS, labels, strict=True))
