"""Leaving: a digest by its link or one click (RFC 8058), all by the preferences; a way back for a slip."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse

from digest.app.goodbyes import (
    LIMITS,
    Goodbye,
    check_goodbye,
    language_of,
    say_goodbye,
    say_goodbye_to_all,
    take_back,
)
from digest.app.preferences import reader_by_link
from digest.render.languages import Words
from digest.render.templates import Sample
from digest.web.forms import Form, Sent
from digest.web.reception import Desk, Reception
from digest.web.security import own_page
from subscribers.errors import TokenError
from subscribers.model import Origin

router = APIRouter(include_in_schema=False)

_ONE_CLICK = ("List-Unsubscribe", "One-Click")
_REASONS = ("too many", "not for me", "never asked", "hard to read", "other")
_UNDO = "undo"


@router.api_route("/u/{slug}/{token}", methods=["GET", "HEAD"])
def ask(request: Request, desk: Desk, slug: str, token: str) -> Response:
    """Show the button. Scanners follow every link, so looking changes nothing."""
    subscriber_id = check_goodbye(desk.app, slug, token)
    say = desk.words(request, language_of(desk.app, subscriber_id))
    return desk.page(
        "leave",
        say,
        {
            "title": desk.title(slug),
            "action": f"{desk.root}/u/{quote(slug)}/{token}",
            "reasons": reasons(say),
        },
    )


@router.post("/u/{slug}/{token}")
def leave(request: Request, desk: Desk, form: Sent, slug: str, token: str) -> Response:
    """Take the reader off this digest: at one click of a mail program, or by the button on our page.

    RFC 8058 asks of a one-click request no cookie, no referrer and no second step, and forbids a
    redirect. What carries neither the one-click pair nor the button of our page changes nothing, and
    no body whatever ends more than the link is for.
    """
    if _ONE_CLICK[1] in form.many(_ONE_CLICK[0]):
        say_goodbye(desk.app, slug, token, origin=_origin(desk, request, "one-click"), now=desk.clock())
        return PlainTextResponse("You have been unsubscribed.\n")
    if form.one("leave") != "yes":
        check_goodbye(desk.app, slug, token)
        raise HTTPException(400, "neither a click nor a page")
    own_page(request)
    origin, now = _origin(desk, request, "leave page"), desk.clock()
    goodbye = say_goodbye(desk.app, slug, token, reason=_reason(form), origin=origin, now=now)
    return left_page(request, desk, goodbye, slug)


@router.post("/p/{token}/leave", dependencies=[Depends(own_page)])
def leave_all(request: Request, desk: Desk, form: Sent, token: str) -> Response:
    """End everything, by the link to preferences: it is for all of them."""
    reader = reader_by_link(desk.app, token)
    assert reader.subscriber is not None, "reader_by_link gives none without"
    origin, now = _origin(desk, request, "preferences"), desk.clock()
    goodbye = say_goodbye_to_all(desk.app, reader.subscriber.id, reason=_reason(form), origin=origin, now=now)
    return left_page(request, desk, goodbye)


def left_page(request: Request, desk: Reception, goodbye: Goodbye, slug: str = "") -> Response:
    """Return the page that says what was left, a digest or everything, with a way back from it.

    The way back hangs on this very page: a mail that was forwarded brings nobody back.
    """
    say = desk.words(request, language_of(desk.app, goodbye.subscriber_id))
    ticket = desk.tickets.make(_UNDO, str(goodbye.subscriber_id), slug) if goodbye.digests else ""
    return desk.page("left", say, {"title": desk.title(slug), "everything": not slug, "ticket": ticket})


@router.post("/undo", dependencies=[Depends(own_page)])
def undo(request: Request, desk: Desk, form: Sent) -> Response:
    """Give back what was left a moment ago, to who has the page that said so."""
    ticket = desk.tickets.read(_UNDO, form.one("ticket"), life=LIMITS.undo)
    subscriber_id, slug = ticket.values
    origin = _origin(desk, request, "leave page")
    back = take_back(desk.app, int(subscriber_id), slug or None, origin=origin, now=desk.clock())
    say = desk.words(request, language_of(desk.app, int(subscriber_id)))
    if not back:
        raise TokenError("expired")
    return desk.message(say, say("Welcome back"), say("Everything is as it was before."))


def samples(say: Words) -> Iterator[Sample]:
    """Yield the pages of leaving with invented values: to check templates with."""
    yield "web/leave.html", {"title": "Daily", "action": "/u/daily/x", "reasons": reasons(say)}
    for everything in (True, False):
        yield "web/left.html", {"title": "Daily", "everything": everything, "ticket": "x"}


def _origin(desk: Reception, request: Request, source: str) -> Origin:
    return Origin(source=source, client=desk.client(request).shown)


def _reason(form: Form) -> str:
    reason = form.one("reason")
    return reason if reason in _REASONS else ""


def reasons(say: Words) -> tuple[tuple[str, str], ...]:
    """Return the answers to the one question, why: value and label."""
    labels = (
        say("Too many mails"),
        say("It is not about what I care for"),
        say("I never asked for it"),
        say("It is hard to read"),
        say("Something else"),
    )
    return tuple(zip(_REASONS, labels, strict=True))
