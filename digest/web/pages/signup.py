"""Sign-up pages: the form, a second page for readers without JavaScript, and the confirmation link."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Depends, Request, Response

from digest.message.reader_links import CONFIRM, confirmation_url, signup_url
from digest.readers.descriptions import described
from digest.readers.moving import confirm_move
from digest.readers.signup import (
    Joined,
    LinkState,
    confirm,
    fresh_link,
    look_at_link,
    preferences_url,
    request_for,
    sign_up,
)
from digest.web.pages.context import Context, Link, PageWords, WebContext, public_languages
from digest.web.pages.offers import HOURS, Offer, offers, requests_in, zones
from digest.web.security.abuse import FormVerdict
from digest.web.security.forms import Form, Sent
from digest.web.security.security import is_own_page, own_page
from subscribers.errors import AddressError, ChoiceError
from subscribers.model import Format, Frequency, Origin
from subscribers.rules.decisions import Purpose, Refused, SubscriptionRequest
from subscribers.rules.moving import Moved

router = APIRouter(include_in_schema=False)

WORDING = "sign-up 2"  # kept with each consent; change it whenever the text above the button changes

_HIDDEN = ("address", "hour", "zone", "language", "page")


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/signup", methods=["GET", "HEAD"])
def show_all(request: Request, context: Context) -> Response:
    """Show all digests with one form."""
    return _form_page(context, context.words(request), None, Form({}), {})


@router.api_route("/signup/{slug}", methods=["GET", "HEAD"])
def show_one(request: Request, context: Context, slug: str) -> Response:
    """Show one digest with its form."""
    context.app.config.digest(slug)
    return _form_page(context, context.words(request), slug, Form({}), {})


@router.post("/signup")
def subscribe(request: Request, context: Context, form: Sent) -> Response:
    """Take a sign-up form from our own pages or from any other site.

    a mistake ──────────────────────────────────> the form again, with the mistake beside its field
    another site's form, or possibly a bot's ───> the second page
    any other form ─────────────────────────────> the same page for every address; `sign_up` decides
                                                  which email is queued
    """
    say = context.words(request, form.one("language"))
    origin = Origin(
        source=f"form:{form.one('page') or 'all'}",
        wording=f"{WORDING} ({say.language})",
        client=context.client(request).shown,
    )
    try:
        wanted = request_for(
            context.app.config,
            context.app.secret,
            form.one("address"),
            requests_in(form),
            language=say.language,
            form=Format.HTML,
            origin=origin,
        )
    except AddressError as error:
        return _form_page(context, say, form.one("page"), form, {"address": say(error.reason)})
    except ChoiceError as error:
        return _form_page(context, say, form.one("page"), form, {error.field: say(error.reason)})
    verdict = context.guard.judge(form, context.client(request))
    if verdict is FormVerdict.AGAIN or not is_own_page(request):
        return _second_page(context, say, form)
    if verdict is FormVerdict.PASS:
        sign_up(context.app, wanted, context.clock())
        context.wake()
    return check_inbox_page(context, say)


def check_inbox_page(context: WebContext, say: PageWords) -> Response:
    """Return the page after a sign-up; it is the same for every address."""
    return context.message(
        say,
        say("Check your inbox"),
        say("If we can send email to this address, a message with a link is on its way."),
        say("We send nothing else until you confirm with that link."),
        say("No email? Check your spam folder, or try again tomorrow."),
    )


@router.api_route(f"/{CONFIRM}/{{token}}", methods=["GET", "HEAD"])
def show_confirmation(request: Request, context: Context, token: str) -> Response:
    """Show the confirmation button. GET changes nothing, because scanners follow links in emails."""
    seen = look_at_link(context.app.database, token, context.clock())
    say = context.words(request, seen.language)
    if seen.state == "open":
        return _button_page(context, say, seen, token)
    if seen.state == "expired" and seen.purpose is Purpose.SIGN_UP:
        return _expired_page(context, say, token)
    return _used_page(context, say)


@router.post(f"/{CONFIRM}/{{token}}", dependencies=[Depends(own_page)])
def confirm_by_button(request: Request, context: Context, token: str) -> Response:
    """Confirm a sign-up, or one side of a change of address. Used and expired links change nothing."""
    now = context.clock()
    seen = look_at_link(context.app.database, token, now)
    say = context.words(request, seen.language)
    origin = Origin(source="confirmation", wording=WORDING, client=context.client(request).shown)
    if seen.purpose is not Purpose.SIGN_UP:
        return _moved_page(context, say, confirm_move(context.app.database, token, origin=origin, now=now))
    done = confirm(context.app, token, origin=origin, now=now)
    if not isinstance(done, Joined):
        if done.reason == "expired" and seen.state == "expired":
            return _expired_page(context, say, token)
        return _used_page(context, say)
    context.wake()
    values = {
        "digests": described(context.app, done.requests, say, now),
        "preferences": preferences_url(context.app.config, context.app.secret, done.subscriber_id),
    }
    return context.page("joined", say, values)


@router.post(f"/{CONFIRM}/{{token}}/fresh", dependencies=[Depends(own_page)])
def send_fresh(request: Request, context: Context, token: str) -> Response:
    """Send a new link to the address of the old link, and nowhere else."""
    context.guard.admit(context.client(request))
    fresh_link(context.app, token, context.clock())
    context.wake()
    return check_inbox_page(context, context.words(request))


def _form_page(
    context: WebContext, say: PageWords, slug: str | None, form: Form, faults: Mapping[str, str]
) -> Response:
    now = context.clock()
    every = offers(context.app, say, now)
    one = next((offer for offer in every if offer.slug == slug), None)
    shown = (one,) if one else every
    values = {
        "one": one,
        "digests": shown,
        "about": _about(context, say, one),
        "wording": wording_text(context, say),
        "faults": faults,
        "filled": filled_in(form, shown[0].slug if shown else ""),
        "hours": HOURS,
        "zones": zones(),
        "ticket": context.guard.ticket(),
        "challenge": context.guard.proofs.challenge(),
        "canonical": signup_url(context.app.config.site.base_url, one.slug if one else ""),
        "choices": public_languages(),
    }
    return context.page("signup", say, values, status=422 if faults else 200)


def _about(context: WebContext, say: PageWords, one: Offer | None) -> str:
    if one is None:
        return say("Choose what you would like to read, and we will email it to you.")
    return say(
        "{title} brings the stories of {site} to your inbox.",
        title=one.title,
        site=context.site.name,
    )


def wording_text(context: WebContext, say: PageWords) -> str:
    """Return the text a reader agrees to by pressing the button; `WORDING` is its version."""
    return say(
        "By pressing the button, you ask {site} to email you what you have chosen. You can unsubscribe at "
        "any time with the link in every email.",
        site=context.site.name,
    )


def filled_in(form: Form, first: str) -> Mapping[str, object]:
    """Return the values a form shows: the values that were sent, or else the `first` digest ticked."""
    topics = {
        f"{name.removeprefix('topics.')}/{slug}"
        for name in form.values
        if name.startswith("topics.")
        for slug in form.many(name)
    }
    return {
        "address": form.one("address"),
        "digests": form.many("digest") or ((first,) if not form.has("address") else ()),
        "topics": topics,
        "frequencies": {
            f"{name.removeprefix('frequency.')}/{form.one(name)}"
            for name in form.values
            if name.startswith("frequency.") and form.one(name) != Frequency.EACH
        },
        "hour": form.one("hour"),
        "zone": form.one("zone"),
    }


def _second_page(context: WebContext, say: PageWords, form: Form) -> Response:
    hidden = [(name, form.one(name)) for name in _HIDDEN if form.one(name)]
    lists = [name for name in form.values if name == "digest" or name.startswith(("topics.", "frequency."))]
    hidden += [(name, value) for name in lists for value in form.many(name)]
    return context.page("once_more", say, {"carried": hidden, "ticket": context.guard.ticket(second=True)})


def _moved_page(context: WebContext, say: PageWords, done: Moved | Refused) -> Response:
    if isinstance(done, Refused):
        return _used_page(context, say)
    if done.change is None:
        text = say("Thank you. Please also confirm with the link we sent to the other address.")
        return context.message(say, say("Almost done"), text)
    return context.message(
        say, say("Your address has been changed"), say("From now on, we send everything to your new address.")
    )


def _button_page(context: WebContext, say: PageWords, seen: LinkState, token: str) -> Response:
    is_signup = seen.purpose is Purpose.SIGN_UP
    values = {
        "heading": say("Please confirm"),
        "lede": say("Press the button to confirm your subscription.")
        if is_signup
        else say(
            "Press the button to confirm the change of address. It takes effect once both addresses have "
            "confirmed it."
        ),
        "digests": described(context.app, _unique(seen.requests), say, context.clock()),
        "action": confirmation_url(context.root, token),
        "button": say("Confirm my subscription") if is_signup else say("Confirm the change"),
    }
    return context.page("confirm", say, values)


def _expired_page(context: WebContext, say: PageWords, token: str) -> Response:
    values = {
        "heading": say("This link has expired"),
        "lede": say("Nothing has changed. We can send a new link to the same address."),
        "digests": (),
        "action": f"{confirmation_url(context.root, token)}/fresh",
        "button": say("Send a new link"),
    }
    return context.page("confirm", say, values, status=410)


def _used_page(context: WebContext, say: PageWords) -> Response:
    return context.message(
        say,
        say("This link no longer works"),
        say("It has already been used or has expired. Nothing has changed."),
        status=404,
        link=Link(f"{context.root}/signup{say.kept}", say("Subscribe")),
    )


def _unique(requests: tuple[SubscriptionRequest, ...]) -> tuple[SubscriptionRequest, ...]:
    return tuple({requested.digest: requested for requested in requests}.values())
