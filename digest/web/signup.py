"""Signing up: the form, the second page for those without a script, and the link that confirms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from fastapi import APIRouter, Depends, Request, Response

from digest.app.notices import described, page_url, sample_digests
from digest.app.preferences import confirm_move
from digest.app.signing_up import (
    Joined,
    Seen,
    confirm,
    fresh_link,
    look_at_link,
    preferences_url,
    request_for,
    sign_up,
)
from digest.render.templates import Sample
from digest.web.choosing import HOURS, Offer, offers, sample_offer, wishes_in, zones
from digest.web.forms import Form, Sent
from digest.web.gate import Verdict
from digest.web.reception import Desk, Link, PageWords, Reception, public_languages
from digest.web.security import is_own_page, own_page
from subscribers.decisions import Purpose, Refused, Wish
from subscribers.errors import AddressError, ChoiceError
from subscribers.model import Format, Frequency, Origin
from subscribers.moving import Moved

router = APIRouter(include_in_schema=False)

WORDING = "sign-up 1"  # change it whenever the words above the button change: it is kept with each consent

_CARRIED = ("address", "hour", "zone", "language", "page")


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/signup", methods=["GET", "HEAD"])
def show_all(request: Request, desk: Desk) -> Response:
    """Show what there is to read, with one form for all of it."""
    return _form_page(desk, desk.words(request), None, Form({}), {})


@router.api_route("/signup/{slug}", methods=["GET", "HEAD"])
def show_one(request: Request, desk: Desk, slug: str) -> Response:
    """Show one digest with its form."""
    desk.app.config.digest(slug)
    return _form_page(desk, desk.words(request), slug, Form({}), {})


@router.post("/signup")
def subscribe(request: Request, desk: Desk, form: Sent) -> Response:
    """Take a form, of our pages or of any site that embeds one.

    what is wrong in it ──> the form again, each fault beside its field
    a form of another site, or one we cannot tell from a bot's ──> the second page
    else the same words for everybody, and behind the answer: decide, and mail or not
    """
    say = desk.words(request, form.one("language"))
    origin = Origin(
        source=f"form:{form.one('page') or 'all'}",
        wording=f"{WORDING} ({say.language})",
        client=desk.client(request).shown,
    )
    try:
        wanted = request_for(
            desk.app,
            form.one("address"),
            wishes_in(form),
            language=say.language,
            form=Format.HTML,
            origin=origin,
        )
    except AddressError as error:
        return _form_page(desk, say, form.one("page"), form, {"address": say(error.reason)})
    except ChoiceError as error:
        return _form_page(desk, say, form.one("page"), form, {error.field: say(error.reason)})
    verdict = desk.gate.judge(form, desk.client(request))
    if verdict is Verdict.AGAIN or not is_own_page(request):
        return _second_page(desk, say, form)
    if verdict is Verdict.PASS:
        desk.later(partial(sign_up, desk.app, wanted, desk.clock()))
    return look_into_mailbox(desk, say)


def look_into_mailbox(desk: Reception, say: PageWords) -> Response:
    """Say what everybody is told, whoever they are and whatever happens."""
    return desk.message(
        say,
        say("Look into your mailbox"),
        say("If the address can be mailed, a message with a link is on its way to it."),
        say("Nothing else is sent before you have followed that link."),
        say("Nothing came? Look among the unwanted mail, or try again tomorrow."),
    )


@router.api_route("/c/{token}", methods=["GET", "HEAD"])
def show_confirmation(request: Request, desk: Desk, token: str) -> Response:
    """Show the button that confirms. Scanners follow links in mails, so looking changes nothing."""
    seen = look_at_link(desk.app, token, desk.clock())
    say = desk.words(request, seen.language)
    if seen.state == "open":
        return _button_page(desk, say, seen, token)
    if seen.state == "expired" and seen.purpose is Purpose.SIGN_UP:
        return _run_out(desk, say, token)
    return _no_more(desk, say)


@router.post("/c/{token}", dependencies=[Depends(own_page)])
def press(request: Request, desk: Desk, token: str) -> Response:
    """Confirm a sign-up, or one end of a change of address; an old link brings nobody back."""
    now = desk.clock()
    seen = look_at_link(desk.app, token, now)
    say = desk.words(request, seen.language)
    origin = Origin(source="confirmation", wording=WORDING, client=desk.client(request).shown)
    if seen.purpose is not Purpose.SIGN_UP:
        return _moved(desk, say, confirm_move(desk.app, token, origin=origin, now=now))
    done = confirm(desk.app, token, origin=origin, now=now)
    if not isinstance(done, Joined):
        if done.reason == "expired" and seen.state == "expired":
            return _run_out(desk, say, token)
        return _no_more(desk, say)
    if done.letters:
        desk.errands.take(lambda: done.letters)
    values = {
        "digests": described(desk.app, done.wishes, say, now),
        "preferences": preferences_url(desk.app, done.subscriber_id),
    }
    return desk.page("joined", say, values)


@router.post("/c/{token}/fresh", dependencies=[Depends(own_page)])
def send_fresh(request: Request, desk: Desk, token: str) -> Response:
    """Mail a new link to the address an old one went to, and nowhere else."""
    desk.gate.admit(desk.client(request))
    desk.later(partial(fresh_link, desk.app, token, desk.clock()))
    return look_into_mailbox(desk, desk.words(request))


def _form_page(
    desk: Reception, say: PageWords, slug: str | None, form: Form, faults: Mapping[str, str]
) -> Response:
    now = desk.clock()
    every = offers(desk.app, say, now)
    one = next((offer for offer in every if offer.slug == slug), None)
    shown = (one,) if one else every
    values = {
        "one": one,
        "digests": shown,
        "about": _about(desk, say, one),
        "wording": wording_text(desk, say),
        "faults": faults,
        "filled": _filled(form, shown[0].slug if shown else ""),
        "hours": HOURS,
        "zones": zones(),
        "ticket": desk.gate.ticket(),
        "challenge": desk.gate.proofs.challenge(),
        "canonical": page_url(desk.app, "signup", *([one.slug] if one else [])),
        "choices": public_languages(),
    }
    return desk.page("signup", say, values, status=422 if faults else 200)


def _about(desk: Reception, say: PageWords, one: Offer | None) -> str:
    if one is None:
        return say("Choose what you would like to read. It comes by mail, calmly.")
    return say(
        "{title} brings the stories of {site} to your mailbox, calmly.", title=one.title, site=desk.site.name
    )


def wording_text(desk: Reception, say: PageWords) -> str:
    """Return what a reader agrees to with the button; `WORDING` is its version."""
    return say(
        "With the button you ask {site} to mail you what you have chosen. Every mail has a link to leave, "
        "and one press is enough.",
        site=desk.site.name,
    )


def _filled(form: Form, first: str) -> Mapping[str, object]:
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


def _second_page(desk: Reception, say: PageWords, form: Form) -> Response:
    carried = [(name, form.one(name)) for name in _CARRIED if form.one(name)]
    lists = [name for name in form.values if name == "digest" or name.startswith(("topics.", "frequency."))]
    carried += [(name, value) for name in lists for value in form.many(name)]
    return desk.page("once_more", say, {"carried": carried, "ticket": desk.gate.ticket(second=True)})


def _moved(desk: Reception, say: PageWords, done: Moved | Refused) -> Response:
    if isinstance(done, Refused):
        return _no_more(desk, say)
    if done.change is None:
        text = say("Thank you. Now the link we have sent to the other address has to be followed too.")
        return desk.message(say, say("One half is done"), text)
    return desk.message(
        say, say("Your address is changed"), say("From now on everything goes to the new one.")
    )


def _button_page(desk: Reception, say: PageWords, seen: Seen, token: str) -> Response:
    joins = seen.purpose is Purpose.SIGN_UP
    values = {
        "heading": say("Please confirm"),
        "lede": say("One press, and you are on the list.")
        if joins
        else say("Shall your mail go to another address? It happens when both addresses have said yes."),
        "digests": described(desk.app, _unique(seen.wishes), say, desk.clock()),
        "action": f"{desk.root}/c/{token}",
        "button": say("Yes, send it to me") if joins else say("Yes, that is right"),
    }
    return desk.page("confirm", say, values)


def _run_out(desk: Reception, say: PageWords, token: str) -> Response:
    values = {
        "heading": say("This link has run out"),
        "lede": say("Nothing was changed. We can send a fresh link to the address this one went to."),
        "digests": (),
        "action": f"{desk.root}/c/{token}/fresh",
        "button": say("Send a fresh link"),
    }
    return desk.page("confirm", say, values, status=410)


def _no_more(desk: Reception, say: PageWords) -> Response:
    return desk.message(
        say,
        say("This link does nothing any more"),
        say("It was used before, or is too old. Nothing was changed."),
        status=404,
        link=Link(f"{desk.root}/signup{say.kept}", say("Subscribe")),
    )


def samples() -> Iterator[Sample]:
    """Yield the pages of signing up with invented values: to check templates with."""
    offer, shown = sample_offer(), sample_digests()
    faults = dict.fromkeys(("address", "digest", "topics", "frequency", "hour", "zone"), "Fault.")
    values = {
        **dict.fromkeys(("about", "wording", "ticket", "challenge", "canonical"), "x"),
        "filled": _filled(Form({}), offer.slug),
        "hours": HOURS,
        "zones": zones()[:1],
        "digests": (offer,),
        "choices": public_languages(),
    }
    yield "web/signup.html", {**values, "one": offer, "faults": {}}
    yield "web/signup.html", {**values, "one": None, "faults": faults}
    yield "web/once_more.html", {"carried": [("address", "reader@example.org")], "ticket": "x"}
    texts = {"heading": "Heading", "lede": "Text", "action": "/c/x", "button": "Button"}
    yield "web/confirm.html", {**texts, "digests": shown}
    yield "web/joined.html", {"digests": shown, "preferences": "https://news.example.org/p/x"}


def _unique(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    return tuple({wish.digest: wish for wish in wishes}.values())
